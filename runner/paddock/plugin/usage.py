"""What a worker uses while it runs tests: measured in the worker, told with what xdist hears at its end.

It must not know what becomes of the figures. Read from the kernel by the worker's own process: the control group of
its pod would count the page cache as memory, and there is none in an engine without pods.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

KEY = "paddock_usage"
"""Where the figures stand in ``workeroutput``: ``cores``, and ``memory`` in MiB."""
_SCHEDULED = Path("/proc/thread-self/schedstat")
_LEAST_SECONDS = 0.5
"""Of tests below which a worker's cores say nothing: one test that waits, or one that does not."""


class Meter:
    """Measures one worker, from its first test on.

    What lies between tests is waiting for work. It counts as no time, and takes no processor nor any place in a queue:
    the kernel, which would take longer to answer than many a test, is asked twice in all.
    """

    def __init__(self) -> None:
        self._wall = 0.0
        self._at_first: tuple[float, float] | None = None
        """Seconds of processor and in the queue, at the beginning of the first test."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Measure a test with its fixtures."""
        self._at_first = self._at_first or (seconds_of_processor(), seconds_queued())
        began = time.monotonic()
        try:
            return (yield)
        finally:
            self._wall += time.monotonic() - began

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell it."""
        output: dict[str, Any] = getattr(session.config, "workeroutput", {})
        output[KEY] = self.figures()

    def figures(self) -> dict[str, float]:
        """Return what is known by now.

        Time in which a test would have run, had others not had the processors, is no waiting of its own: without it,
        too many workers would look as if each needed little.
        """
        memory = {"memory": peak_memory()}
        if self._wall < _LEAST_SECONDS or self._at_first is None:
            return memory
        processor, queued = self._at_first
        ran = self._wall - (seconds_queued() - queued)
        return memory | {"cores": (seconds_of_processor() - processor) / max(ran, self._wall / 100)}


def seconds_of_processor() -> float:
    """Return what this process and the children that it has waited for have used."""
    return sum(one.ru_utime + one.ru_stime for one in _used())


def seconds_queued() -> float:
    """Return how long this thread was ready to run and did not; 0 where the kernel does not say."""
    try:
        return int(_SCHEDULED.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def peak_memory() -> float:
    """Return the highest resident memory in MiB, of this process and of the largest of its children, added up."""
    return sum(one.ru_maxrss for one in _used()) / 1024


def _used() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


class Gauge:
    """The controller's side: the figures of all workers of a run, as one sample."""

    def __init__(self) -> None:
        self._cores: list[float] = []
        self._memory: list[float] = []

    def hear(self, output: Mapping[str, Any]) -> None:
        """Take in what a worker said at its end, if anything."""
        said = output.get(KEY) or {}
        self._cores += [float(said["cores"])] if "cores" in said else []
        self._memory += [float(said["memory"])] if "memory" in said else []

    def figures(self) -> dict[str, float]:
        """Return ``cores`` and ``memory`` of the worker that used the most of it, as far as any told."""
        found = {"cores": self._cores, "memory": self._memory}
        return {name: max(values) for name, values in found.items() if values}
