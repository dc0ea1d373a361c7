"""Which runs ``paddock down`` ends."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from paddock.cli import main, reaching
from paddock.engines.preparation import has_gone, holder
from paddock.namespaces import inventory, pool, release
from paddock.specs import Account
from tests.unit.cli.inspected import run, worker

LED = holder()
GONE = LED.replace(f"/{os.getpid()}/", f"/{2**22 + 1}/")
"""One more than the greatest process id that Linux gives."""
FAR = LED.rpartition("/")[0].rpartition("/")[0] + "/0badcafe/1"
REUSED = LED + "0"
"""The same process id, begun at another time."""


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A cluster with a run that is led, one that is not, and one that nobody recorded; returns which were ended."""
    calls: list[str] = []

    def reap(_cluster: object, run_id: str, *, seconds: float) -> Account:
        calls.append(run_id)
        assert seconds == 60
        left = {"paddock-cccccc-gw0": "no run cccccc is recorded"} if run_id == "cccccc" else {}
        return Account(created=[f"paddock-{run_id}-gw0"], deleted=[], left=left)

    runs = [run("aaaaaa", worker("gw0"), holder=LED), run("bbbbbb", holder=GONE), run("cccccc", holder="")]
    monkeypatch.setattr(reaching, "reach", lambda _arguments: object())
    monkeypatch.setattr(inventory, "read", lambda _cluster: runs)
    monkeypatch.setattr(release, "reap", reap)
    monkeypatch.setattr(pool, "known_as", lambda _cluster, run_id: run_id)
    return calls


def test_only_runs_without_a_leader_are_ended(ended: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A run under way in another terminal stays; what is left is told and is exit code 3."""
    assert main.main(["down"]) == 3
    assert ended == ["bbbbbb", "cccccc"]
    assert capsys.readouterr().out.splitlines() == [
        "run bbbbbb: namespaces: found 1, left 0",
        "run cccccc: namespaces: found 1, left 1; paddock-cccccc-gw0: no run cccccc is recorded",
        f"run aaaaaa: led by {LED}, so it stays; 'paddock down aaaaaa' ends it",
    ]


def test_a_run_that_is_kept_stays_until_its_time_is_over(
    ended: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is told with the time it has left."""
    runs = [run("aaaaaa", holder="kept/me", left=600), run("bbbbbb", holder="kept/me", left=-1)]
    monkeypatch.setattr(inventory, "read", lambda _cluster: runs)
    assert main.main(["down"]) == 0
    assert ended == ["bbbbbb"]
    assert "run aaaaaa: kept for another 10m, so it stays; 'paddock down aaaaaa' ends it" in capsys.readouterr().out
    assert main.main(["down", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["led"] == [{"run": "aaaaaa", "holder": "kept/me", "left": 600}]


def test_a_run_that_is_named_is_ended(ended: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever leads it: that is what was asked for."""
    assert main.main(["down", "aaaaaa", "--json"]) == 0
    assert ended == ["aaaaaa"]
    assert json.loads(capsys.readouterr().out) == {
        "ended": [{"run": "aaaaaa", "found": ["paddock-aaaaaa-gw0"], "left": {}}],
        "led": [],
    }


def test_nothing_left_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also while the node is down, which is not started for it."""
    monkeypatch.setattr(reaching, "reach", lambda _arguments: None)
    assert main.main(["down"]) == 0
    assert capsys.readouterr().out == "nothing was left\n"


@pytest.mark.parametrize(
    ("recorded", "gone"),
    [(LED, False), (GONE, True), (REUSED, True), (FAR, False), ("", False), ("nobody", False), ("a@b/1", False)],
    ids=["led", "gone", "reused", "far", "empty", "nobody", "strange"],  # the values differ between xdist's workers
)
def test_only_a_process_of_this_machine_is_known_to_be_gone(recorded: Any, gone: bool) -> None:  # noqa: FBT001 - a pytest parameter
    """A run of another machine, or of an earlier boot, is never taken for abandoned from here, whatever its name."""
    assert has_gone(recorded) is gone
