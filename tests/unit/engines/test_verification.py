"""Who looks behind the prompt: it says and writes what it has seen, and deletes only what it is told to."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock import run_accounts
from paddock.engines import leftovers, preparation, verification
from paddock.engines.request import RunRequest
from paddock.errors import ClusterUnreachable
from paddock.namespaces import release
from paddock.report_folder import ReportFolder
from paddock.specs import Account

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN = "k7x2mq"
ASKED = Account(created=["a", "b", "c"], deleted=["a", "b"], left={"c": "forbidden"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder with an account that nobody has completed."""
    account = run_accounts.looking(run_accounts.first(RUN, ASKED, datetime.now(UTC)))
    run_accounts.write(ReportFolder(tmp_path / "reports", RUN), account)
    return tmp_path / "reports" / RUN


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the cluster would answer: ``going`` to who looks, ``reaped`` to who deletes; and what was ``asked``."""
    found: dict[str, Any] = {"there": "a cluster", "going": {}, "reaped": {}, "asked": []}

    def look(_cluster: object, run: str, seconds: float) -> dict[str, str]:
        found["asked"].append(("look", run, seconds))
        if isinstance(found["going"], Exception):
            raise found["going"]
        return dict(found["going"])

    def reap(_cluster: object, run: str, *, seconds: float) -> Account:
        found["asked"].append(("reap", run, seconds))
        return Account(created=(), deleted=(), left=found["reaped"])

    monkeypatch.setattr(preparation, "reachable_cluster", lambda *_: found["there"])
    monkeypatch.setattr(release, "hasten", lambda _cluster, run: found["asked"].append(("hasten", run)))
    monkeypatch.setattr(release, "await_gone", look)
    monkeypatch.setattr(release, "reap", reap)
    return found


def look(folder: Path | None, *options: str) -> int:
    given = [f"--run={RUN}", "--wait=7", *options]
    return verification.main([*given, *([verification.account(folder)] if folder else [])])


def test_it_looks_and_completes_the_account(
    cluster: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is going away and stays is left, and so is what the run was refused."""
    cluster["going"] = {"b": "a finalizer"}
    assert look(folder) == 0
    assert cluster["asked"] == [("hasten", RUN), ("look", RUN, 7.0)]
    assert json.loads(capsys.readouterr().out) == {"left": {"b": "a finalizer"}, "reason": ""}
    account = run_accounts.read(folder) or {}
    assert (account["deleted"], account["left"]) == (["a"], {"b": "a finalizer", "c": "forbidden"})
    assert account["verification"]["state"] == run_accounts.DONE


def test_it_deletes_only_where_it_is_told_to(cluster: dict[str, Any], folder: Path) -> None:
    """What is left then is what the reaper could not end either."""
    assert look(folder, verification.DELETE) == 0
    assert cluster["asked"] == [("reap", RUN, 7.0)]
    assert (run_accounts.read(folder) or {})["left"] == {}


def test_a_cluster_out_of_reach_is_no_proof_of_anything(
    cluster: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is told and written, and what was left stays left."""
    cluster["going"] = ClusterUnreachable("It gave no answer.")
    assert look(folder) == 3
    assert json.loads(capsys.readouterr().out)["reason"] == "It gave no answer."
    account = run_accounts.read(folder) or {}
    assert (account["left"], account["verification"]["state"]) == ({"c": "forbidden"}, run_accounts.FAILED)


def test_with_the_embedded_node_all_of_its_namespaces_are_gone(cluster: dict[str, Any], folder: Path) -> None:
    """It keeps nothing when it goes down."""
    cluster["there"] = None
    assert look(folder, verification.DELETE) == 0
    assert (run_accounts.read(folder) or {})["left"] == {}
    assert cluster["asked"] == []


def test_evidence_is_kept_of_what_is_left(
    cluster: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is wanted, and where the project still is; of a run that left nothing there is nothing to ask."""
    kept: list[tuple[Mapping[str, str], Path]] = []
    monkeypatch.setattr(leftovers, "keep", lambda _cluster, _run, left, report: kept.append((left, report.path)))
    assert look(folder, f"--evidence={folder}") == 0
    cluster["going"] = {"b": "a finalizer"}
    assert look(folder) == 0
    assert look(folder, "--evidence=/nowhere/reports/k7x2mq") == 0
    assert kept == []
    assert look(folder, f"--evidence={folder}") == 0
    assert kept == [({"b": "a finalizer"}, folder)]


def test_a_report_that_was_removed_is_not_made_again(cluster: dict[str, Any], tmp_path: Path) -> None:
    """The user, or the test whose folder it was, has done with it."""
    assert cluster["going"] == {}
    assert look(tmp_path / "reports" / RUN) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_command_reaches_the_same_cluster_as_the_run() -> None:
    """Its interpreter, its context and its kubeconfig; and no module of the user's folder gets in between."""
    here = Path("/work")
    request = RunRequest(run_id=RUN, root=here, working_directory=here, context="kind-a", kubeconfig=Path("/k"))
    command = verification.arguments(request)
    assert command[:4] == [sys.executable, "-P", "-m", "paddock.engines.verification"]
    assert command[4:] == [f"--run={RUN}", "--wait=60.0", "--context=kind-a", "--kubeconfig=/k"]
