"""When a run's turn for hardware comes, by what the runs in front of it say of themselves. Pure.

Who waits takes what becomes free first, in the order of the queue, and holds it for as long as it says. Devices of a
resource are taken for alike, on whatever node they are. It must not ask a cluster.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from paddock.namespaces import turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from paddock.cluster.requests import Manifest
    from paddock.devices.holders import Supply
    from paddock.namespaces.turns import Need

_OVERDUE = 30.0
"""Seconds after its own word from which on nobody believes a run any more; it is renewed every few seconds."""
_MINUTE = 60
_NEVER = float("inf")
_EXACT = ((10, 1), (60, 5), (_NEVER, 10))
"""Below so many minutes they are rounded to so many: a figure that changes with every look is a new line each time."""


class Expected(NamedTuple):
    """When something comes, as far as anybody knows."""

    seconds: float
    """From now on; infinite where nobody knows."""
    unknown: str = ""
    """Why nobody knows."""

    @property
    def words(self) -> str:
        """The same for people, who are told no more exactly than that can be known."""
        return f"no estimate: {self.unknown}" if self.unknown else f"expected {self.roughly}"

    @property
    def roughly(self) -> str:
        """In how long, where that is known."""
        return _roughly(self.seconds)

    def moment(self, now: datetime) -> datetime | None:
        """Return the same as a time; ``None`` where nobody knows."""
        return None if self.unknown else now + timedelta(seconds=self.seconds)

    def after(self, need: Need) -> Expected:
        """Return when what is taken then is free again."""
        if self.unknown or need.seconds is not None:
            return self._replace(seconds=self.seconds + (need.seconds or 0.0))
        return _unknown(_unrecorded(need.run))


def turns_of(
    queue: Iterable[Need], found: Sequence[Supply], recorded: Mapping[str, Manifest], now: datetime
) -> Iterator[Expected]:
    """Yield when the turn of each run in ``queue`` comes, where so much is ``found`` and held by runs ``recorded``."""
    free = _free(found, recorded, now)
    latest: dict[str, Expected] = {}
    for need in queue:
        enough = [_last_of(free[name], name, count) for name, count in need.devices.items()]
        before = [latest[name] for name in need.devices if name in latest]  # nobody overtakes who waits for the same
        turn = max([*enough, *before], key=_seconds)
        yield turn
        for name, count in need.devices.items():
            latest[name] = turn
            free[name] = sorted([*free[name][count:], *[turn.after(need)] * count], key=_seconds)


def _last_of(free: Sequence[Expected], resource: str, count: int) -> Expected:
    """Return when so many devices are free at once."""
    enough = len(free) >= count
    return free[count - 1] if enough else _unknown(f"it needs {count} of {resource}, and {len(free)} are healthy")


def _free(found: Sequence[Supply], recorded: Mapping[str, Manifest], now: datetime) -> dict[str, list[Expected]]:
    """Return when each device is free, by resource, the next one first."""
    free: dict[str, list[Expected]] = defaultdict(list)
    for one in found:
        held = [_end(holder, recorded, now) for holder, count in one.holders.items() for _ in range(count)]
        healthy = [*[Expected(0.0)] * one.free, *sorted(held, key=_seconds)]
        # Of more that are held than are healthy, nobody here knows which are sick: those that come last will do.
        free[one.resource] += healthy[max(0, len(healthy) - one.allocatable) :]
    return defaultdict(list, {resource: sorted(each, key=_seconds) for resource, each in free.items()})


def _end(holder: str, recorded: Mapping[str, Manifest], now: datetime) -> Expected:
    """Return when a holder lets go, as it says itself."""
    run = holder.partition("/")[0]
    if run not in recorded:
        return _unknown(f"{holder} is no run that is recorded")
    until = turns.holds_until(recorded[run])
    if until is None:
        return _unknown(_unrecorded(run))
    seconds = (until - now).total_seconds()
    if seconds < -_OVERDUE:
        return _unknown(f"the run {run} takes longer than it expected")
    return Expected(max(0.0, seconds))


def _unrecorded(run: str) -> str:
    return f"the run {run} has no recorded durations"


def _unknown(why: str) -> Expected:
    return Expected(_NEVER, why)


def _seconds(one: Expected) -> float:
    return one.seconds


def _roughly(seconds: float) -> str:
    if seconds < _MINUTE:
        return "within a minute"
    minutes = seconds / _MINUTE
    exact = next(step for most, step in _EXACT if minutes < most)
    hours, rest = divmod(max(1, round(minutes / exact)) * exact, _MINUTE)
    return "in about " + " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest else [])])
