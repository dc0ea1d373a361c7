"""What a test's reports come to: held back until it is over, judged, and followed by another attempt or not."""

from __future__ import annotations

import pytest

from paddock.plugin.attempts import LOSSES, RERUN, Attempts
from paddock.scheduling.elastic import Stage
from paddock.specs import Cause, Fate

TEST = "t.py::test_a"


def report(when: str, outcome: str = "passed", test: str = TEST, text: str | None = None) -> pytest.TestReport:
    """Return a report."""
    return pytest.TestReport(test, ("t.py", 0, "test_a"), {}, outcome, text, when)  # type: ignore[arg-type] # literals


def cause(fate: Fate) -> Cause:
    """Return a cause."""
    return Cause(kind="any", sentence="It went.", remedy="Mend it.", fate=fate)


class Followed:
    """Attempts, and what they asked for."""

    def __init__(self, retries: int = 0, *, willing: bool = True) -> None:
        self.asked: list[tuple[str, str]] = []
        self.willing = willing
        self.attempts = Attempts(retries, self._again)

    def _again(self, test: str, avoiding: str) -> bool:
        self.asked.append((test, avoiding))
        return self.willing

    def runs(self, *reports: pytest.TestReport, worker: str = "gw0") -> list[tuple[str, str]]:
        """Let a test run to its end, and return what was heard of it."""
        self.attempts.begin(worker, TEST)
        assert all(self.attempts.hold(worker, one) for one in reports)
        heard = self.attempts.finish(worker, whole=True)
        assert self.attempts.finish(worker, whole=True) == []
        return [(str(one.when), str(one.outcome)) for one in heard]

    def crashes(self, fate: Fate | None, *before: pytest.TestReport, worker: str = "gw0") -> pytest.TestReport:
        """Let a worker go in the middle of a test, and return the report of it."""
        self.attempts.begin(worker, TEST)
        for one in before:
            self.attempts.hold(worker, one)
        crash = report("???", "failed", text="worker 'gw0' crashed")
        self.attempts.crashed(crash, worker, cause(fate) if fate else None)
        return crash


PASSED = [("setup", "passed"), ("call", "passed"), ("teardown", "passed")]
FAILED = [("setup", "passed"), ("call", "failed"), ("teardown", "passed")]


def test_reports_are_heard_when_the_test_is_over() -> None:
    """As they are, in their order."""
    followed = Followed()
    assert followed.runs(*(report(*one) for one in PASSED)) == PASSED
    assert followed.runs(*(report(when, outcome, text="no") for when, outcome in FAILED)) == FAILED


def test_reports_of_no_test_that_runs_are_not_held_back() -> None:
    """Such as those that the run itself makes up, or a plugin that never says that a test begins."""
    followed = Followed()
    assert not followed.attempts.hold("gw0", report("setup", "failed"))
    followed.attempts.begin("gw0", "t.py::test_b")
    assert not followed.attempts.hold("gw0", report("call"))


def test_an_interrupted_tests_reports_are_heard_as_they_are() -> None:
    """Its worker ends in order, in the middle of it: no verdict, and no further attempt."""
    followed = Followed(retries=3)
    followed.attempts.begin("gw0", TEST)
    followed.attempts.hold("gw0", report("setup", "failed", text="no"))
    (heard,) = followed.attempts.finish("gw0", whole=False)
    assert heard.outcome == "failed"
    assert followed.asked == []


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_a_failed_attempt_is_one_report(phase: str) -> None:
    """Whatever of it passed: in the phase that failed, but that its tear-down would end the test's entry in JUnit."""
    followed = Followed(retries=1)
    reports = [report(when, "failed" if when == phase else "passed", text="no") for when, _ in PASSED]
    heard = followed.runs(*reports)
    assert heard == [("call" if phase == "teardown" else phase, RERUN)]
    assert followed.asked == [(TEST, "gw0")]
    (attempt,) = followed.attempts.past[TEST]
    assert (attempt.worker, attempt.phase, attempt.text, attempt.words) == ("gw0", phase, "no", "failed on gw0")


def test_the_last_attempt_is_the_verdict() -> None:
    """Heard as it is, and noted."""
    followed = Followed(retries=2)
    for worker in ("gw0", "gw1"):
        assert followed.runs(report("call", "failed", text="no"), worker=worker) == [("call", RERUN)]
    assert followed.runs(report("call", "failed", text="no"), worker="gw2") == [("call", "failed")]
    assert len(followed.asked) == 2
    assert followed.attempts.verdicts == {TEST: "failed on gw2"}


def test_a_test_that_passes_in_the_end_passed() -> None:
    """So it is noted, and a skip as a skip; a test that ran once needs no note."""
    followed = Followed(retries=2)
    followed.runs(report("call", "failed", text="no"))
    followed.runs(*(report(*one) for one in PASSED), worker="gw1")
    assert followed.attempts.verdicts == {TEST: "passed on gw1"}
    followed.runs(report("setup", "skipped"), worker="gw1")
    assert followed.attempts.verdicts == {TEST: "skipped on gw1"}
    once = Followed()
    once.runs(report("call"))
    assert once.attempts.verdicts == {}


def test_nothing_is_retried_where_nobody_would() -> None:
    """The run ends: the failure is the verdict."""
    followed = Followed(retries=1, willing=False)
    assert followed.runs(report("call", "failed", text="no")) == [("call", "failed")]
    assert followed.attempts.past == {}


def test_a_lost_test_runs_again() -> None:
    """What it had reported is forgotten; it is told as an attempt, with the cause."""
    followed = Followed()
    crash = followed.crashes(Fate.PASSING, report("call"))
    assert crash.outcome == RERUN
    assert followed.asked == [(TEST, "")]
    assert followed.runs(report("call"), worker="gw1") == [("call", "passed")]
    (attempt,) = followed.attempts.past[TEST]
    assert (attempt.words, attempt.message) == ("lost with gw0", "It went.")


@pytest.mark.parametrize("fate", [Fate.OWN, Fate.LASTING, None])
def test_a_tests_own_crash_is_its_failure(fate: Fate | None) -> None:
    """As is a loss that nobody can explain, whatever may be retried."""
    followed = Followed(retries=3)
    assert followed.crashes(fate).outcome == "failed"
    assert followed.asked == []


def test_losses_are_bounded() -> None:
    """And do not use up what may be retried."""
    followed = Followed(retries=1)
    for _ in range(LOSSES):
        assert followed.crashes(Fate.PASSING).outcome == RERUN
    assert followed.runs(report("call", "failed", text="no"), worker="gw8") == [("call", RERUN)]
    assert followed.crashes(Fate.PASSING, worker="gw9").outcome == "failed"
    assert followed.attempts.verdicts == {TEST: "lost with gw9"}


def test_a_failure_before_the_crash_is_not_lost() -> None:
    """Its text stands below that of the crash."""
    crash = Followed().crashes(Fate.OWN, report("call", "failed", text="assert 1 == 2"))
    assert str(crash.longrepr).endswith("Before that, its call had failed:\nassert 1 == 2")


def test_another_plugin_may_have_had_it_run_again() -> None:
    """Its word stands, and nobody asks twice."""
    followed = Followed()
    crash = report("???", RERUN)
    followed.attempts.crashed(crash, "gw0", cause(Fate.PASSING))
    assert followed.asked == []


def test_how_far_a_test_has_come() -> None:
    """By the worker's own words: a test that runs again is begun again."""
    attempts = Followed().attempts
    stages = [attempts.stage("gw0", TEST)]
    for _ in range(2):
        attempts.begin("gw0", TEST)
        stages.append(attempts.stage("gw0", TEST))
        attempts.finish("gw0", whole=True)
        attempts.finish("gw0", whole=True)
        stages.append(attempts.stage("gw0", TEST))
    assert stages == [Stage.WAITING, Stage.BEGUN, Stage.OVER, Stage.BEGUN, Stage.OVER]
    assert attempts.stage("gw1", TEST) is Stage.WAITING
