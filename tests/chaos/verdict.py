"""What is right: exit code, verdicts, cause, and that nothing is left in time.

Owns the judging of a trial that is over. It must not start or strike anything but what the scenario says.
"""

from __future__ import annotations

import re
import threading
import time
from itertools import chain
from typing import TYPE_CHECKING

from paddock.namespaces.reaper import GRACE
from tests.chaos.suite import VERDICTS, VICTIM
from tests.chaos.trial import LEASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.scenarios import Scenario
    from tests.chaos.trial import Trial

GONE_WITHIN = LEASE + GRACE + 10.0
"""Seconds from a client's end until nothing of its run is left: heartbeat, grace, and ten for the deletion itself."""

_LOOK_EVERY = 0.5


def complaints(scenario: Scenario, trial: Trial) -> list[str]:
    """Return what is wrong with a trial that has ended, a sentence each."""
    usual = (look(scenario, trial) for look in (_code, _verdicts, _cause))
    found = list(scenario.judge(trial) if scenario.judge else chain.from_iterable(usual))
    # What pytest shows of a Ctrl-C before it calls us is its own.
    begun = re.search(r"paddock: run|pytest_cmdline_main", trial.output)
    traceback = begun and "Traceback" in trial.output and -9 not in scenario.codes
    return found + (["there is a traceback"] if traceback else [])


def _code(scenario: Scenario, trial: Trial) -> Iterator[str]:
    code = trial.process.returncode
    if code not in scenario.codes:
        yield f"the exit code is {code} and not one of {sorted(scenario.codes)}"


def _verdicts(scenario: Scenario, trial: Trial) -> Iterator[str]:
    expected = {**VERDICTS, **scenario.changed}
    found = trial.verdicts() if trial.junit.exists() else {}
    for test, verdicts in found.items():
        if verdicts != [expected.get(test)]:
            yield f"{test} was reported as {verdicts} and not as {expected.get(test)}"
    missing = sorted(expected.keys() - found.keys())
    if missing and scenario.complete:
        yield f"not reported: {', '.join(missing)}"


def _cause(scenario: Scenario, trial: Trial) -> Iterator[str]:
    if not re.search(scenario.cause, trial.output):
        yield f"the terminal does not say {scenario.cause!r}"
    if VICTIM in scenario.changed and not re.search(scenario.cause, trial.junit.read_text()):
        yield f"JUnit's file does not say {scenario.cause!r}"


def seconds_until_gone(trial: Trial) -> float:
    """Return the seconds until nothing of the run is left; endless if that takes too long."""
    begin, pause = time.monotonic(), threading.Event()
    while trial.left():
        pause.wait(_LOOK_EVERY)
        if time.monotonic() - begin > GONE_WITHIN:
            return float("inf")
    return time.monotonic() - begin
