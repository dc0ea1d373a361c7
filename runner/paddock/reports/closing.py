"""What a run has to say about its own speed at its end, in few lines, and only where it says something. Pure.

It must not know where the figures come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.reports.live import duration
from paddock.scheduling.advice import advise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paddock.scheduling.advice import Advice

WORTH_TELLING = 5.0
"""Seconds of tests below which a run says nothing: nobody would do anything about it."""
WORTH_WORKERS, WORTH_PART = 10.0, 0.2
"""Seconds, and part of the run, that more workers must save to be advised."""
_LEAST = 0.01
"""Part of the time below which a phase is not told."""

TESTS, TEARDOWN, SERVICES, IDLE = "tests", "teardown", "services", "idle"
AT_WORK = (TESTS, TEARDOWN, SERVICES)
"""Phases in which a worker does what it is there for."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Where one worker's time went: phase -> seconds."""

    worker: str
    phases: Mapping[str, float]

    @property
    def at_work(self) -> float:
        """The part of the time in which it could have run tests that it did."""
        busy = sum(self.phases.get(name, 0.0) for name in AT_WORK)
        return busy / present if (present := busy + self.phases.get(IDLE, 0.0)) else 1.0


@dataclass(frozen=True, kw_only=True)
class Past:
    """A run that is over."""

    serial: float
    """Seconds that its tests take one after another."""
    seconds: float
    """From its beginning to its last report."""
    workers: Sequence[Spent]
    """Those that ran tests."""
    units: Sequence[float] = field(default=())
    """Seconds of what had to stay together on one worker."""
    asked: int = 0
    """Workers that the run was given."""


def lines(past: Past) -> list[str]:
    """Return what to tell of it."""
    return list(_lines(past)) if past.workers and past.serial >= WORTH_TELLING else []


def _lines(past: Past) -> Iterator[str]:
    count = len(past.workers)
    on = f"on {count} workers" if count > 1 else "on 1 worker"
    faster = f": {past.serial / past.seconds:.1f} times as fast" if past.seconds < past.serial else ""
    yield f"tests of {duration(past.serial)} one after another were over after {duration(past.seconds)} {on}{faster}"
    yield f"workers' time: {where(past.workers)}{_least(past.workers)}"
    advice = advise(past.units, max(count, past.asked)) if past.units else None
    if advice and (sentence := _advice(advice, past)):
        yield sentence


def where(workers: Sequence[Spent]) -> str:
    """Return where the time of all workers went, the largest part first."""
    sums: dict[str, float] = {}
    for spent in workers:
        for phase, seconds in spent.phases.items():
            sums[phase] = sums.get(phase, 0.0) + seconds
    total = sum(sums.values()) or 1.0
    told = [(seconds / total, phase) for phase, seconds in sums.items() if seconds >= _LEAST * total]
    return ", ".join(f"{phase} {part:.0%}" for part, phase in sorted(told, reverse=True))


def _least(workers: Sequence[Spent]) -> str:
    if len(workers) < 2:  # noqa: PLR2004 - nobody to compare with
        return ""
    least = min(workers, key=lambda spent: spent.at_work)
    mean = sum(spent.at_work for spent in workers) / len(workers)
    return f"; at work {mean:.0%} of the time they were ready, least {least.worker} with {least.at_work:.0%}"


def _advice(advice: Advice, past: Past) -> str:
    asked = max(len(past.workers), past.asked)
    if advice.workers < asked:
        return f"-n {advice.workers} would do: {_why(past)}"
    saved = -advice.difference
    if advice.workers > asked and saved >= max(WORTH_WORKERS, WORTH_PART * past.seconds):
        return f"-n {advice.workers} would take about {duration(saved)} less, where the cluster has room for it"
    return ""


def _why(past: Past) -> str:
    return f"the longest of what stays together takes {duration(max(past.units))} by itself"
