"""How long each test of a collection will take: as measured, else as tests that are like it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.scheduling.units import GUESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paddock.scheduling.history import History


@dataclass
class _Mean:
    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1


@dataclass
class Estimates:
    """Expected seconds of tests; ``marks`` has the names of a test's marks, by node id."""

    history: History
    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    _means: dict[tuple[str, ...], _Mean] = field(default_factory=dict)

    def learn(self, node_ids: Sequence[str]) -> int:
        """Look at a whole collection; returns how many of its tests were measured before."""
        known = 0
        for node_id in node_ids:
            seconds = self.history.expected(node_id)
            if seconds is not None:
                known += 1
                for likeness in self._likenesses(node_id):
                    self._means.setdefault(likeness, _Mean()).add(seconds)
        return known

    def seconds(self, node_id: str) -> float:
        """Return the expected seconds of one test."""
        measured = self.history.expected(node_id)
        if measured is not None:
            return measured
        means = (self._means[likeness] for likeness in self._likenesses(node_id) if likeness in self._means)
        return next((mean.total / mean.count for mean in means), GUESS)

    def shared(self, node_ids: Sequence[str]) -> dict[str, float]:
        """Return what the common fixtures of the collection's files take, where that is known."""
        files = {node_id.partition("::")[0] for node_id in node_ids}
        return {file: seconds for file in files if (seconds := self.history.expected(file))}

    def _likenesses(self, node_id: str) -> Iterator[tuple[str, ...]]:
        """Yield what a test has in common with others, nearest first."""
        file, marks = node_id.partition("::")[0], tuple(self.marks.get(node_id, ()))
        yield "function", node_id.partition("[")[0]  # other parameters
        yield "file and marks", file, *marks
        yield "file", file
        if marks:
            yield "marks", *marks
        yield ("all",)
