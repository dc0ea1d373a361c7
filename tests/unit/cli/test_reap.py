"""Which runs ``paddock reap`` ends, where something is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from paddock.cli import main
from paddock.engines import preparation
from paddock.namespaces import expiry
from tests.unit.namespaces.api_server import ApiServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """A cluster with a run that is kept for a minute."""
    found = ApiServer()
    found.namespace("aa", "gw0")
    found.reserved("aa", f"{expiry.KEPT}me@here", expiry.stamp(found.now + timedelta(seconds=60)))
    monkeypatch.setattr(preparation, "reachable_cluster", lambda *_: found)
    return found


def test_nox_leaves_what_is_kept(server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Until its time is over; a run that is led, or that is not there, is ended as ever."""
    nox = ["reap", "--run", "aa", "--wait", "0", "--except-kept"]
    assert main.main(nox) == 0
    assert capsys.readouterr().out == "paddock: run aa: kept until 2026-01-02 03:05:05 UTC\n"
    assert server.namespaces
    server.now += timedelta(seconds=60)
    assert main.main(nox) == 0
    assert not server.namespaces
    assert main.main(["reap", "--run", "bb", "--wait", "0", "--except-kept"]) == 0
    server.record("cc", "me@here/1/2/3")
    server.namespace("cc", "gw0")
    assert main.main(["reap", "--run", "cc", "--wait", "0", "--except-kept"]) == 0
    assert not server.namespaces


def test_a_person_ends_what_is_kept(server: ApiServer) -> None:
    """By the command that the run has printed."""
    assert main.main(["reap", "--run", "aa", "--wait", "0"]) == 0
    assert not server.namespaces


def test_what_is_over_is_named_as_such(server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody was to lead it."""
    server.now += timedelta(seconds=60)
    assert main.main(["reap", "--dry-run"]) == 0
    assert capsys.readouterr().out == "paddock: run aa: its time is over; the last was kept/me@here\n"
    assert server.namespaces
