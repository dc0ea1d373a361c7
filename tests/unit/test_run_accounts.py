"""The account of a run as a file: first what was asked for, then what was seen, and what the next run tells of it."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from paddock import run_accounts
from paddock.report_folder import ReportFolder
from paddock.specs import Account

if TYPE_CHECKING:
    from pathlib import Path

RUN = "k7x2mq"
BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ASKED = Account(created=["a", "b"], deleted=["a"], left={"b": "forbidden"}, notes=["artifacts: 1 file"])


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """The folder of all reports."""
    return tmp_path / "paddock-report"


def asked() -> dict[str, Any]:
    return run_accounts.looking(run_accounts.first(RUN, ASKED, BEGAN))


def write(reports: Path, account: dict[str, Any]) -> Path:
    """Write an account and return the run's folder."""
    run_accounts.write(ReportFolder(reports, RUN), account)
    return reports / RUN


def test_the_first_account_says_what_was_asked_for_and_when() -> None:
    """Nobody has looked; what is told to people only is not in it."""
    account = run_accounts.first(RUN, ASKED, BEGAN)
    assert account["release"]["began"] == "2026-03-01T12:00:00.000Z"
    assert account["release"]["seconds"] >= 0
    assert {name: account[name] for name in ("run", "created", "deleted", "left")} == {
        "run": RUN,
        "created": ["a", "b"],
        "deleted": ["a"],
        "left": {"b": "forbidden"},
    }
    assert account["verification"]["state"] == run_accounts.NONE
    assert "notes" not in account
    assert json.loads(json.dumps(account)) == account


def test_what_was_seen_replaces_what_was_asked_for() -> None:
    """Something that went after all is deleted, something that stays is left."""
    account = run_accounts.seen(asked(), {"a": "a finalizer"})
    assert (account["deleted"], account["left"]) == (["b"], {"a": "a finalizer"})
    assert account["verification"]["state"] == run_accounts.DONE
    assert account["verification"]["ended"] >= account["verification"]["began"]


def test_where_nobody_could_look_the_first_account_stands() -> None:
    """And says why."""
    account = run_accounts.seen(asked(), {}, "It did not answer.")
    assert (account["left"], account["verification"]["state"]) == ({"b": "forbidden"}, run_accounts.FAILED)
    assert account["verification"]["reason"] == "It did not answer."


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        (run_accounts.seen(asked(), {"a": "a finalizer"}), f"the run {RUN} left 1 of its namespaces: a: a finalizer."),
        (run_accounts.seen(asked(), {}, "It is down."), "are gone: It is down."),
        (asked(), "are gone: who looked was ended."),
    ],
    ids=["left", "failed", "ended"],
)
def test_what_was_seen_behind_the_prompt_is_told_once(reports: Path, account: dict[str, Any], sentence: str) -> None:
    """By the next run, which is the first that has a terminal."""
    write(reports, account)
    (told,) = run_accounts.untold(reports)
    assert sentence in told
    assert RUN in told
    assert run_accounts.untold(reports) == []


def test_nothing_is_told_of_a_clean_end_nor_while_somebody_looks(reports: Path) -> None:
    """A lock tells the latter: it goes with the process, however that ends."""
    folder = write(reports, asked())
    with run_accounts.locked(folder):
        assert run_accounts.untold(reports) == []
    write(reports, run_accounts.seen(asked(), {}))
    assert run_accounts.untold(reports) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run": "x"}', "\x00"])
def test_a_file_that_is_no_account_is_passed_over(reports: Path, text: str) -> None:
    """It lies in the user's folder, and anybody may have written it."""
    ReportFolder(reports, RUN).write("account.json", text)
    assert run_accounts.untold(reports) == []
    assert run_accounts.read(reports / RUN) is None


def test_without_any_report_nothing_is_told(reports: Path) -> None:
    """The first run of a project."""
    assert run_accounts.untold(reports) == []


def test_whoever_waits_goes_on_when_nobody_looks_any_more(reports: Path) -> None:
    """And at once where there is nothing to wait for."""
    folder, waited = write(reports, asked()), threading.Event()

    def wait() -> None:
        run_accounts.await_verified(folder)
        waited.set()

    with run_accounts.locked(folder):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not waited.wait(0.05)
    thread.join()
    assert waited.is_set()
    run_accounts.await_verified(reports / "never")
