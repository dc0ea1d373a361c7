"""What may be deleted, and how it is accounted for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names
from paddock.errors import NotAllowed, NotFound
from paddock.namespaces import release

if TYPE_CHECKING:
    from paddock.cluster.requests import Request

RUN = "k7x2mq"
PATIENCE = 10.0


class Cluster:
    """Keeps namespaces and records as a cluster would; namespaces vanish when they are deleted."""

    def __init__(self, *namespaces: str, recorded: bool = True, stuck: bool = False, refused: str = "") -> None:
        self.recorded, self.stuck, self.refused = recorded, stuck, refused
        self.namespaces: dict[str, dict[str, Any]] = {name: {"metadata": {"name": name}} for name in namespaces}
        self.sent: list[str] = []
        self.answered: list[str] = []
        self.heard = threading.Condition()
        self.pods_answer = threading.Event()
        self.pods_answer.set()

    def send(self, _request: Request, **_: object) -> dict[str, Any]:
        """Answer the look-up of the run's record."""
        if not self.recorded:
            raise NotFound("no record", status=404)
        return {}

    def list_objects(self, *_: object, selector: str, **__: object) -> list[dict[str, Any]]:
        """Return the namespaces of the run."""
        assert selector == names.selector(names.labels(RUN))
        return list(self.namespaces.values())

    def delete(self, request: Request, **_: object) -> bool:
        """Delete a namespace, unless it is stuck or refused."""
        self.sent.append(request.path)
        try:
            return self._deleted(request)
        finally:
            with self.heard:
                self.answered.append(request.path)
                self.heard.notify_all()

    def await_answered(self, *paths: str) -> None:
        """Wait until requests to ``paths`` were answered."""
        with self.heard:
            assert self.heard.wait_for(lambda: set(paths) <= set(self.answered), PATIENCE), self.answered

    def _deleted(self, request: Request) -> bool:
        if request.path.endswith("/pods"):
            return self.pods_answer.wait(PATIENCE)
        name = request.path.rsplit("/", 1)[-1]
        if name == self.refused:
            raise NotAllowed("forbidden", status=403)
        if name not in self.namespaces:
            return False
        if self.stuck:
            self.namespaces[name]["metadata"]["deletionTimestamp"] = "now"
            self.namespaces[name]["status"] = {"conditions": [{"status": "True", "message": "finalizer x remains"}]}
        else:
            del self.namespaces[name]
        return True


def test_one_that_went_before_is_accounted_for_with_the_others() -> None:
    """It was created and deleted, once, although it is gone by the end; its deletion is not asked for again."""
    cluster = Cluster("a", "b")
    ending = release.Release(cluster, RUN)  # type: ignore[arg-type] # as much of it as is used
    ending.one("a")
    assert list(cluster.namespaces) == ["b"]
    assert list(ending.account(["a", "b"]).left) == ["b"]
    before = len(cluster.sent)
    account = ending.all(["a", "b"])
    assert (account.created, account.deleted, account.left) == (("a", "b"), ("a", "b"), {})
    assert not [path for path in cluster.sent[before:] if "/namespaces/a" in path]


def test_a_second_deletion_of_one_that_is_gone_takes_nothing_back() -> None:
    """Two that delete at the same time do not make it a namespace that never was."""
    cluster = Cluster("a")
    ending = release.Release(cluster, RUN)  # type: ignore[arg-type] # as above
    ending.one("a")
    ending.one("a")
    assert ending.account(["a"]).deleted == ("a",)


def test_a_deletion_that_was_begun_is_not_asked_for_again() -> None:
    """Its pods live until the rest follows; one that was refused is asked for once more."""
    cluster = Cluster("a", "b", "c", refused="b")
    ending = release.Release(cluster, RUN)  # type: ignore[arg-type] # as above
    ending.begin(["a", "b"])
    cluster.await_answered("/api/v1/namespaces/a", "/api/v1/namespaces/b")
    assert not [path for path in cluster.sent if path.endswith("/pods")]
    cluster.refused = ""
    account = ending.all(["a", "b", "c"])
    assert (account.created, account.deleted, account.left) == (("a", "b", "c"), ("a", "b", "c"), {})
    times = {name: cluster.sent.count(f"/api/v1/namespaces/{name}") for name in "abc"}
    assert times == {"a": 1, "b": 2, "c": 1}
    assert {path for path in cluster.sent if path.endswith("/pods")} == {
        f"/api/v1/namespaces/{name}/pods" for name in "abc"
    }


def test_a_release_accounts_for_every_namespace() -> None:
    """Created and deleted are counted, nothing is left."""
    account = release.release(Cluster("a", "b"), RUN, ["a", "b"])  # type: ignore[arg-type]
    assert account.sentence() == "namespaces: created 2, deleted 2, left 0"


def test_pods_go_with_their_namespaces_deletion_and_not_after_it() -> None:
    """The namespace controller waits 5 s before its first look; the record goes when nothing is left."""
    cluster = Cluster("a")
    release.release(cluster, RUN, ["a"])  # type: ignore[arg-type]
    assert set(cluster.sent[:2]) == {"/api/v1/namespaces/a/pods", "/api/v1/namespaces/a"}
    assert "leases" in cluster.sent[2]


def test_pods_that_take_long_keep_nobody() -> None:
    """They go with their namespace in any case; what is certain is the namespace, and that is waited for."""
    cluster = Cluster("a", "b")
    cluster.pods_answer.clear()
    try:
        account = release.Release(cluster, RUN).all(["a", "b"], pods_seconds=0.01)  # type: ignore[arg-type]
        assert account.sentence() == "namespaces: created 2, deleted 2, left 0"
    finally:
        cluster.pods_answer.set()


def test_pods_that_are_left_to_themselves_stay_for_a_moment() -> None:
    """Interpreters may be ending in them; who looks behind the prompt deletes them then."""
    cluster = Cluster("a")
    release.Release(cluster, RUN).all(["a"], pods_seconds=None)  # type: ignore[arg-type]
    assert "/api/v1/namespaces/a" in cluster.sent
    assert "/api/v1/namespaces/a/pods" not in cluster.sent


def test_pods_of_namespaces_that_are_being_deleted_are_hastened_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks behind the prompt does what the run did not wait for."""
    cluster = Cluster("a", "b", stuck=True)
    release.release(cluster, RUN, ["a"])  # type: ignore[arg-type]
    cluster.sent.clear()
    monkeypatch.setattr(release, "LAST_MOMENTS", 0.0)
    release.hasten(cluster, RUN)  # type: ignore[arg-type]
    assert cluster.sent == ["/api/v1/namespaces/a/pods"]


def test_a_namespace_that_was_never_made_is_not_counted() -> None:
    """A run that is interrupted early leaves nothing and claims nothing."""
    account = release.release(Cluster(), RUN, ["a"])  # type: ignore[arg-type]
    assert account.sentence() == "namespaces: created 0, deleted 0, left 0"


def test_what_cannot_be_deleted_is_left_with_its_reason() -> None:
    """A failed clean-up never goes unmentioned, and its record stays for the reaper."""
    cluster = Cluster("a", "b", refused="b")
    account = release.release(cluster, RUN, ["a", "b"])  # type: ignore[arg-type]
    assert account.sentence() == "namespaces: created 2, deleted 1, left 1; b: forbidden"
    assert not any("leases" in path for path in cluster.sent)


def test_a_release_that_is_left_midway_accounts_for_what_it_has_come_to() -> None:
    """What was not asked for is left; the question needs no answer of the cluster."""
    cluster = Cluster("a", "b")
    under_way = release.Release(cluster, RUN)  # type: ignore[arg-type]
    assert (
        under_way.account(["a", "b"]).sentence().startswith("namespaces: created 2, deleted 0, left 2; a: the run was")
    )
    under_way.all(["a"])
    account = under_way.account(["a", "b"])
    assert (account.deleted, list(account.left)) == (("a",), ["b"])


def test_who_looks_deletes_nothing_and_waits_for_nothing_that_stays() -> None:
    """A namespace that is not being deleted was left for a reason, or is another run's."""
    cluster = Cluster("a")
    assert release.await_gone(cluster, RUN, 60) == {}  # type: ignore[arg-type]
    assert (list(cluster.namespaces), cluster.sent) == (["a"], [])


def test_a_reaper_ends_what_is_left_of_a_recorded_run() -> None:
    """What the client could not delete any more is found by label and record."""
    cluster = Cluster("a", "b")
    account = release.reap(cluster, RUN, seconds=1)  # type: ignore[arg-type]
    assert not cluster.namespaces
    assert account.verified() == "namespaces: found 2, left 0"


def test_a_reaper_leaves_alone_what_no_record_proves_ours() -> None:
    """A label alone, which anybody may set, deletes nothing."""
    cluster = Cluster("a", recorded=False)
    account = release.reap(cluster, RUN, seconds=1)  # type: ignore[arg-type]
    assert list(cluster.namespaces) == ["a"]
    assert "no run k7x2mq is recorded" in account.left["a"]


def test_a_reaper_explains_what_does_not_go_away() -> None:
    """The namespace's own conditions say which finalizer holds it."""
    account = release.reap(Cluster("a", stuck=True), RUN, seconds=0.01)  # type: ignore[arg-type]
    assert account.left == {"a": "finalizer x remains"}


def test_a_reaper_in_a_hurry_asks_and_does_not_wait() -> None:
    """With 0 seconds what is asked to go counts as deleted: the prompt comes back before the controller is done."""
    account = release.reap(Cluster("a", stuck=True), RUN, seconds=0)  # type: ignore[arg-type]
    assert account.verified() == "namespaces: found 1, left 0"


@pytest.mark.parametrize("recorded", [True, False])
def test_reaping_a_run_that_left_nothing_is_quiet(recorded: bool) -> None:  # noqa: FBT001 - a pytest parameter
    """A reaper may be called at any time."""
    account = release.reap(Cluster(recorded=recorded), RUN, seconds=1)  # type: ignore[arg-type]
    assert account.verified() == "namespaces: found 0, left 0"
