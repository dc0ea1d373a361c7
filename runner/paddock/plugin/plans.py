"""From what is known of the tests of a run to their plan: marks, options, and what must be refused.

It must not know engines, nor xdist's inner workings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.scheduling.estimates import Estimates
from paddock.scheduling.planner import Planner
from paddock.scheduling.shards import Shard, by_name, by_times, fingerprint
from paddock.scheduling.units import KEYS, NOTHING, Case, Demand, Order, form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from paddock.plugin.marks import Told
    from paddock.scheduling.history import History
    from paddock.scheduling.units import Needs, Unit
    from paddock.settings.resolution import Settings

_SHARES = {"name": by_name, "times": by_times}
_BY_SCOPE = ("loadscope", "loadfile", "loadgroup")
_JUDGED = ("needs", "weight", "alone", "mistake")
"""What of a test's marks decides whether and beside what it runs."""
_FIRST = ("failedfirst", "newfirst", "stepwise")
"""Options of pytest's own that say what runs first: the order that they make is the one that is wanted."""


class Plans:
    """Makes the plan of a run once its tests are known.

    ``refuse`` hears of each test that cannot run as its marks say, and why; that test is not planned.
    ``leave_out`` hears which tests are other shards', and what to tell of this one.
    """

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        history: History,
        told: Mapping[str, Told],
        refuse: Callable[[str, str], None],
        leave_out: Callable[[Sequence[str], str], None],
    ) -> None:
        self._option, self._settings, self._history = config.option, settings, history
        self._told, self._refuse, self._leave_out = told, refuse, leave_out
        self.capabilities = {one.kind: one.count for one in settings.hardware}
        """What a worker holds that was given hardware: kind of it -> how many."""
        self.knows_hardware = False
        """Whether earlier runs have measured most of what needs hardware, or of all tests if none does."""
        self._judged: dict[tuple[object, ...], tuple[Demand, str]] = {}

    def plan(self, node_ids: Sequence[str]) -> tuple[list[Unit], Callable[[int], Planner]]:
        """Return the units of a collection, and what makes their planner for a number of workers."""
        marks = {node_id: str(said.get("names", "")).split() for node_id, said in self._told.items()}
        estimates = Estimates(self._history, marks)
        known = bool(estimates.learn(node_ids))
        cases = [self._case(node_id, estimates.seconds(node_id)) for node_id in node_ids]
        self.knows_hardware = self._knows([one for one in cases if one.demand.needs] or cases)
        units = self._of_this_shard(form(cases, self._option.dist), cases)
        units = [left for unit in units if (left := self._without_refused(unit, node_ids))]
        shared = estimates.shared(node_ids)
        return units, lambda workers: self._planner(units, workers, shared, known=known)

    def _of_this_shard(self, units: list[Unit], cases: Sequence[Case]) -> list[Unit]:
        if self._settings.shard is None:
            return units
        key = KEYS[self._option.dist]
        names = {key(cases[unit.rank]): unit for unit in units}
        share = _SHARES[self._settings.shard_by]
        number, of = self._settings.shard
        shards = share({name: unit.seconds for name, unit in names.items()}, of)
        ours = [unit for name, unit in names.items() if shards[name] == number]
        kept = {test for unit in ours for test in unit.tests}
        left_out = [case.node_id for position, case in enumerate(cases) if position not in kept]
        self._leave_out(left_out, sentence(Shard(number, of), len(kept), len(cases), fingerprint(shards)))
        return ours

    def _knows(self, cases: Sequence[Case]) -> bool:
        known = sum(self._history.expected(case.node_id) is not None for case in cases)
        return bool(cases) and 2 * known >= len(cases)

    def _case(self, node_id: str, seconds: float) -> Case:
        demand, _ = self._judge(node_id)
        group = str(self._told.get(node_id, {}).get("group", ""))
        return Case(node_id=node_id, seconds=seconds, group=group, demand=demand)

    def _judge(self, node_id: str) -> tuple[Demand, str]:
        """Return what a test asks for, and why it cannot run; once for all tests whose marks say the same."""
        said = self._told.get(node_id, {})
        key = tuple(map(said.get, _JUDGED))
        if key not in self._judged:
            reason = refusal(said, self.capabilities)
            # What is refused must not keep from running what stays together with it.
            wanted = NOTHING if reason else needs(said)
            demand = Demand(needs=wanted, weight=int(said.get("weight", 0)), alone=bool(said.get("alone")))
            self._judged[key] = demand, reason
        return self._judged[key]

    def _without_refused(self, unit: Unit, node_ids: Sequence[str]) -> Unit | None:
        reasons = {test: reason for test in unit.tests if (reason := self._judge(node_ids[test])[1])}
        if not reasons:
            return unit
        for test, reason in reasons.items():
            self._refuse(node_ids[test], reason)
        tests = tuple(test for test in unit.tests if test not in reasons)
        return unit.reduced(tests) if tests else None

    def _planner(self, units: Sequence[Unit], workers: int, shared: Mapping[str, float], *, known: bool) -> Planner:
        return Planner(
            units,
            order=self._order(),
            shared=shared,
            known=known,
            limit=self._settings.max_weight or max(1, workers // 2),
            chunk=self._option.maxschedchunk if self._option.dist == "load" else None,
        )

    def _order(self) -> Order:
        if any(getattr(self._option, name, False) for name in _FIRST):
            return Order.COLLECTED
        if self._option.dist in _BY_SCOPE and not self._option.loadscopereorder:
            return Order.COLLECTED
        return Order(self._settings.order)


def needs(said: Told) -> Needs:
    """Return the hardware that a test asks for, by what its marks say."""
    pairs = (need.split("=") for need in str(said.get("needs", "")).split())
    return frozenset((kind, int(count)) for kind, count in pairs)


def refusal(said: Told, capabilities: Mapping[str, int]) -> str:
    """Return why a test cannot run, by what its marks say and what workers hold; empty if it can."""
    if said.get("mistake"):
        return str(said["mistake"])
    missing = sorted((kind, count) for kind, count in needs(said) if capabilities.get(kind, 0) < count)
    if not missing:
        return ""
    wanted = " and ".join(f"{count} of {kind!r}" for kind, count in missing)
    flags = " ".join(f"--paddock-hardware={kind}" + (f"={count}" if count > 1 else "") for kind, count in missing)
    held = ", ".join(f"{count} of {kind!r}" for kind, count in sorted(capabilities.items())) or "none"
    return (
        f"It needs hardware, {wanted}, and workers of this run hold {held}: add {flags}, "
        "with --paddock-simulate-hardware=N where there is none. Leave it out with -m 'not hardware'."
    )


def sentence(shard: Shard, ours: int, collected: int, mark: str) -> str:
    """Return what to tell of a shard; an empty one says so."""
    if not ours:
        return f"shard {shard} is empty: none of the {collected} tests is in it (sharing {mark})"
    return f"shard {shard}: {ours} of {collected} tests (sharing {mark})"
