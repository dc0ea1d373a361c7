"""Laws of reuse: of all that want what waits one gets it, new pods and all, and only what is the same is wanted."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock import names
from paddock.declared_services import DeclaredService
from paddock.engines import own_key
from paddock.engines.credentials import derive_credentials
from paddock.engines.run import pool_key, worker_objects
from paddock.errors import UsageError
from paddock.namespaces import expiry, pool, records
from paddock.specs import BrokerAccess, Images, PythonEnvironment, RunPlan
from tests.unit.namespaces.api_server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Callable

PLAN = RunPlan(
    run_id="aa",
    workers=("gw0", "gw1"),
    root=Path("/srv/project"),
    working_directory=Path("/srv/project"),
    images=Images(worker="w", broker="b", database="d"),
    python=PythonEnvironment(executable=Path("/srv/project/.venv/bin/python")),
    reuse=600,
)
KEY = "0" * 32
LEADER = "me@here/1/2/3"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def fresh(plan: RunPlan = PLAN) -> list[Any]:
    secret = b"x" * 32
    return [
        worker_objects(plan, worker, derive_credentials(secret, names.namespace_name(plan.run_id, worker), plan.broker))
        for worker in plan.workers
    ]


def ended() -> ApiServer:
    """A cluster with a run that has ended: its pods are as its tests left them."""
    server = ApiServer()
    server.record("aa", LEADER)
    for objects in fresh():
        server.namespace("aa", objects.name.rpartition("-")[2])
        for pod in (copy.deepcopy(one) for one in objects.all() if one["kind"] == "Pod"):
            pod["metadata"]["uid"] = "used"
            server.pods[objects.name, pod["metadata"]["name"]] = pod
    return server


def waiting() -> ApiServer:
    """A cluster with namespaces that wait."""
    server = ended()
    assert pool.hand_on(cast("Any", server), KEY, PLAN, LEADER, fresh())
    return server


def take(server: ApiServer, run_id: str = "bb", wanted: str = KEY) -> pool.Warm | None:
    return pool.take(cast("Any", server), wanted, replace(PLAN, run_id=run_id), f"{run_id}@here/4/5/6")


def test_what_is_handed_on_has_new_pods_and_says_until_when_it_waits() -> None:
    """Every pod, of each namespace; the record is led by nobody, and by no heart's measure."""
    server = waiting()
    assert {key[1] for key in server.pods} == {"worker", "broker", "database"}
    assert len(server.pods) == 6
    assert not any(pod["metadata"].get("uid") == "used" for pod in server.pods.values())
    record = server.records["run-aa"]
    assert expiry.until(record) == server.now + timedelta(seconds=600)
    assert (record["spec"]["holderIdentity"], "leaseDurationSeconds" in record["spec"]) == ("warm/me@here", False)
    assert all(expiry.until(one) == expiry.until(record) for one in server.namespaces.values())


def test_whoever_takes_it_leads_it_under_the_id_it_had() -> None:
    """It is found under the id that the user knows as well, until it is handed on again."""
    server = waiting()
    assert take(server) == pool.Warm("aa", frozenset({"gw0", "gw1"}))
    record = server.records["run-aa"]
    assert record["spec"]["holderIdentity"] == "bb@here/4/5/6"
    assert record["spec"]["leaseDurationSeconds"] == PLAN.lease_duration
    assert expiry.until(record) is None
    known = [pool.known_as(cast("Any", server), run_id) for run_id in ("aa", "bb", "cc")]
    assert known == ["aa", "aa", "cc"]
    assert pool.hand_on(cast("Any", server), KEY, PLAN, "bb@here/4/5/6", fresh())
    assert pool.known_as(cast("Any", server), "bb") == "bb"
    assert take(server, "cc") is not None


def test_a_shared_broker_is_handed_on_with_the_workers() -> None:
    """One that has gone, or none where one is wanted, and the other way round: none of it is used."""
    for ended_with, wanted, whole in ((True, True, True), (False, True, False), (True, False, False)):
        server, plan = ended(), replace(PLAN, shares_broker=ended_with)
        server.pods.clear()
        objects = fresh(replace(plan, workers=(*PLAN.workers, *([names.SHARED] if ended_with else []))))
        for one in objects:
            server.namespace("aa", one.name.rpartition("-")[2])
        assert pool.hand_on(cast("Any", server), KEY, plan, LEADER, objects)
        follower = replace(PLAN, run_id="bb", shares_broker=wanted)
        found = pool.take(cast("Any", server), KEY, follower, "bb@here/4/5/6")
        assert found == (pool.Warm("aa", frozenset({"gw0", "gw1", names.SHARED})) if whole else None)


def test_of_two_runs_at_once_one_gets_it() -> None:
    """Both have seen that it waits; the second finds the record changed."""
    server = waiting()
    seen = [one for one in records.recorded(cast("Any", server)) if expiry.is_warm(one)]
    assert take(server) is not None
    server.list_objects = lambda *_, **__: copy.deepcopy(seen)  # type: ignore[method-assign] # as it was a moment ago
    assert take(server, "cc") is None
    assert server.records["run-aa"]["spec"]["holderIdentity"] == "bb@here/4/5/6"


def test_nobody_takes_what_is_for_another_project_or_is_kept_or_led() -> None:
    """Nor what is over, or about to be."""
    server = waiting()
    assert take(server, wanted="1" * 32) is None
    before = copy.deepcopy(server.records)
    server.now += timedelta(seconds=598)
    assert take(server) is None
    server.now -= timedelta(seconds=598)
    for holder in ("kept/me", "somebody@far/1/2/3", "reaper/me"):
        server.records = copy.deepcopy(before)
        server.records["run-aa"]["spec"]["holderIdentity"] = holder
        assert take(server) is None


def no_worker(server: ApiServer) -> None:
    del server.pods["paddock-aa-gw1", "worker"]


def no_broker(server: ApiServer) -> None:
    del server.pods["paddock-aa-gw0", "broker"]


def going(server: ApiServer) -> None:
    server.pods["paddock-aa-gw0", "database"]["metadata"]["deletionTimestamp"] = "now"


def failed(server: ApiServer) -> None:
    server.pods["paddock-aa-gw1", "worker"]["status"] = {"phase": "Failed", "reason": "Evicted"}


def nothing(server: ApiServer) -> None:
    server.pods.clear()


@pytest.mark.parametrize("happens", [no_worker, no_broker, going, failed, nothing])
def test_what_is_not_sound_any_more_is_ended_and_not_used(happens: Callable[[ApiServer], None]) -> None:
    """A node that was lost, an eviction, somebody's hand: all of it goes, and the run makes its own."""
    server = waiting()
    if happens is no_worker:
        del server.pods["paddock-aa-gw1", "broker"]  # a namespace half there, not one that is not
    happens(server)
    assert take(server) is None
    assert not server.namespaces


def test_a_server_that_goes_away_in_between_hands_nothing_on() -> None:
    """The run still leads it, and deletes all of it as ever, or its reaper does."""
    server = ended()
    server.broken = True
    assert not pool.hand_on(cast("Any", server), KEY, PLAN, LEADER, fresh())
    assert server.records["run-aa"]["spec"]["holderIdentity"] == LEADER


def test_a_run_that_was_taken_over_hands_nothing_on() -> None:
    """A reaper is at it."""
    server = ended()
    server.record("aa", "reaper/other")
    assert not pool.hand_on(cast("Any", server), KEY, PLAN, LEADER, fresh())
    assert server.records["run-aa"]["spec"]["holderIdentity"] == "reaper/other"


def test_a_quota_that_still_counts_the_old_pods_is_waited_for() -> None:
    """Its controller needs a moment."""
    server = ended()
    server.full = 3
    assert pool.hand_on(cast("Any", server), KEY, PLAN, LEADER, fresh())
    assert len(server.pods) == 6


def test_the_key_is_that_of_all_runs_that_could_share() -> None:
    """Neither run nor workers matter, nor how often one asks."""
    assert pool_key(PLAN) == pool_key(replace(PLAN, run_id="bb", called="cc", workers=("gw0",)))


@pytest.mark.parametrize(
    "change",
    [
        {"root": Path("/srv/other")},
        {"images": Images(worker="w2", broker="b", database="d")},
        {"images": Images(worker="w", broker="b", database="d2")},
        {"uid": 1001},
        {"worker_memory": "2Gi"},
        {"worker_cpu": "200m"},
        {"deadline": 100},
        {"reuse": 60},
        {"security": "baseline"},
        {"services": (DeclaredService(name="cache", port=6379, readiness={"tcpSocket": {"port": 6379}}, image="c"),)},
        {"environment": {"PYTHONHASHSEED": "7"}},
        {"pull_credentials": "{}"},
        {"shares_broker": True},
        {"broker": BrokerAccess(accounts={"camera": "c"})},
        {"broker": BrokerAccess(acl="topic a")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_the_objects_decides_the_key(change: dict[str, Any]) -> None:
    """Of pods as they would be made for this run, and nobody else's."""
    assert pool_key(PLAN) != pool_key(replace(PLAN, **change))


def test_another_broker_is_another_key_where_workers_share_it() -> None:
    """Nothing in a worker's own namespace tells which it is."""
    one, other = (Images(worker="w", broker=image, database="d") for image in ("b", "b2"))
    plan = replace(PLAN, shares_broker=True)
    assert pool_key(replace(plan, images=one)) != pool_key(replace(plan, images=other))


def test_who_has_another_secret_has_another_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever could not come to the passwords does not take the namespaces."""
    mine = pool_key(PLAN)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    assert pool_key(PLAN) != mine


@given(st.text(), st.text())
def test_credentials_are_one_namespaces_and_one_services(one: str, other: str) -> None:
    """The same again for the same, and different for whatever differs."""
    secret = b"x" * 32
    made = derive_credentials(secret, one, PLAN.broker)
    assert made == derive_credentials(secret, one, PLAN.broker)
    passwords = {made["broker"]["PASSWORD"], made["database"]["PASSWORD"]}
    passwords |= {derive_credentials(b"y" * 32, one, PLAN.broker)["broker"]["PASSWORD"]}
    assert len(passwords) == 3
    assert one == other or derive_credentials(secret, other, PLAN.broker)["broker"]["PASSWORD"] not in passwords


def test_the_secret_is_drawn_once_and_is_ones_own(tmp_path: Path) -> None:
    """Nobody else may read it, and nothing else is left beside it."""
    first = own_key.read()
    assert (len(first), own_key.read()) == (32, first)
    assert own_key.path().stat().st_mode & 0o777 == 0o600
    assert [one.name for one in (tmp_path / "paddock").iterdir()] == ["reuse.key"]
    assert first.hex() not in own_key.fingerprint()


def test_a_secret_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "paddock").write_text("a file in the folder's place")
    with pytest.raises(UsageError, match="set XDG_STATE_HOME"):
        own_key.read()
    (tmp_path / "paddock").unlink()
    own_key.read()
    own_key.path().write_bytes(b"")
    with pytest.raises(UsageError, match=r"holds 0 bytes; --paddock-reuse expects 32 there\. Delete the file"):
        own_key.read()
