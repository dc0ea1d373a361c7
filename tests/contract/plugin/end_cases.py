"""The end of a run, however it comes: what is told, the exit code, and the account; for engines that can be told."""

from __future__ import annotations

import json
import re
import signal
import sys
from typing import TYPE_CHECKING, Any

from paddock import run_accounts
from tests.contract.plugin.cases import GREEN, INTERRUPTED, SIX
from tests.contract.plugin.running import Interrupt
from tests.contract.plugin.subprocess_engine import GO_ON

if TYPE_CHECKING:
    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.running import Result, Run

END_CASES: list[Case] = []
HELD = "the engine holds in {}"
NOTICE = "the namespaces are being given back; interrupt again to leave them"
WAITING = "[gw0] now it waits"
LEFT = {"engine": {"left": {"gw1": "its finalizer stays"}}}


def case(function: Case) -> Case:
    """Add a case to the list."""
    END_CASES.append(function)
    return function


def account(result: Result) -> dict[str, Any]:
    """Return the account of the only run."""
    (found,) = (result.folder / "paddock-report").glob("*/account.json")
    return dict(json.loads(found.read_text(encoding="utf-8")))


def calls(result: Result) -> list[str]:
    """Return what the engine was asked, in order."""
    lines = (result.folder / "../engine.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["call"] for line in lines]


def holding(call: str) -> dict[str, dict[str, object]]:
    """Return faults of an engine that holds in one call."""
    return {"engine": {"holds": call}}


def looking(code: str) -> dict[str, dict[str, object]]:
    """Return faults of an engine after which ``code`` looks."""
    return {"engine": {"afterwards": [sys.executable, "-c", code]}}


HALF_MADE = re.compile(
    r"Exception ignored in: <function Channel\.__del__ .*?AttributeError: 'Channel' object has no attribute '\w+'\n",
    re.DOTALL,
)
"""What execnet says of a channel when a signal comes in the middle of making it; nothing of ours is in it."""


def is_orderly(result: Result) -> bool:
    """Whether nothing was told that only a defect would tell."""
    told = HALF_MADE.sub("", result.out + result.err)
    return not any(word in told for word in ("Traceback", "INTERNALERROR", "Exception ignored"))


# ---- the account


@case
def the_account_is_written_as_json(run: Run) -> None:
    """What was made, deleted and left, with the times of the release."""
    result = run("-n2", "--paddock-run-id=k7x2mq", files=GREEN)
    found = account(result)
    assert found["run"] == "k7x2mq"
    assert (found["created"], found["deleted"], found["left"]) == (["gw0", "gw1"], ["gw0", "gw1"], {})
    assert found["release"]["began"] <= found["release"]["ended"]
    assert found["verification"]["state"] == run_accounts.NONE


@case
def an_engine_hears_before_the_workers_leave_whether_all_passed(run: Run) -> None:
    """It may prepare for the end then; after a failure, what explains it has yet to be kept."""
    for files, passed in ((GREEN, True), (SIX, False)):
        result = run("-n2", *files, files=files)
        lines = (result.folder / "../engine.jsonl").read_text(encoding="utf-8").splitlines()
        told = [one.get("passed", one["call"]) for one in map(json.loads, lines) if one["call"] in {"hold", "release"}]
        assert told[-2:] == [passed, "release"], told


@case
def what_is_left_is_told_and_leaves_the_verdict(run: Run) -> None:
    """A failed clean-up never turns passed tests red and never goes unmentioned."""
    result = run("-n2", files=GREEN, faults=LEFT)
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert result.account == "created 2, deleted 1, left 1; gw1: its finalizer stays"
    assert account(result)["left"] == {"gw1": "its finalizer stays"}


@case
def a_release_that_fails_is_told_and_leaves_the_verdict(run: Run) -> None:
    """Nobody knows what is left, which is not the tests' fault: a line of its own, and all of it in the account."""
    result = run("-n1", files=GREEN, faults={"engine": {"release": "The cluster did not answer."}})
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert result.last_line == "paddock: the namespaces were not given back: The cluster did not answer."


@case
def what_is_left_is_an_error_where_none_may_be(run: Run) -> None:
    """With --paddock-require-clean the bit 8 is added to the code that the tests came to."""
    for files, faults, code in ((GREEN, {}, 0), (GREEN, LEFT, 8), (SIX, LEFT, 9)):
        result = run("-n2", "--paddock-require-clean", *files, files=files, faults=faults)
        assert result.code == code, result
        assert ("left 1; gw1: its finalizer stays" in result.last_line) == bool(faults), result


@case
def a_run_that_requires_it_waits_for_who_looks(run: Run) -> None:
    """What they see counts, both ways; that they cannot look is no proof of a clean end."""
    for said, code, told in (
        ('{"left": {}, "reason": ""}', 0, "left 0"),
        ('{"left": {"gw0": "a finalizer"}, "reason": ""}', 8, "left 1; gw0: a finalizer"),
        ('{"left": {}, "reason": "It is down."}', 8, "gw0: nobody could look whether it is gone: It is down."),
        ("no", 8, "gw0: nobody could look whether it is gone: who looked ended with exit code 0"),
    ):
        result = run("-n1", "--paddock-require-clean", files=GREEN, faults=looking(f"print({said!r})"))
        assert (result.code, told in result.last_line) == (code, True), result


@case
def who_looks_goes_on_behind_the_prompt(run: Run) -> None:
    """The run ends first; who looks has a session of its own, nothing of the terminal, and the lock while it lasts."""
    code = f"""
import os, pathlib, sys, time
end = time.monotonic() + 30
while not (pathlib.Path(os.environ["WITNESS"]) / "{GO_ON}").exists() and time.monotonic() < end: time.sleep(0.01)
seen = pathlib.Path(sys.argv[-1].partition("=")[2]) / "seen"
seen.write_text(f"{{os.getsid(0) == os.getpid()}} {{os.readlink('/proc/self/fd/1')}}")
"""
    result = run("-n1", "--paddock-run-id=k7x2mq", files=GREEN, faults=looking(code))
    folder = result.folder / "paddock-report" / "k7x2mq"
    assert (result.code, (folder / "seen").exists()) == (0, False), result
    assert account(result)["verification"]["state"] == run_accounts.ASKED
    (result.folder / "../witness" / GO_ON).touch()
    run_accounts.await_verified(folder)
    assert (folder / "seen").read_text(encoding="utf-8") == "True /dev/null"


@case
def the_next_run_tells_what_was_seen_behind_the_prompt(run: Run) -> None:
    """Once, by name and reason."""
    result = run("-n1", "--paddock-run-id=k7x2mq", files=GREEN, faults=looking("import os; os._exit(9)"))
    assert result.code == 0, result
    told = "nobody has seen whether the namespaces of the run k7x2mq are gone: who looked was ended"
    run_accounts.await_verified(result.folder / "paddock-report" / "k7x2mq")
    assert told in run("-n1", files=GREEN).out
    assert told not in run("-n1", files=GREEN).out


@case
def an_account_that_cannot_be_written_is_told(run: Run) -> None:
    """It never costs the run its verdict."""
    result = run("-n1", files={**GREEN, "paddock-report": "a file of the user's\n"})
    assert result.code == 0, result
    assert "the account could not be written to " in result.out


# ---- signals


@case
def one_signal_in_any_phase_gives_everything_back(run: Run) -> None:
    """Ctrl-C, SIGTERM and SIGHUP alike, while workers are begun, opened and at work: exit code 2, nothing left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for phase in ("begin", "open"):
            go_on = Interrupt(HELD.format(phase), touch=GO_ON)
            stop = Interrupt(HELD.format(phase), number)
            result = run("-n2", files=GREEN, faults=holding(phase), interrupts=[stop, go_on])
            assert result.code == 2, (number, phase, result)
            assert calls(result)[-1] == "release", (number, phase)
            assert result.account == "created 2, deleted 2, left 0", (number, phase, result)
            assert is_orderly(result), (number, phase, result)
        result = run("-n1", "-s", *INTERRUPTED, files=INTERRUPTED, interrupts=[Interrupt(WAITING, number)])
        assert result.code == 2, (number, result)
        assert "[gw0] fixture torn down" in result.err, (number, result)
        assert result.account == "created 1, deleted 1, left 0"
        assert is_orderly(result), (number, result)


@case
def one_signal_while_giving_back_only_tells_so(run: Run) -> None:
    """The tests have their verdict, and what gives back goes on."""
    stop = [Interrupt(HELD.format("release")), Interrupt(NOTICE, touch=GO_ON)]
    result = run("-n1", files=GREEN, faults=holding("release"), interrupts=stop)
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert result.account == "created 1, deleted 1, left 0"
    assert is_orderly(result), result


HANGING = {
    "test_h.py": """
        import sys, threading, pytest
        @pytest.fixture
        def hangs():
            yield
            print("now it tears down", file=sys.stderr, flush=True)
            threading.Event().wait(60)
        def test_long(hangs):
            print("now it waits", file=sys.stderr, flush=True)
            threading.Event().wait(60)
    """,
}


@case
def two_signals_leave_at_once_with_a_list(run: Run) -> None:
    """Whatever is going on: exit code 2, every namespace by its name, and the command that ends them."""
    at_release = HELD.format("release")
    for files, stops in (
        (GREEN, [Interrupt(at_release), Interrupt(NOTICE, signal.SIGTERM)]),
        (INTERRUPTED, [Interrupt(WAITING, signal.SIGTERM), Interrupt(at_release, signal.SIGHUP)]),
        (HANGING, [Interrupt(WAITING, signal.SIGHUP), Interrupt("[gw0] now it tears down")]),
    ):
        options = ("-n1", "-s", "--paddock-run-id=k7x2mq", *files)
        looks = {"engine": {**holding("release")["engine"], "afterwards": ["/bin/true"]}}
        result = run(*options, files=files, faults=looks, interrupts=stops)
        assert result.code == 2, result
        assert "interrupted twice; 1 namespaces are left" in result.out, result
        assert "paddock:   gw0\n" in result.out
        assert "'paddock reap --run k7x2mq' ends them" in result.out, result
        assert account(result)["left"] == {"gw0": "not ended yet"}
        assert is_orderly(result), result
        assert result.seconds < 45, result  # the engine would hold for 50, tests and fixtures for 60
