"""Fails a test that leaves something behind: a thread, a process, an open file, a mount, a changed variable.

A fixture of wider scope than one test may keep what it makes; it is asked for it when the session ends.
A test that cannot help it says so: ``@pytest.mark.may_leave("thread", reason="…")``.
"""

from __future__ import annotations

import gc
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.plugins.traces import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator

    from xdist.workermanage import WorkerController

    from tests.plugins.traces import Seen

    Looks = dict[str, Seen]

GRACE = 15.0
"""Seconds for what is already ending (a joined executor's thread, a killed child) to be gone; a machine that had other
things to do took more than two."""

_PAUSE = 0.01
_LEFT = "left_behind"


def look() -> Looks:
    """See everything there is now."""
    return {name: kind.look() for name, kind in KINDS.items()}


def differences(before: Looks, kinds: Collection[str]) -> list[str]:
    """Describe what is left now that was not there ``before``, a line each."""
    return [
        f"{name}: {words}"
        for name in KINDS
        if name in kinds
        for words in KINDS[name].compare(before[name], KINDS[name].look())
    ]


def left_behind(before: Looks, kinds: Collection[str]) -> list[str]:
    """As ``differences``, but what is only late is waited for, and what only the collector holds is collected."""
    end = time.monotonic() + GRACE
    waiting = threading.Event()
    if differences(before, kinds):
        gc.collect()
    while (left := differences(before, kinds)) and time.monotonic() < end:
        waiting.wait(_PAUSE)
    return left


class LeakCheck:
    """Looks before and after each test; fixtures of wider scope add what they made to what was there before."""

    def __init__(self) -> None:
        self._at_start = look()
        self._before = self._at_start
        self._left_by_workers: list[str] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        """Look before the test's first fixture."""
        self._before = look()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        """Let a fixture of wider scope keep what it makes until the end of the session."""
        if fixturedef.scope == "function":
            return (yield)
        earlier = look()
        result = yield
        self._keep(earlier, look())
        return result

    def _keep(self, earlier: Looks, later: Looks) -> None:
        for name, seen in later.items():
            new = {key: words for key, words in seen.items() if earlier[name].get(key) != words}
            self._before[name] = {**self._before[name], **new}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Look after the test's last fixture, and fail the test for what is left."""
        yield
        left = left_behind(self._before, KINDS.keys() - set(_allowed(item)))
        if left:
            pytest.fail("left behind: " + "; ".join(left), pytrace=False)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController) -> None:
        """Take what a worker of xdist's says that its session left; one that crashed cannot say it."""
        self._left_by_workers += getattr(node, "workeroutput", {}).get(_LEFT, [])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the session for what fixtures of wider scope left."""
        left = left_behind(self._at_start, {"process", "mount", "network namespace", "folder"}) + self._left_by_workers
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_LEFT] = left  # a worker's exit status is nobody's: its controller tells it
        elif left:
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            if reporter:
                reporter.write_line("left behind by the session: " + "; ".join(left), red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _allowed(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("may_leave"):
        if not mark.kwargs.get("reason") or not KINDS.keys() >= set(mark.args):
            raise pytest.UsageError(f"may_leave on {item.nodeid} needs a reason and kinds out of {', '.join(KINDS)}.")
        yield from mark.args


def pytest_configure(config: pytest.Config) -> None:
    """Register the check and its marker."""
    config.addinivalue_line("markers", "may_leave(*kinds, reason): what the test leaves behind, and why it has to")
    config.pluginmanager.register(LeakCheck(), "leak-check")
