"""What is planned: tests with what is known of them, and the units that they form by ``--dist``.

Pure values. It must not know workers, nor how long anything really takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Needs = frozenset[tuple[str, int]]
    """Kinds of hardware, each with how many of it."""

NOTHING: Needs = frozenset()
GUESS = 0.1
"""Seconds that a test is taken for until anything is known: right in order of magnitude for many suites, and the
first tests of a run correct it."""


class Order(Enum):
    """By which rule units are handed out."""

    LONGEST = "longest"
    """Long ones first; short ones by file, each worker staying with its own."""
    FILE = "file"
    """By file, and within a file as collected."""
    COLLECTED = "collected"
    """As collected, over all files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a unit asks of the worker and of the rest of the run; units of equal demand wait together."""

    needs: Needs = NOTHING
    """Hardware that its worker must have."""
    weight: int = 0
    """Its part of the bounded sum of what runs at once; 0 is not counted."""
    alone: bool = False
    """Whether nothing else may run meanwhile, on any worker."""
    avoids: str = ""
    """The worker that is to run it only if there is no other: it has just failed there."""

    @property
    def constrained(self) -> bool:
        """Whether what other workers do matters for it."""
        return self.alone or bool(self.weight)

    @property
    def is_choosy(self) -> bool:
        """Whether some workers will not do for it."""
        return bool(self.needs or self.avoids)

    @property
    def preference(self) -> tuple[bool, bool, int]:
        """What comes first: what few workers can do, then what few may do at once; last what stops all others."""
        return self.alone, not self.needs, -self.weight

    def met_by(self, capabilities: Mapping[str, int]) -> bool:
        """Return whether a worker with these capabilities (kind -> how many) has the hardware."""
        return all(capabilities.get(kind, 0) >= count for kind, count in self.needs)


FREE = Demand()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of one test before it runs."""

    node_id: str
    seconds: float = GUESS
    """Expected time of the test and of the fixtures that are its own."""
    group: str = ""
    """Its ``xdist_group``."""
    demand: Demand = FREE

    @property
    def home(self) -> str:
        """The file: tests of one file share fixtures that others do not."""
        return self.node_id.partition("::")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Tests that stay together on one worker, in this order."""

    tests: tuple[int, ...]
    """Positions in the collection."""
    seconds: float
    home: str
    demand: Demand = FREE

    @property
    def rank(self) -> int:
        """Where it stands in the collection."""
        return self.tests[0]

    def reduced(self, tests: tuple[int, ...]) -> Unit:
        """Return what is left of it."""
        return replace(self, tests=tests, seconds=self.seconds * len(tests) / len(self.tests))


def _by_test(test: Case) -> str:
    return test.node_id


def _by_file(test: Case) -> str:
    return test.home


def _by_scope(test: Case) -> str:
    return test.node_id.rsplit("::", 1)[0]


def _by_group(test: Case) -> str:
    # With a pytest that lets it, xdist puts the group behind the node id; an @ among parameters is not one.
    named = test.node_id.rfind("@") > test.node_id.rfind("]")
    return test.group or (test.node_id.rpartition("@")[2] if named else test.node_id)


KEYS: Mapping[str, Callable[[Case], str]] = {
    "load": _by_test,
    "worksteal": _by_test,
    "loadfile": _by_file,
    "loadscope": _by_scope,
    "loadgroup": _by_group,
}
"""--dist -> what tests of one unit have in common."""


def form(tests: Sequence[Case], dist: str) -> list[Unit]:
    """Return the units of a collection, in the order of their first tests."""
    key = KEYS[dist]
    together: dict[str, list[int]] = {}
    for position, test in enumerate(tests):
        together.setdefault(key(test), []).append(position)
    return [_unit(tests, positions) for positions in together.values()]


def _unit(tests: Sequence[Case], positions: Sequence[int]) -> Unit:
    members = [tests[position] for position in positions]
    demand = members[0].demand if len(members) == 1 else joined(member.demand for member in members)
    seconds = sum(member.seconds for member in members)
    return Unit(tests=tuple(positions), seconds=seconds, home=members[0].home, demand=demand)


def joined(demands: Iterable[Demand]) -> Demand:
    """Return the demand that meets all of these: what stays together is as demanding as its most demanding test."""
    counts: dict[str, int] = {}
    weight, alone = 0, False
    for demand in demands:
        weight, alone = max(weight, demand.weight), alone or demand.alone
        for kind, count in demand.needs:
            counts[kind] = max(count, counts.get(kind, 0))
    return Demand(needs=frozenset(counts.items()), weight=weight, alone=alone)
