"""Random kills: several workers of one run are taken away while they run short tests, each in a way drawn by lot.

Owns the suite of short tests, the ways to kill, and what is right of such a run: which test was struck, only the run
itself knows, and so its words are held against JUnit's file, test by test.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.faults import first_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.chaos.trial import Trial

    Way = Callable[[Trial, str], None]

KILLS, WORKERS, FILES, CLASSES, TESTS = 8, 3, 4, 2, 50
LONGEST_PAUSE = 1.0
"""Seconds between two kills at most: less than a worker takes to come back, so that two may be away at a time."""

_SUITE = f"""\
import time

import pytest


NUMBERS = [pytest.param(n, marks=pytest.mark.xdist_group(str(n % 7))) for n in range({TESTS})]


class Base:
    @pytest.mark.parametrize("number", NUMBERS)
    def test_short(self, number):
        time.sleep(0.05)
"""
SUITE: Mapping[str, str] = {
    f"test_many_{file}.py": _SUITE + "".join(f"\n\nclass Test{one}(Base):\n    pass\n" for one in range(CLASSES))
    for file in range(FILES)
}
NAMES = {
    f"test_many_{file}.Test{one}.py::test_short[{number}]"
    for file in range(FILES)
    for one in range(CLASSES)
    for number in range(TESTS)
}
"""Every test as JUnit's file names it."""
ARGUMENTS = (f"-n{WORKERS}", "-v", *SUITE)


# ---- ways to kill


def _process(trial: Trial, worker: str) -> None:
    """Kill the worker's process: its test fails."""
    supervisor = first_process(trial, worker)
    os.kill(next(_children(supervisor)), signal.SIGKILL)


def _children(parent: int) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
        except OSError:
            continue  # it has ended meanwhile
        if f"\nPPid:\t{parent}\n" in status:
            yield int(folder.name)


def _supervisor(trial: Trial, worker: str) -> None:
    """Kill the first process of its pod: its test runs again."""
    os.kill(first_process(trial, worker), signal.SIGKILL)


def _pod(trial: Trial, worker: str) -> None:
    """Delete its pod: its test runs again."""
    trial.node.kubectl("delete", "pod", "worker", "-n", trial.namespace(worker), "--wait=false")


WAYS: tuple[Way, ...] = (_process, _supervisor, _pod)


def kill_at_random(trial: Trial) -> None:
    """Kill workers that have begun to run tests, one after another, at any moment, until enough or until the end."""
    lot, struck = random.SystemRandom(), set[str]()
    while len(struck) < KILLS:
        threading.Event().wait(lot.uniform(0, LONGEST_PAUSE))
        if trial.process.poll() is not None:
            return
        at_work = sorted(_at_work(trial) - struck)
        if not at_work:
            continue
        worker, way = lot.choice(at_work), lot.choice(WAYS)
        try:
            way(trial, worker)
        except (subprocess.CalledProcessError, LookupError, StopIteration) as error:  # it was about to end by itself
            trial.notes.append(f"missed {worker}: {error!r}")
            continue
        struck.add(worker)
        trial.notes.append(f"killed {worker}: {way.__doc__}")


def _at_work(trial: Trial) -> set[str]:
    return set(re.findall(r"^\[(gw\d+)\] [A-Z]+ ", trial.output, flags=re.MULTILINE))


def count(trial: Trial) -> int:
    """Return how many workers were killed."""
    return sum(note.startswith("killed") for note in trial.notes)


# ---- what is right


def judge(trial: Trial) -> Iterator[str]:
    """Yield what is wrong: each test is to be reported once, failed if its own worker's process was killed."""
    verdicts = trial.verdicts() if trial.junit.exists() else {}
    yield from (f"{test} was reported as {found}" for test, found in verdicts.items() if len(found) != 1)
    if verdicts.keys() != NAMES:
        yield f"not reported: {sorted(NAMES - verdicts.keys())}; unknown: {sorted(verdicts.keys() - NAMES)}"
    failed = {test for test, found in verdicts.items() if "failed" in found}
    if failed != (struck := _struck(trial)):
        yield f"failed: {sorted(failed)}; their processes were killed: {sorted(struck)}"
    if trial.process.returncode != bool(failed):
        yield f"the exit code is {trial.process.returncode}, and {len(failed)} tests failed"
    killed = sum(_process.__doc__ in note for note in trial.notes if _process.__doc__)
    if len(failed) > killed + len(_lost_twice(trial)):
        yield f"{len(failed)} tests failed, and {killed} processes were killed"


def _struck(trial: Trial) -> set[str]:
    killed = {test for test, cause in _losses(trial) if "ended by SIGKILL" in cause and "supervisor" not in cause}
    return killed | _lost_twice(trial)


def _lost_twice(trial: Trial) -> set[str]:
    times = Counter(test for test, _ in _losses(trial))
    return {test for test, number in times.items() if number > 1}


def _losses(trial: Trial) -> list[tuple[str, str]]:
    told = re.findall(r"paddock: gw\d+ was lost while it ran (\S+)\.py::(\w+)::(\S+): (.*)", trial.output)
    return [(f"{file}.{where}.py::{name}", cause) for file, where, name, cause in told]
