"""What earlier runs measured: the last few times of every test, and of the fixtures that a file's tests share.

The text is one line a test, so that it can be read, compared and merged; docs/how-to/history.md describes it. Merging
is a union of samples of which the latest few stay: in whatever order, and however often, the result is the same.
Pure: reading and writing files is ``history_file``'s.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Sample = tuple[int, float]
    """When its run began, in seconds since 1970, and the seconds measured."""

KEY = "paddock-history"
VERSION = 1
KEPT = 5
"""Samples of a test: the median of five is not moved by two odd ones."""
EXPIRY = 90 * 86_400
"""Seconds after which a test that no run has measured is forgotten: a quarter of a year."""
_DIGITS = 4


class ForeignVersionError(ValueError):
    """The text is a history of another version; ``args[0]`` says which."""


@dataclass(frozen=True)
class History:
    """Node id, or a file's path for what its tests share -> samples, latest first."""

    samples: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)

    def expected(self, name: str) -> float | None:
        """Return the seconds to expect, the median of the samples; ``None`` for what was never measured."""
        if name not in self._medians and name in self.samples:
            self._medians[name] = statistics.median(seconds for _, seconds in self.samples[name])
        return self._medians.get(name)

    @cached_property
    def _medians(self) -> dict[str, float]:
        """Those that were asked for: a run asks several times for each."""
        return {}

    def merged(self, *others: History) -> History:
        """Return all samples, the latest of each test."""
        return _gathered(item for one in (self, *others) for item in one.samples.items())

    def pruned(self, now: float, exists: Callable[[str], bool] = lambda _file: True) -> History:
        """Return what was measured within the expiry and whose file ``exists``."""
        return History(
            {
                name: samples
                for name, samples in self.samples.items()
                if samples[0][0] >= now - EXPIRY and exists(name.partition("::")[0])
            }
        )

    def text(self) -> str:
        """Return the history as it stands in a file: sorted, so that two of the same content are the same."""
        lines = [json.dumps([name, samples], ensure_ascii=False) for name, samples in sorted(self.samples.items())]
        return "\n".join([json.dumps({KEY: VERSION}), *lines, ""])


def _gathered(items: Iterable[tuple[str, tuple[Sample, ...]]]) -> History:
    gathered: dict[str, set[Sample]] = {}
    for name, samples in items:
        gathered.setdefault(name, set()).update(samples)
    return History({name: tuple(sorted(samples, reverse=True)[:KEPT]) for name, samples in gathered.items()})


def parse(text: str) -> tuple[History, int]:
    """Return the history of a text, and how many of its lines could not be read.

    Lines may stand in any order and a test on several, as after a merge by git.

    Raises:
        ForeignVersionError: a newer or older Paddock wrote it.
        ValueError: it is no history at all.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    _check_header(lines)
    found = [_read(value) for value in _values([line for line in lines if not _is_header(line)])]
    return _gathered(filter(None, found)), found.count(None)


def _values(lines: Sequence[str]) -> list[Any]:
    """Return what the lines say, ``None`` for each that says nothing: one by one only where one of them is broken."""
    try:
        values: list[Any] = json.loads(f"[{','.join(lines)}]")
    except ValueError:
        values = []
    return values if len(values) == len(lines) else [_value(line) for line in lines]


def _value(line: str) -> Any:  # noqa: ANN401 - whatever a line may hold
    try:
        return json.loads(line)
    except ValueError:
        return None


def _check_header(lines: Iterable[str]) -> None:
    headers = [json.loads(line)[KEY] for line in lines if _is_header(line)]
    if not headers:
        raise ValueError("no line says that this is a history")
    for version in headers:
        if version != VERSION:
            raise ForeignVersionError(version)


def _is_header(line: str) -> bool:
    if KEY not in line or not line.startswith("{"):
        return False
    try:
        return KEY in json.loads(line)
    except ValueError:
        return False


def _read(value: Any) -> tuple[str, tuple[Sample, ...]] | None:  # noqa: ANN401 - whatever a line may hold
    try:
        name, samples = value
        read = tuple((int(when), round(float(seconds), _DIGITS)) for when, seconds in samples)
    except (ValueError, TypeError, OverflowError):
        return None
    usable = bool(read) and isinstance(name, str) and all(0 <= seconds < float("inf") for _, seconds in read)
    return (name, read) if usable else None


def measured(when: int, seconds: Mapping[str, float]) -> History:
    """Return the history of one run."""
    return History({name: ((when, round(max(0.0, one), _DIGITS)),) for name, one in seconds.items()})


SPEEDS = 10
"""Tests that must be known for a run's machine to be judged."""
USUAL = (0.8, 1.25)
"""Between these a machine is taken for as fast as the ones before: noise is not corrected."""


def speed(before: History, seconds: Mapping[str, float]) -> float:
    """Return how much slower this run's machine is than those of the history, 1.0 if that cannot be told.

    The median over all known tests, so that tests which really changed do not look like a slow machine.
    """
    ratios = [one / known for name, one in seconds.items() if (known := before.expected(name)) and one]
    ratio = statistics.median(ratios) if len(ratios) >= SPEEDS else 1.0
    return 1.0 if USUAL[0] <= ratio <= USUAL[1] else ratio
