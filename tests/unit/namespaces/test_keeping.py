"""Laws of keeping: what was asked for stays with the run's record until a time, and everything else goes."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock import names
from paddock.engines.preparation import has_gone, holder
from paddock.namespaces import expiry, records
from paddock.namespaces.keeping import Keeping
from paddock.namespaces.looking import Commands
from paddock.namespaces.release import release
from paddock.specs import Doing, Keep
from tests.unit.namespaces.api_server import ApiServer

if TYPE_CHECKING:
    from pathlib import Path

RUN = "aa"
WORKERS = ("gw0", "gw1", "gw2")
NAMESPACES = [names.namespace_name(RUN, worker) for worker in WORKERS]


def a_run(keep: Keep | None) -> tuple[ApiServer, Keeping]:
    """Return a run of three workers: a test failed in gw1, and gw2 was lost."""
    server = ApiServer()
    server.record(RUN, "me@here/1/2/3")
    for worker in WORKERS:
        server.namespace(RUN, worker)
    plan = SimpleNamespace(run_id=RUN, keep=keep)
    keeping = Keeping(cast("Any", server), cast("Any", plan), "me@here/1/2/3")
    keeping.note("gw0", Doing(passed=3, skipped=1))
    keeping.note("gw1", Doing(failed=1))
    keeping.note("gw1", Doing(failed=1, passed=5))
    keeping.lose("gw2")
    return server, keeping


@pytest.mark.parametrize(
    ("keep", "stay"),
    [(None, []), (Keep(which="failed"), NAMESPACES[1:]), (Keep(which="all"), NAMESPACES)],
)
def test_what_was_asked_for_stays_and_all_else_goes(keep: Keep | None, stay: list[str]) -> None:
    """With the record of the run, which proves the namespaces ours until they are ended."""
    server, keeping = a_run(keep)
    kept = keeping.end(WORKERS, {})
    assert kept.namespaces == stay
    account = release(cast("Any", server), RUN, NAMESPACES, kept=kept.namespaces)
    assert list(server.namespaces) == stay
    assert bool(server.records) == bool(stay)
    told = f", kept {len(stay)}" if stay else ""
    assert account.sentence() == f"namespaces: created 3, deleted {3 - len(stay)}{told}, left 0"


def test_what_stays_says_why_and_until_when_by_the_servers_clock() -> None:
    """On each namespace and on the record, which nobody is expected to renew."""
    server, keeping = a_run(Keep(which="failed", ttl=600))
    kept = keeping.end(WORKERS, {})
    until = {names.EXPIRES: "2026-01-02T03:14:05Z"}
    annotations = [server.namespaces[name]["metadata"]["annotations"] for name in NAMESPACES[1:]]
    assert annotations == [until | {names.KEPT: "a test failed in it"}, until | {names.KEPT: "its worker was lost"}]
    record = server.records["run-aa"]
    assert record["metadata"]["annotations"] == until
    assert (record["spec"]["holderIdentity"], "leaseDurationSeconds" in record["spec"]) == ("kept/me@here", False)
    assert "until 2026-01-02 03:14:05 UTC, since a test failed in it" in kept.notes[0]


def test_a_shared_broker_stays_with_the_workers_that_stay() -> None:
    """Who looks into a worker finds what its tests spoke to; where no worker is kept, it goes."""
    server, keeping = a_run(Keep(which="failed"))
    server.namespace(RUN, names.SHARED)
    kept = keeping.end([*WORKERS, names.SHARED], {})
    assert kept.namespaces == [*NAMESPACES[1:], "paddock-aa-shared"]
    annotations = server.namespaces["paddock-aa-shared"]["metadata"]["annotations"]
    assert annotations[names.KEPT] == "workers whose namespaces are kept share its broker"
    server, keeping = a_run(Keep(which="failed"))
    server.namespace(RUN, names.SHARED)
    assert keeping.end(["gw0", names.SHARED], {}).namespaces == []


def test_nothing_is_kept_of_a_run_that_somebody_else_has_taken_over() -> None:
    """They are about to delete it."""
    server, keeping = a_run(Keep(which="all"))
    server.record(RUN, "reaper/other")
    kept = keeping.end(WORKERS, {})
    assert (kept.namespaces, kept.notes) == ([], ["no namespace is kept: the run was taken over from elsewhere"])
    assert server.records["run-aa"]["spec"]["holderIdentity"] == "reaper/other"


def test_a_namespace_that_is_not_there_is_not_counted_as_kept() -> None:
    """It was never made, or somebody has deleted it."""
    server, keeping = a_run(Keep(which="failed"))
    del server.namespaces[NAMESPACES[2]]
    assert keeping.end(WORKERS, {}).namespaces == [NAMESPACES[1]]


def test_a_server_that_is_away_keeps_nothing_and_fails_nothing() -> None:
    """The account tells it; what cannot be asked now cannot be deleted either, and is reaped later."""
    server, keeping = a_run(Keep(which="all"))
    server.broken = True
    kept = keeping.end(WORKERS, {})
    assert (kept.namespaces, kept.notes) == ([], ["no namespace is kept: nobody there"])


def test_a_beat_that_comes_between_does_not_keep_a_run_from_being_kept() -> None:
    """The heart still beats while the run ends."""
    server = ApiServer()
    server.record(RUN, "me")
    send, beats = server.send, [None, None]

    def send_late(request: Any, **options: Any) -> dict[str, Any]:
        if request.method == "PATCH" and beats:
            beats.pop()
            server.send = send  # type: ignore[method-assign] # as it is for the heart
            records.beat(cast("Any", server), RUN)
            server.send = send_late  # type: ignore[method-assign]
        return send(request, **options)

    server.send = send_late  # type: ignore[method-assign]
    assert expiry.reserve(cast("Any", server), RUN, "me", "kept/me", server.now + timedelta(seconds=1))
    assert not beats


def test_reapers_of_earlier_versions_do_not_take_a_kept_run_for_a_dead_one() -> None:
    """They look for machine, process and start in a holder, and at how often it is renewed."""
    assert not has_gone(f"{expiry.KEPT}{holder().split('/')[0]}")


def test_the_commands_name_the_cluster_as_its_user_does(tmp_path: Path) -> None:
    """So that they can be pasted; those into a pod are only there if it runs."""
    there = Commands("kind-a", tmp_path / "a b").inside(RUN, "gw0", ["worker", "broker"])
    options = f"--context=kind-a '--kubeconfig={tmp_path}/a b'"
    assert there[0] == f"kubectl {options} get pods,events --namespace=paddock-aa-gw0"
    assert any(line.endswith(f"shell aa/gw0 {options}") for line in there)
    assert any("exec -it --namespace=paddock-aa-gw0 broker -- sh" in line for line in there)
    gone = Commands("paddock", None).inside(RUN, "gw0", [])
    assert [" node kubectl get pods,events " in gone[0], " logs " in gone[1], len(gone)] == [True, True, 2]
    assert Commands("in-cluster", None).end(RUN).endswith("reap --run=aa")
