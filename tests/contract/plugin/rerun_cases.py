"""Tests that run more than once: lost, or retried; each has one verdict, and nothing is hidden."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.running import Result, Run

RERUN_CASES: list[Case] = []
PROJECT = {"pyproject.toml": "[tool.paddock]\nenv = ['WITNESS']\n"}
TIMES = """
    import os, pathlib, pytest

    def times(name):
        seen = pathlib.Path(os.environ["WITNESS"], name)
        workers = seen.read_text().split() if seen.exists() else []
        seen.write_text(" ".join([*workers, os.environ["PYTEST_XDIST_WORKER"]]))
        return len(workers)
"""
FLAKY = {
    **PROJECT,
    "test_flaky.py": TIMES + "\n    def test_flaky(): assert times('flaky') > 0\n    def test_a(): pass\n",
}
LOST = {
    **PROJECT,
    "test_lost.py": TIMES
    + """
    @pytest.mark.parametrize("n", range(6))
    @pytest.mark.xdist_group("one")
    def test_n(n):
        if n == 2 and times("lost") < int(os.environ.get("LOSSES", 1)):
            os._exit(9)
""",
}
TAKEN = {"cause": "Its pod was deleted, and not by this run.", "fate": "passing"}


def case(function: Case) -> Case:
    """Add a case to the list."""
    RERUN_CASES.append(function)
    return function


def entries(result: Result) -> dict[str, list[ET.Element]]:
    """Return what JUnit's file has of each test."""
    suite = ET.parse(result.folder / "junit.xml").getroot()[0]  # noqa: S314 - pytest wrote it
    found: dict[str, list[ET.Element]] = {}
    for one in suite.iter("testcase"):
        found.setdefault(str(one.get("name")), []).append(one)
    return found


def tags(entry: ET.Element) -> list[str]:
    """Return what stands in an entry, but for what a test has printed."""
    return [one.tag for one in entry if one.tag not in {"properties", "system-out", "system-err"}]


def lost(run: Run, *args: str, faults: Mapping[str, Mapping[str, object]], losses: int = 1) -> Result:
    """Return a run that loses a worker in a test."""
    files = {**LOST, "pyproject.toml": "[tool.paddock]\nenv = ['WITNESS', 'LOSSES']\n"}
    return run(*args, "--junitxml=junit.xml", files=files, faults=faults, environment={"LOSSES": str(losses)})


def a_lost_test_has_one_verdict(run: Run, mode: str) -> None:
    """It passes on another worker, the exit code is 0, and terminal and JUnit tell of the loss."""
    result = lost(run, "-n2", "--dist", mode, faults={"gw0": TAKEN, "gw1": TAKEN})
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert "test_lost.py::test_n[2] runs again on another worker" in result.out
    assert ", 1 rerun" in result.last_line_of_pytest
    found = entries(result)
    assert {name: len(ones) for name, ones in found.items()} == {f"test_n[{n}]": 1 for n in range(6)}
    assert tags(found["test_n[2]"][0]) == ["flakyError"]
    assert found["test_n[2]"][0][0].get("message") == TAKEN["cause"]


def a_flaky_test_has_one_verdict(run: Run, mode: str) -> None:
    """Failed and then passed is passed, on another worker, and marked as flaky."""
    result = run("-n2", "--dist", mode, "--paddock-retry=2", "--junitxml=junit.xml", files=FLAKY)
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    first, second = (result.folder.parent / "witness" / "flaky").read_text().split()
    assert first != second
    line = f"FLAKY test_flaky.py::test_flaky: failed on {first}, passed on {second}"
    assert result.out.count(line) == 1, result
    assert "assert 0 > 0" in result.out
    (entry,) = entries(result)["test_flaky"]
    assert tags(entry) == ["flakyFailure"]
    assert "assert 0 > 0" in str(entry[0].text)


@case
def a_test_that_is_lost_twice_is_a_failure(run: Run) -> None:
    """With both losses told, and the others run; no worker is left waiting for."""
    result = lost(run, "-n2", faults={f"gw{number}": TAKEN for number in range(4)}, losses=2)
    assert (result.code, result.counts) == (1, {"passed": 5, "failed": 1}), result
    (entry,) = entries(result)["test_n[2]"]
    assert sorted(tags(entry)) == ["error", "rerunError"]
    assert result.out.count("runs again on another worker") == 1
    assert result.out.count("crashed while running 'test_lost.py::test_n[2]'") >= 2


@case
def the_last_test_of_all_is_lost(run: Run) -> None:
    """Whoever replaces its worker has nothing to do but that test."""
    text = TIMES + "\n    def test_last(): times('last') or os._exit(9)\n"
    result = run("-n1", "-v", files={**PROJECT, "test_last.py": text}, faults={"gw0": TAKEN})
    assert (result.code, result.counts) == (0, {"passed": 1}), result
    assert "RERUN test_last.py::test_last" in result.out
    assert (result.folder.parent / "witness" / "last").read_text() == "gw0 gw1"


@case
def a_lost_test_that_nobody_can_run_again_is_no_success(run: Run) -> None:
    """Exit code 3, as for every test that never ran."""
    result = lost(run, "-n1", "--max-worker-restart=0", faults={"gw0": TAKEN})
    assert result.code == 3, result
    assert "test_lost.py::test_n[2]: lost with gw0, no verdict: the run ended before" in result.out


@case
def a_tests_own_crash_is_never_run_again(run: Run) -> None:
    """Neither by itself nor with --paddock-retry: it is a failure, told once."""
    result = lost(run, "-n2", "--paddock-retry=2", faults={})
    assert (result.code, result.counts) == (1, {"passed": 5, "failed": 1}), result
    (entry,) = entries(result)["test_n[2]"]
    assert tags(entry) == ["error"]
    assert "tests that ran again" not in result.out
    assert len((result.folder.parent / "witness" / "lost").read_text().split()) == 1


@case
def a_test_that_is_ended_by_its_limit_is_not_lost(run: Run) -> None:
    """Whatever the engine says of the worker that this run itself has ended."""
    text = "import time\ndef test_hangs(): time.sleep(100)\n"
    result = run("-n1", "--paddock-test-limit=1", files={"test_h.py": text}, faults={"gw0": TAKEN})
    assert (result.code, result.counts) == (1, {"failed": 1}), result


@case
def a_test_that_crashes_when_it_is_over_is_one_failure(run: Run) -> None:
    """Its call has passed and its tear-down takes the worker along: not one test passed and one failed."""
    text = """
        import os, pytest
        @pytest.fixture
        def fatal():
            yield
            os._exit(9)
        def test_fatal(fatal): pass
        def test_failing(fatal): assert 1 == 2
        def test_steady(): pass
    """
    result = run("-n2", "--junitxml=junit.xml", files={"test_over.py": text})
    assert (result.code, result.counts) == (1, {"failed": 2, "passed": 1}), result
    assert "Before that, its call had failed:" in result.out
    assert "assert 1 == 2" in result.out
    assert {name: len(ones) for name, ones in entries(result).items()} == {
        "test_fatal": 1,
        "test_failing": 1,
        "test_steady": 1,
    }


@case
def a_test_that_fails_to_the_end_is_one_failure(run: Run) -> None:
    """One failure in the count, every attempt in terminal and JUnit; other tests run once."""
    text = TIMES + "\n    def test_bad(): assert times('bad') < 0\n    def test_good(): assert times('good') == 0\n"
    result = run("-n2", "--paddock-retry=2", "--junitxml=junit.xml", files={**PROJECT, "test_bad.py": text})
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 1}), result
    assert ", 2 rerun" in result.last_line_of_pytest
    workers = (result.folder.parent / "witness" / "bad").read_text().split()
    assert len(workers) == 3
    assert all(one != other for one, other in pairwise(workers))
    (entry,) = entries(result)["test_bad"]
    assert sorted(tags(entry)) == ["failure", "rerunFailure", "rerunFailure"]
    told = ", ".join(f"failed on {worker}" for worker in workers)
    assert f"\ntest_bad.py::test_bad: {told}" in result.out


@case
def set_ups_and_tear_downs_are_retried(run: Run) -> None:
    """The test as a whole, with its fixtures: what passed of it counts no more than what failed."""
    text = (
        TIMES
        + """
    @pytest.fixture
    def before(): assert times("before") > 0
    @pytest.fixture
    def after():
        yield
        assert times("after") > 0
    def test_before(before): pass
    def test_after(after): pass
"""
    )
    result = run("-n2", "--paddock-retry=1", "--junitxml=junit.xml", files={**PROJECT, "test_fix.py": text})
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    assert {name: list(map(tags, ones)) for name, ones in entries(result).items()} == {
        "test_before": [["flakyError"]],
        "test_after": [["flakyError"]],
    }


@case
def only_verdicts_count_for_maxfail(run: Run) -> None:
    """-x goes on after a failure that another attempt follows, and ends at the one that is the last."""
    result = run("-n1", "-x", "--paddock-retry=1", files=FLAKY)
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    text = "def test_bad(): assert False\n"
    result = run("-n2", "-x", "--paddock-retry=1", files={"test_flaky.py": text})
    assert (result.code, result.counts) == (2, {"failed": 1}), result


@case
def a_flaky_test_is_not_last_failed(run: Run) -> None:
    """--lf has what failed in the end, and nothing else."""
    bad = "def test_bad(): assert False\n"
    result = run("-n2", "--paddock-retry=1", files={**FLAKY, "test_bad.py": bad})
    assert (result.code, result.counts) == (1, {"passed": 2, "failed": 1}), result
    result = run("-n2", "-v", "--lf", "--paddock-retry=1")
    assert {node_id for _, node_id in result.ran} == {"test_bad.py::test_bad"}, result


@case
def attempts_are_shown_while_they_come(run: Run) -> None:
    """As pytest-rerunfailures shows them: R, and RERUN with -v; the history has the time of one attempt."""
    result = run("-n1", "-v", "--paddock-retry=1", files=FLAKY)
    assert "RERUN test_flaky.py::test_flaky" in result.out, result
    assert result.out.count("PASSED test_flaky.py::test_flaky") == 1
    result = run("-n1", "--color=no", "--paddock-retry=1", files={"test_flaky.py": "def test_bad(): assert False\n"})
    assert "\nRF " in result.out, result
    assert "tests run on" not in result.out


@case
def a_plugin_that_hears_of_a_crash_finds_what_it_looks_for(run: Run) -> None:
    """As pytest-rerunfailures does: its data on the configuration, by way of the scheduler."""
    conftest = """
        def pytest_configure(config):
            config.crashes = set()
        def pytest_handlecrashitem(crashitem, report, sched):
            if crashitem not in sched.config.crashes:
                sched.config.crashes.add(crashitem)
                sched.mark_test_pending(crashitem)
                report.outcome = "rerun"
    """
    result = run("-n2", files={**LOST, "conftest.py": conftest})
    assert (result.code, result.counts) == (0, {"passed": 6}), result
