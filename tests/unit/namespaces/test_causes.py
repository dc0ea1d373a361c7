"""A pod's trouble in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from paddock.namespaces import causes

JSON = dict[str, Any]


def pod(*, phase: str = "Pending", state: JSON | None = None, conditions: tuple[JSON, ...] = (), **status: Any) -> JSON:
    """Return a worker pod as the API server shows it; ``state`` is its one container's."""
    return {
        "metadata": {"name": "worker", "namespace": "ns"},
        "spec": {"containers": [{"name": "worker", "resources": {"limits": {"memory": "64Mi"}}}]},
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            "containerStatuses": [{"name": "worker", "state": state}] if state else [],
            **status,
        },
    }


RUNNING = pod(phase="Running", state={"running": {}})


def test_a_running_pod_has_no_trouble() -> None:
    """No cause is invented."""
    assert causes.is_running(RUNNING)
    assert causes.hopeless(RUNNING) == causes.ended(RUNNING) == ""


def test_a_pod_without_container_statuses_does_not_run() -> None:
    """Scheduled is not running."""
    assert not causes.is_running(pod())


def test_a_missing_image_is_hopeless_and_says_what_to_check() -> None:
    """Waiting for an image that is not there would only hide the reason."""
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    assert "ErrImagePull: not found. Check that the registry runs" in causes.hopeless(pod(state=waiting))


def test_a_container_being_created_is_not_hopeless() -> None:
    """Ordinary waiting goes on, and says for what if time runs out."""
    waiting = pod(state={"waiting": {"reason": "ContainerCreating"}})
    assert causes.hopeless(waiting) == ""
    assert "ContainerCreating" in causes.pending(waiting)


def test_an_unschedulable_pod_names_the_resource() -> None:
    """The scheduler's message says what is short."""
    condition = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}
    assert "Insufficient cpu" in causes.pending(pod(conditions=(condition,)))


def test_a_memory_kill_names_the_limit() -> None:
    """The user learns which limit to raise."""
    over = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    text = causes.ended(pod(phase="Failed", state=over))
    assert text == "container worker was killed for exceeding its memory limit of 64Mi"


def test_an_eviction_is_quoted() -> None:
    """The kubelet's own reason and message stand."""
    evicted = pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    assert causes.ended(evicted) == "Evicted The node was low on resource: memory."


def test_a_passed_deadline_is_quoted() -> None:
    """A run that outlived its limit says so."""
    late = pod(phase="Failed", reason="DeadlineExceeded", message="Pod was active on the node longer than allowed")
    assert "DeadlineExceeded" in causes.ended(late)


def test_a_plain_exit_names_the_code() -> None:
    """Without any reason the exit code is what is known."""
    over = {"terminated": {"exitCode": 3, "reason": "Error"}}
    assert causes.ended(pod(phase="Failed", state=over)) == "its pod ended with exit code 3"


def test_a_container_that_could_not_be_started_is_quoted() -> None:
    """The runtime's own message says what an exit code of 128 does not."""
    over = {"terminated": {"exitCode": 128, "reason": "StartError", "message": "exec: no such file or directory\n"}}
    text = causes.hopeless(pod(phase="Failed", state=over))
    assert text == "container worker: StartError: exec: no such file or directory"


def test_a_deleted_pod_is_called_deleted() -> None:
    """Deletion by hand is not mistaken for a crash."""
    deleted = {**RUNNING, "metadata": {**RUNNING["metadata"], "deletionTimestamp": "2030-01-01T00:00:00Z"}}
    assert causes.ended(deleted) == "its pod was deleted"


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("1 Insufficient cpu.", "Ask for fewer workers or more nodes."),
        ("1 node(s) didn't match Pod's node affinity/selector.", "Compare node-selector and affinity"),
        ("1 node(s) had untolerated taint {ci: }.", "Add tolerations"),
    ],
)
def test_a_pod_without_a_place_is_told_with_what_would_give_it_one(reason: str, remedy: str) -> None:
    """What the user said about places has another remedy than a node that is full."""
    condition = {"type": "PodScheduled", "status": "False", "message": f"0/1 nodes are available: {reason}"}
    sentence = causes.pending(pod(conditions=(condition,)))
    assert remedy in sentence
    assert ".." not in sentence
