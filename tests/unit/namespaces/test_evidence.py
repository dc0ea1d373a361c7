"""Laws of collecting evidence: logs first, within bounds, and what cannot be had is told instead of raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paddock.deadlines import Deadline
from paddock.errors import ClusterUnreachable, NotFound
from paddock.namespaces import evidence
from paddock.namespaces.evidence import Collector, Log, logs

if TYPE_CHECKING:
    from paddock.cluster.requests import Request

NAMESPACE = "paddock-k7x2mq-gw0"


def pod(name: str, *statuses: dict[str, Any]) -> dict[str, Any]:
    """Return a pod with the statuses of its containers."""
    status = {"phase": "Running", "containerStatuses": list(statuses)}
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"containers": []}, "status": status}


def running(name: str, restarts: int = 0) -> dict[str, Any]:
    """Return the status of a container that runs."""
    return {"name": name, "restartCount": restarts, "state": {"running": {}}}


def waiting(name: str, restarts: int = 0) -> dict[str, Any]:
    """Return the status of a container that does not run."""
    return {"name": name, "restartCount": restarts, "state": {"waiting": {"reason": "Some"}}}


class Cluster:
    """Answers lists, and says what was asked in which order."""

    def __init__(self, *pods: dict[str, Any], refused: tuple[str, ...] = ()) -> None:
        self.pods, self.refused, self.asked = pods, refused, list[str]()

    def send(self, request: Request, *, deadline: Deadline) -> dict[str, Any]:
        """Answer a list or a look at the namespace."""
        what = request.path.rpartition("/")[2]
        self.asked.append(what)
        assert deadline.seconds <= 3
        if what in self.refused:
            raise ClusterUnreachable(f"nobody answered for {what}")
        answers: dict[str, dict[str, Any]] = {"pods": {"items": list(self.pods)}, "events": {"items": []}}
        return answers.get(what, {"metadata": {"name": what}})


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[Log, str]:
    """Have logs say what is in this mapping; what is not there cannot be read."""
    texts: dict[Log, str] = {}

    def last_part(cluster: Cluster, namespace: str, pod: str, container: str, **given: Any) -> str:
        assert namespace == NAMESPACE
        cluster.asked.append(f"{pod}/{container}")
        log = Log(pod, container, given["previous"])
        if log not in texts:
            raise NotFound("The log has gone.", status=404)
        return texts[log][-given["size"] :]

    monkeypatch.setattr(evidence, "last_part", last_part)
    return texts


def collected(cluster: Cluster, seen: dict[str, Any] | None = None, **given: Any) -> dict[str, str]:
    """Return the files that are found."""
    collector = Collector(cluster, NAMESPACE, **{"size": 1000, "deadline": Deadline(10), **given})  # type: ignore[arg-type]
    return dict(collector.files(lambda: seen or {}))


def test_a_container_that_never_ran_has_no_log_and_one_that_restarted_has_two() -> None:
    """The API server answers with an error where there is nothing."""
    pods = [pod("worker", running("worker")), pod("x", waiting("a"), waiting("b", 1), running("c", 2), {"name": "d"})]
    assert [log.file for log in logs(pods)] == [
        "logs/worker.txt",
        "logs/x-b.txt",
        "logs/x-b.previous.txt",
        "logs/x-c.txt",
        "logs/x-c.previous.txt",
    ]


def test_logs_are_asked_for_first(written: dict[Log, str]) -> None:
    """They go with their pods, events and states can be had a little longer."""
    written[Log("worker", "worker")] = "hello\n"
    cluster = Cluster(pod("worker", running("worker")))
    files = collected(cluster)
    assert files["logs/worker.txt"] == "hello\n"
    assert cluster.asked == ["pods", "worker/worker", "events", "pods", NAMESPACE]
    assert {"pods.txt", "events.txt", "describe.txt"} <= files.keys()
    assert "notes.txt" not in files


def test_what_cannot_be_had_is_told_and_the_rest_is_there(written: dict[Log, str]) -> None:
    """An API server that refuses one question may answer the next."""
    written[Log("broker", "broker")] = "broke\n"
    pods = [pod("worker", running("worker")), pod("broker", running("broker"))]
    files = collected(Cluster(*pods, refused=("events",)))
    assert files["logs/broker.txt"] == "broke\n"
    assert files["events.txt"] == ""
    assert files["notes.txt"].splitlines() == [
        "logs/worker.txt: The log has gone.",
        "events: nobody answered for events",
    ]


def test_a_cluster_that_is_gone_still_leaves_what_was_seen() -> None:
    """The run's own watch knows the pods; nothing is raised."""
    files = collected(Cluster(refused=("pods", "events", NAMESPACE)), {"worker": pod("worker", running("worker"))})
    assert "gone; last seen: running" in files["pods.txt"]
    assert "name: worker" in files["describe.txt"]
    assert "The pod worker had gone: it is described as the run saw it last." in files["notes.txt"]


def test_time_that_is_up_is_told(written: dict[Log, str]) -> None:
    """Nothing is asked any more."""
    del written
    cluster = Cluster(pod("worker", running("worker")))
    files = collected(cluster, deadline=Deadline(0))
    assert cluster.asked == []
    assert "no time was left. Allow more with --paddock-evidence-limit." in files["notes.txt"]


def test_one_log_takes_a_fourth_of_the_room_and_all_of_them_no_more_than_it(written: dict[Log, str]) -> None:
    """What is left out is told."""
    names = [f"c{number}" for number in range(6)]
    for name in names:
        written[Log("worker", name)] = "x" * 5000
    files = collected(Cluster(pod("worker", *map(running, names))), size=1000)
    sizes = [len(text) for name, text in files.items() if name.startswith("logs/")]
    assert sizes == [250, 250, 250, 250]
    assert files["notes.txt"].count("Allow more with --paddock-report-size.") == 2
