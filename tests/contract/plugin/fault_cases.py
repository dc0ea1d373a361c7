"""What a run makes of an engine in trouble: cases for engines that can be told what shall go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.plugin.cases import DISTRIBUTIONS, GREEN, INTERRUPTED, SIX
from tests.contract.plugin.running import Interrupt

if TYPE_CHECKING:
    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.running import Run

FAULT_CASES: list[Case] = []


def case(function: Case) -> Case:
    """Add a case to the list."""
    FAULT_CASES.append(function)
    return function


@case
def one_worker_never_comes(run: Run) -> None:
    """The others run all tests: a warning with the reason, exit code 0, in every distribution."""
    for mode in DISTRIBUTIONS:
        result = run("-n2", "--dist", mode, files=GREEN, faults={"gw1": {"never": "no node has room for gw1"}})
        assert (result.code, result.counts) == (0, {"passed": 6}), (mode, result)
        assert result.out.count("worker gw1 never came: no node has room for gw1") == 1, (mode, result)


@case
def a_cause_is_told_once(run: Run) -> None:
    """What the engine says of a lost worker is not added to a reason that says it already."""
    reason = "the worker process exited with code 9"
    result = run("-n2", files=GREEN, faults={"gw1": {"never": f"its pod cannot run: {reason}", "cause": reason}})
    assert result.code == 0, result
    assert result.out.count(reason) == 1, result


@case
def no_worker_ever_comes(run: Run) -> None:
    """Exit code 3, one reason told once, a readable end and no traceback."""
    faults = {f"gw{number}": {"never": f"no node has room for gw{number}"} for number in range(3)}
    result = run("-n3", files=GREEN, faults=faults)
    assert result.code == 3, result
    assert result.out.count("no node has room") == 1, result
    assert result.out.count("never came: for the same reason as") == 2
    assert "No worker is left to run tests." in result.out
    assert "Traceback" not in result.out + result.err
    assert result.last_line.startswith("paddock: namespaces: ")


@case
def a_slow_worker_holds_nobody(run: Run) -> None:
    """Tests begin without it, and the end does not wait for it."""
    result = run("-n2", files=GREEN, faults={"gw1": {"after": 50}})
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert "paddock: tests begin on 1 of 2 workers" in result.out
    assert result.seconds < 30


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


@case
def a_release_that_fails_is_exit_code_3(run: Run) -> None:
    """Tests passed, but nobody knows what is left: never exit code 0."""
    result = run("-n1", files=GREEN, faults={"engine": {"release": "The cluster did not answer."}})
    assert result.code == 3, result
    assert result.last_line == "paddock: the namespaces were not given back: The cluster did not answer."


@case
def everything_is_begun_once_and_released_once(run: Run) -> None:
    """Whatever happens to workers, the engine is begun and released exactly once, and released last."""
    result = run("-n2", files=SIX)
    calls = [line.split('"')[3] for line in (result.folder / "../engine.jsonl").read_text().splitlines()]
    assert calls[:2] == ["create", "begin"]
    assert (calls.count("begin"), calls.count("release")) == (1, 1)
    assert calls[-1] == "release"
