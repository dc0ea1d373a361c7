"""What a run makes of an engine in trouble: cases for engines that can be told what shall go wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from tests.contract.plugin.cases import DISTRIBUTIONS, GREEN, INTERRUPTED, SIX
from tests.contract.plugin.running import Interrupt

if TYPE_CHECKING:
    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.running import Result, Run

FAULT_CASES: list[Case] = []
NO_HISTORY = ("--paddock-history=/dev/null",)


def case(function: Case) -> Case:
    """Add a case to the list."""
    FAULT_CASES.append(function)
    return function


@case
def one_worker_never_comes(run: Run) -> None:
    """The others run all tests: a warning with the reason, exit code 0, in every distribution."""
    for mode in DISTRIBUTIONS:
        faults = {"gw1": {"never": "no node has room for gw1"}}
        result = run("-n2", "--dist", mode, *NO_HISTORY, files=GREEN, faults=faults)
        assert (result.code, result.counts) == (0, {"passed": 6}), (mode, result)
        assert result.out.count("worker gw1 never came: no node has room for gw1") == 1, (mode, result)


@case
def a_cause_is_told_once(run: Run) -> None:
    """What the engine says of a lost worker is not added to a reason that says it already."""
    reason = "Its process exited with code 9."
    result = run("-n2", files=GREEN, faults={"gw1": {"never": f"Its pod cannot run. {reason}", "cause": reason}})
    assert result.code == 0, result
    assert result.out.count(reason) == 1, result


@case
def no_worker_ever_comes(run: Run) -> None:
    """Exit code 3, one reason told once with the names of all, a readable end and no traceback."""
    faults = {f"gw{number}": {"never": f"no node has room for gw{number}"} for number in range(3)}
    result = run("-n3", files=GREEN, faults=faults)
    assert result.code == 3, result
    assert result.out.count("no node has room") == 1, result
    assert "paddock: workers gw0, gw1, gw2 never came: no node has room for gw" in result.out
    assert "No worker is left to run tests." in result.out
    assert "Traceback" not in result.out + result.err
    assert result.account


@case
def a_slow_worker_holds_nobody(run: Run) -> None:
    """Tests begin without it, and the end does not wait for it."""
    text = "import time, pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_n(n): time.sleep(0.5)\n"
    result = run("-n2", files={"test_slow.py": text}, faults={"gw1": {"after": 50}})
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert "paddock: tests run on 1 of 2 workers so far" in result.out
    assert result.seconds < 30


HELD = {f"gw{number}": {"after": 50, "held": f"No node has room for {number // 3}."} for number in (1, 2, 3)}


@case
def workers_without_room_are_told_and_hold_up_nobody(run: Run) -> None:
    """How many run and why; neither the first test, nor the end, -x, --maxfail or Ctrl-C wait for the others."""
    text = "import time, pytest\n@pytest.mark.parametrize('n', range(14))\ndef test_n(n): time.sleep(0.5)\n"
    result = run("-n4", *NO_HISTORY, files={"test_slow.py": text}, faults=HELD)
    assert (result.code, result.counts) == (0, {"passed": 14}), result
    assert (
        "paddock: tests run on 1 of 4 workers so far; gw1 and gw2 wait, holding up nobody: No node has room for 0. "
        "Make room.; gw3 waits, holding up nobody: No node has room for 1. Make room.\n"
    ) in result.out
    for option, failed in (("-x", 1), ("--maxfail=2", 2)):
        files = {"test_slow.py": "import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test(n): assert n > 1\n"}
        result = run("-n4", option, *NO_HISTORY, files=files, faults=HELD)
        assert (result.code, result.counts["failed"]) == (2, failed), result
    stop = [Interrupt("[gw0] now it waits")]
    interrupted = run("-n4", "-s", *NO_HISTORY, files=INTERRUPTED, faults=HELD, interrupts=stop)
    assert interrupted.code == 2, interrupted
    assert max(one.seconds for one in (result, interrupted)) < 30


@case
def workers_without_room_are_told_of_short_runs_too(run: Run) -> None:
    """The first test waits for none of them, and the end tells of them."""
    result = run("-n2", *NO_HISTORY, files=GREEN, faults={"gw1": HELD["gw1"]})
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert result.out.count("tests ran on 1 of 2 workers; gw1 waits, holding up nobody: No node has room for 0.") == 1
    assert "workers so far" not in result.out


@case
def a_conftest_may_read_what_every_worker_said(run: Run) -> None:
    """One that takes a value of its own from each worker's output does not fail over a worker that never had one."""
    conftest = """
        def pytest_sessionfinish(session):
            if hasattr(session.config, "workeroutput"):
                session.config.workeroutput["said"] = 42
        def pytest_testnodedown(node, error):
            print("heard", node.workeroutput["said"])
    """
    for fault in ({"after": 50}, {"never": "no node has room for gw1"}):
        result = run("-n2", files={**GREEN, "conftest.py": conftest}, faults={"gw1": fault})
        assert (result.code, result.counts) == (0, {"passed": 6}), (fault, result)
        assert result.out.count("heard 42") == 1, (fault, result)


@case
def workers_that_have_all_come_begin_together(run: Run) -> None:
    """What the others have said already counts, even while the run is still busy with the first of them."""
    conftest = """
        import os, pathlib, time, pytest
        WITNESS = pathlib.Path(os.environ["WITNESS"])
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(session):
            if hasattr(session.config, "workerinput"):
                (WITNESS / session.config.workerinput["workerid"]).touch()
        def pytest_testnodeready():
            end = time.monotonic() + 20
            while len(list(WITNESS.iterdir())) < 2 and time.monotonic() < end:
                pass
    """
    files = {**GREEN, "conftest.py": conftest, "pyproject.toml": "[tool.paddock]\nenv = ['WITNESS']\n"}
    result = run("-n2", files=files)
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert "2 workers [6 items]" in result.out, result


@case
def a_late_worker_joins(run: Run) -> None:
    """A worker that comes while tests run gets some of them."""
    text = """
        import os, pathlib, time, pytest
        WITNESS = pathlib.Path(os.environ["WITNESS"], os.environ["MODE"])
        @pytest.mark.parametrize("n", range(8))
        def test_n(n):
            WITNESS.mkdir(exist_ok=True)
            (WITNESS / os.environ["PYTEST_XDIST_WORKER"]).touch()
            end = time.monotonic() + 30
            while not (WITNESS / "gw1").exists() and time.monotonic() < end:
                time.sleep(0.01)
            assert (WITNESS / "gw1").exists()
    """
    for mode in ("load", "worksteal"):
        args = ("-n2", "--dist", mode, "-v", "--paddock-env=WITNESS", "--paddock-env=MODE")
        environment = {"MODE": mode}
        result = run(*args, files={"test_n.py": text}, faults={"gw1": {"after": 3}}, environment=environment)
        assert (result.code, result.counts) == (0, {"passed": 8}), (mode, result)
        assert {worker for worker, _ in result.ran} == {"gw0", "gw1"}


@case
def x_does_not_wait_for_a_starting_worker(run: Run) -> None:
    """-x ends although a worker is still coming."""
    result = run("-n2", "-x", files=SIX, faults={"gw1": {"after": 50}})
    assert result.code == 2, result
    assert result.seconds < 30


@case
def an_interrupt_does_not_wait_for_a_starting_worker(run: Run) -> None:
    """Ctrl-C ends although a worker is still coming."""
    stop = [Interrupt("[gw0] now it waits")]
    result = run("-n2", "-s", files=INTERRUPTED, faults={"gw1": {"after": 50}}, interrupts=stop)
    assert result.code == 2, result
    assert result.seconds < 30


@case
def the_replacement_never_comes(run: Run) -> None:
    """The only worker crashes and no other can be had: exit code 3 with the tests that never ran."""
    text = "import os, pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_n(n):\n    n == 1 and os._exit(9)\n"
    result = run("-n1", files={"test_c.py": text}, faults={"gw1": {"never": "no node has room"}})
    assert result.code == 3, result
    assert "2 of 4 collected tests never ran:" in result.out, result
    assert result.counts == {"failed": 1, "passed": 1}


@case
def the_replacement_is_not_needed(run: Run) -> None:
    """A crash in the last test of all: nobody waits for the fresh worker."""
    text = "import os\ndef test_last(): os._exit(9)\n"
    result = run("-n1", files={"test_c.py": text}, faults={"gw1": {"after": 50}})
    assert (result.code, result.counts) == (1, {"failed": 1}), result
    assert result.seconds < 30


@case
def an_engine_that_cannot_be_made_is_exit_code_3(run: Run) -> None:
    """One paragraph, no traceback, and nothing to give back."""
    result = run("-n2", files=GREEN, faults={"engine": {"create": "The cluster did not answer: start it."}})
    assert result.code == 3, result
    assert "paddock: The cluster did not answer: start it." in result.err
    assert "Traceback" not in result.out + result.err


def preserved(run: Run, *args: str, **given: Any) -> tuple[Result, dict[str, dict[str, str]]]:
    """Return a run's result, and what the engine was told to keep of each worker."""
    result = run(*args, **given)
    told: dict[str, dict[str, str]] = {}
    for call in map(json.loads, (result.folder / "../engine.jsonl").read_text().splitlines()):
        if call["call"] == "preserve":
            told.setdefault(call["worker"], {}).update(call["told"])
    return result, told


@case
def nothing_is_kept_of_a_run_that_passes(run: Run) -> None:
    """Not even asked for."""
    result, told = preserved(run, "-n2", files=GREEN)
    assert (result.code, told) == (0, {}), result
    assert {place.name for place in (result.folder / "paddock-report").glob("*/[!.]*")} == {"account.json"}


@case
def evidence_of_failing_tests_is_kept_and_its_place_told(run: Run) -> None:
    """Of the worker that ran them, whatever ended the run; before its namespaces are given back."""
    files = {"test_a.py": "def test_a():\n    assert 1 == 2\ndef test_b(): pass\n"}
    place = {"engine": {"preserved": "evidence of gw0: /somewhere"}}
    for option in ("-v", "-x"):
        result, told = preserved(run, "-n1", option, files=files, faults=place)
        assert result.code == 1 if option == "-v" else 2, result
        assert "test_a.py::test_a (call)" in told["gw0"]["failures.txt"]
        assert "assert 1 == 2" in told["gw0"]["failures.txt"]
        assert result.out.splitlines()[-2] == "paddock: evidence of gw0: /somewhere", result


@case
def evidence_of_lost_workers_is_kept(run: Run) -> None:
    """One that never came and one that crashed, each with its cause."""
    text = "import os\ndef test_last(): os._exit(9)\n"
    faults = {"gw1": {"never": "no node has room"}, "gw2": {"never": "no node has room"}}
    result, told = preserved(run, "-n2", files={"test_c.py": text}, faults=faults)
    assert result.code == 1, result
    assert "exited with code 9" in told["gw0"]["cause.txt"], told
    assert "worker 'gw0' crashed while running 'test_c.py::test_last'" in told["gw0"]["failures.txt"]
    assert "no node has room" in told["gw1"]["cause.txt"], told


HANGS = """
import ctypes, pytest
def hang():
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)
@pytest.mark.parametrize("n", range(3))
def test_n(n):
    n == 1 and hang()
"""


@case
def a_test_that_hangs_is_ended_by_its_limit_with_its_stacks(run: Run) -> None:
    """Whatever it is stuck in: terminal, JUnit and evidence say where, a fresh worker runs the rest."""
    args = ("-n1", "--paddock-test-limit=3", "--junitxml=junit.xml")
    result, told = preserved(run, *args, files={"test_hangs.py": HANGS})
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 2}), result
    junit = (result.folder / "junit.xml").read_text()
    for text in (result.out, junit):
        assert (
            "The test took longer than 3 s, the limit of --paddock-test-limit, and its worker was ended here:" in text
        )
        assert text.index("in hang") < text.index("in test_n")
    assert "… called by pytest" in result.out
    assert "in pytest_pyfunc_call" in told["gw0"]["stacks.txt"]
    assert "3 s" in told["gw0"]["failures.txt"]


@case
def an_interrupted_test_that_does_not_end_is_told_with_its_stacks(run: Run) -> None:
    """Once the grace has passed; it is kept as well."""
    text = HANGS.replace("n == 1 and", "import sys; print('[gw0] now it waits', file=sys.stderr);")
    stop = [Interrupt("[gw0] now it waits")]
    result, told = preserved(run, "-n1", "-s", "--paddock-grace=1", files={"test_hangs.py": text}, interrupts=stop)
    assert result.code == 2, result
    assert "gw0 does not end: it is still in test_hangs.py::test_n[0] here:" in result.out, result
    assert result.out.index("in hang") < result.out.index("in test_n")
    assert "in hang" in told["gw0"]["stacks.txt"]
    assert result.seconds < 40


@case
def a_second_interrupt_tells_where_tests_were_at_the_first(run: Run) -> None:
    """Nobody who presses it twice waits for the grace."""
    text = """
        import sys, time
        def stubborn(begin):
            while True:
                try:
                    print("[gw0] now it waits" if begin else "[gw0] it goes on", file=sys.stderr) or time.sleep(60)
                except KeyboardInterrupt:
                    begin = False
        def test_stubborn():
            stubborn(True)
    """
    stop = [Interrupt("[gw0] now it waits"), Interrupt("[gw0] it goes on")]
    result = run("-n1", "-s", "--paddock-grace=50", files={"test_stubborn.py": text}, interrupts=stop)
    assert result.code == 2, result
    assert "gw0 does not end: it is still in test_stubborn.py::test_stubborn here:" in result.out, result
    # Print and sleep share a line: the interrupt may come before print has returned.
    assert "line 6 in stubborn" in result.out
    assert result.seconds < 40


@case
def evidence_that_cannot_be_kept_changes_no_verdict(run: Run) -> None:
    """It is a line, and the tests count."""
    sentence = "evidence of gw0 was not kept: No space left on device: /somewhere"
    result = run("-n1", files=SIX, faults={"engine": {"preserved": sentence}})
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 5}), result
    assert f"paddock: {sentence}" in result.out


@case
def evidence_can_be_switched_off_or_wanted_of_all(run: Run) -> None:
    """By an option as any other."""
    files = {"test_a.py": "def test_a(): assert False\n"}
    _, told = preserved(run, "-n1", "--paddock-evidence=none", files=files)
    assert told == {}
    _, told = preserved(run, "-n2", "--paddock-evidence=all", *NO_HISTORY, files=GREEN)
    assert told.keys() == {"gw0", "gw1"}


@case
def everything_is_begun_once_and_released_once(run: Run) -> None:
    """Whatever happens to workers, the engine is begun and released exactly once, and released last."""
    result = run("-n2", files=SIX)
    calls = [line.split('"')[3] for line in (result.folder / "../engine.jsonl").read_text().splitlines()]
    assert calls[:2] == ["create", "begin"]
    assert (calls.count("begin"), calls.count("release")) == (1, 1)
    assert calls[-1] == "release"


@case
def a_worker_that_the_infrastructure_failed_is_replaced(run: Run) -> None:
    """It never came, for a reason that passes: another one comes in its place after a pause, and does tests."""
    fault = {"never": "Its pod was evicted.", "cause": "Its pod was evicted.", "fate": "passing"}
    result = run("-n1", "-v", files=GREEN, faults={"gw0": fault})
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert "paddock: gw1 takes the place of gw0 in 1 s" in result.out
    assert {worker for worker, _ in result.ran} == {"gw1"}


@case
def a_place_that_nobody_comes_to_is_given_up(run: Run) -> None:
    """A passing reason that does not pass: three workers at most, each after a longer pause, then exit code 3."""
    fault = {"never": "Its pod was evicted.", "cause": "Its pod was evicted.", "fate": "passing"}
    result = run("-n1", files=GREEN, faults={f"gw{number}": fault for number in range(9)})
    assert result.code == 3, result
    taken = re.findall(r"(gw\d) takes the place of (gw\d) in (\d+) s", result.out)
    assert taken == [("gw1", "gw0", "1"), ("gw2", "gw1", "2")]
    assert result.out.count("Its pod was evicted") == 1, result


@case
def no_restarts_means_none(run: Run) -> None:
    """--max-worker-restart=0 holds for workers that never came as well."""
    fault = {"never": "Its pod was evicted.", "cause": "Its pod was evicted.", "fate": "passing"}
    result = run("-n2", "--max-worker-restart=0", files=GREEN, faults={"gw1": fault})
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert "takes the place" not in result.out


@case
def a_crash_whose_cause_lasts_is_not_replaced(run: Run) -> None:
    """What would end the next one too is not tried again: the crashed test is told, the others never ran."""
    text = "import os, pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_n(n):\n    n == 1 and os._exit(9)\n"
    fault = {"cause": "Its time was over.", "fate": "lasting"}
    result = run("-n1", files={"test_c.py": text}, faults={"gw0": fault})
    assert result.code == 3, result
    assert "paddock: gw0 was lost while it ran test_c.py::test_n[1]: Its time was over. Mend it." in result.out
    assert "gw0, whose place it was to take, is not replaced: its cause does not pass by itself." in result.out
    assert "2 of 4 collected tests never ran:" in result.out
    calls = [json.loads(line) for line in (result.folder / "../engine.jsonl").read_text().splitlines()]
    assert [call["worker"] for call in calls if call["call"] == "open"] == ["gw0"]


@case
def junitxml_holds_the_causes(run: Run) -> None:
    """The crashed test has its worker and the cause as properties and in its text; the suite has every lost worker."""
    text = "import os, pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_n(n):\n    n == 1 and os._exit(9)\n"
    fault = {"never": "No node has room.", "cause": "No node has room."}
    result = run("-n2", "--junitxml=report.xml", files={"test_c.py": text}, faults={"gw1": fault})
    assert result.code == 1, result
    suite = ET.parse(result.folder / "report.xml").getroot()[0]  # noqa: S314 - pytest wrote it
    told = {one.get("name"): one.get("value") for one in suite.findall("properties/property")}
    assert told["paddock-lost-gw1"] == "fault: No node has room. Mend it."
    assert str(told["paddock-lost-gw0"]).startswith("exit: Its process exited with code 9. ")
    crashed = next(one for one in suite.iter("testcase") if one.get("name") == "test_n[1]")
    properties = {one.get("name"): str(one.get("value")) for one in crashed.findall("properties/property")}
    assert (properties["paddock-worker"], properties["paddock-cause"]) == ("gw0", "exit")
    assert properties["paddock-cause-words"] in str(crashed.findtext("error"))
