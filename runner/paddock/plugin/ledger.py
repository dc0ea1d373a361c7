"""The run's books: which tests were collected, which were reported, what went wrong, and the verdict from it.

xdist compares none of this: it can end with exit code 0 although tests never ran. Pure; one thread, pytest's, owns it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from paddock.plugin.attempts import RERUN

if TYPE_CHECKING:
    from collections.abc import Sequence


LISTED = 50
"""Tests that never ran are listed up to this many; more of them would bury the reason."""


class Exit(IntEnum):
    """The exit codes of a run; those pytest has too mean the same.

    ``NOT_CLEAN`` is a bit that is added to one of the others, and only with ``--paddock-require-clean``.
    """

    OK = 0
    TESTS_FAILED = 1
    INTERRUPTED = 2
    INFRASTRUCTURE_FAILED = 3
    USAGE = 4
    NO_TESTS = 5
    NOT_CLEAN = 8


@dataclass
class Ledger:
    """What happened in a run, as far as it decides the exit code."""

    collected: dict[str, None] = field(default_factory=dict)
    """Node ids in the order of the first worker's collection."""
    left_out: set[str] = field(default_factory=set)
    """Collected tests that are another shard's."""
    reported: set[str] = field(default_factory=set)
    lost_workers: dict[str, str] = field(default_factory=dict)
    """Worker -> why it never came."""
    faults: list[str] = field(default_factory=list)
    """Why the run as a whole cannot be trusted, in sentences."""
    _told: set[str] = field(default_factory=set)
    mistake: str = ""
    """What the user asked for that cannot be, where that came out after the run had begun."""

    def collect(self, node_ids: Sequence[str]) -> None:
        """Note the tests that a worker has collected; the first worker's list is the one that counts."""
        self.collected = self.collected or dict.fromkeys(node_ids)

    def report(self, node_id: str, when: str, outcome: str) -> None:
        """Note a report; a passed setup is not a test that ran, and an attempt that another one follows no verdict."""
        if outcome == RERUN:
            return
        if when != "setup" or outcome != "passed":
            self.reported.add(node_id)

    def lose(self, worker: str, reason: str) -> None:
        """Note a worker that never came; ``untold`` says what to tell of it."""
        self.lost_workers[worker] = reason

    def untold(self) -> list[str]:
        """Return what is still to be told of workers that never came: the same reason once, with all their names."""
        groups: dict[str, list[str]] = {}
        plain = {worker: re.sub("0x[0-9a-f]+", "*", reason) for worker, reason in self.lost_workers.items()}
        shared = Counter(plain.values())  # a path in it may name one of the workers by chance
        for worker, reason in plain.items():
            groups.setdefault(reason if shared[reason] > 1 else _anonymous(reason, worker), []).append(worker)
        lines = [self._lost(group) for group in groups.values() if not self._told.issuperset(group)]
        self._told.update(self.lost_workers)
        return lines

    def _lost(self, group: Sequence[str]) -> str:
        known = [worker for worker in group if worker in self._told]
        told = sorted(
            (worker for worker in group if worker not in self._told), key=lambda worker: (len(worker), worker)
        )
        workers = f"{'workers' if len(told) > 1 else 'worker'} {', '.join(told)} never came"
        return f"{workers}: for the same reason as {known[0]}" if known else f"{workers}: {self.lost_workers[told[0]]}"

    def never_ran(self) -> list[str]:
        """Return the collected tests that nobody reported."""
        done = self.reported | self.left_out
        return [node_id for node_id in self.collected if node_id not in done]

    def verdict(self, exit_code: int) -> int:
        """Return the exit code of the run, given the one pytest came to."""
        if self.mistake:
            return Exit.USAGE
        if self.faults:
            return Exit.INFRASTRUCTURE_FAILED
        # Stopped early on purpose (-x, --maxfail, Ctrl-C): tests that did not run are what was asked for.
        if exit_code != Exit.INTERRUPTED and self.never_ran():
            return Exit.INFRASTRUCTURE_FAILED
        return exit_code

    def complaints(self, exit_code: int) -> list[str]:
        """Return what a run with this exit code has to say about itself."""
        if exit_code != Exit.INFRASTRUCTURE_FAILED:
            return []
        lost = self.never_ran()
        more = [f"  … and {len(lost) - LISTED} more"] if len(lost) > LISTED else []
        count = f"{len(lost)} of {len(self.collected) - len(self.left_out)} collected tests never ran:"
        return [*self.faults, *([count] if lost else []), *(f"  {node_id}" for node_id in lost[:LISTED]), *more]


def _anonymous(reason: str, worker: str) -> str:
    return re.sub(rf"\b{re.escape(worker)}\b", "*", reason)
