"""What Kubernetes and processes say of an end, as a cause. Messages are those of Kubernetes 1.36, see each table."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from paddock.namespaces import diagnosis
from paddock.namespaces.causes import Kind, tell
from paddock.specs import ExitStatus

JSON = dict[str, Any]
MIB = 1 << 20


def pod(*, phase: str = "Pending", state: JSON | None = None, conditions: tuple[JSON, ...] = (), **status: Any) -> JSON:
    """Return a worker pod as the API server shows it; ``state`` is its one container's."""
    resources = {"limits": {"memory": "64Mi"}, "requests": {"cpu": "64", "memory": "64Mi"}}
    container = {"name": "worker", "image": "registry/worker:1", "resources": resources}
    return {
        "metadata": {"name": "worker", "namespace": "ns"},
        "spec": {"containers": [container], "nodeName": "a", "activeDeadlineSeconds": 60, "restartPolicy": "Never"},
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            "containerStatuses": [{"name": "worker", "state": state}] if state else [],
            **status,
        },
    }


def deleted(manifest: JSON) -> JSON:
    return {**manifest, "metadata": {**manifest["metadata"], "deletionTimestamp": "2030-01-01T00:00:00Z"}}


def disruption(reason: str, message: str = "the message") -> JSON:
    return {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}


RUNNING = pod(phase="Running", state={"running": {}})


def test_a_running_pod_has_no_trouble() -> None:
    """No cause is invented, not even from the announcement of a disruption that may be called off."""
    assert diagnosis.is_running(RUNNING)
    announced = pod(phase="Running", state={"running": {}}, conditions=(disruption("PreemptionByScheduler"),))
    for one in (RUNNING, announced):
        assert (diagnosis.hopeless(one), diagnosis.ended(one)) == (None, None)


def test_a_pod_without_container_statuses_does_not_run() -> None:
    """Scheduled is not running."""
    assert not diagnosis.is_running(pod())


def test_what_the_scheduler_has_refused_so_far_is_known() -> None:
    """Only a pod that it has looked at and found no node for is held; one that it has not looked at may come."""
    message = "0/1 nodes are available: 1 Insufficient cpu."
    refused = pod(conditions=({"type": "PodScheduled", "status": "False", "message": message},))
    found = diagnosis.unscheduled(refused)
    assert found is not None
    assert found.kind == Kind.UNSCHEDULABLE
    assert "it asks for cpu 64. The scheduler says: 0/1 nodes are available: 1 Insufficient cpu." in found.sentence
    for one in (pod(), pod(conditions=({"type": "PodScheduled", "status": "True"},)), RUNNING):
        assert diagnosis.unscheduled(one) is None


NO_DEVICE = (
    "Allocate failed due to requested number of devices unavailable for example.com/tpu. "
    "Requested: 1, Available: 0, which is unexpected"
)
STATUSES = {
    # pkg/kubelet/eviction/helpers.go
    ("Evicted", "The node was low on resource: memory. Threshold quantity: 100Mi, available: 9Mi. "): (
        Kind.EVICTED,
        "The node a evicted its pod, being short of memory: The node was low on resource: memory.",
    ),
    ("Evicted", "The node had condition: [DiskPressure]. "): (Kind.EVICTED, "being short of DiskPressure"),
    ("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. "): (
        Kind.STORAGE_EXCEEDED,
        "for writing more than its limit allows: Pod ephemeral local storage usage exceeds the total limit",
    ),
    ("Evicted", 'Container worker exceeded its local ephemeral storage limit "10Mi". '): (
        Kind.STORAGE_EXCEEDED,
        'limit "10Mi".',
    ),
    ("Evicted", 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". '): (Kind.STORAGE_EXCEEDED, '"data"'),
    # pkg/kubelet/active_deadline.go
    ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"): (
        Kind.DEADLINE,
        "Its pod had run for as long as pods of this run may, 60 s.",
    ),
    # pkg/kubelet/nodeshutdown/nodeshutdown_manager.go
    ("Terminated", "Pod was terminated in response to imminent node shutdown."): (
        Kind.NODE_SHUTDOWN,
        "Its node a was shut down: Pod was terminated",
    ),
    ("NodeShutdown", "Pod was rejected as the node is shutting down."): (Kind.NODE_SHUTDOWN, "was rejected"),
    # pkg/kubelet/preemption/preemption.go
    ("Preempting", "Preempted in order to admit critical pod"): (Kind.PREEMPTED, "admit critical pod"),
    # pkg/util/node/node.go
    ("NodeLost", "Node a which was running pod worker is unresponsive"): (Kind.NODE_NOT_READY, "is unresponsive"),
    # pkg/kubelet/lifecycle/predicate.go
    ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 64000, used: 0, capacity: 2000"): (
        Kind.NODE_REFUSED,
        "capacity: 2000.",
    ),
    ("OutOfexample.com/tpu", "Node didn't have enough resource: example.com/tpu, requested: 1, used: 1, capacity: 1"): (
        Kind.DEVICE_REFUSED,
        "for want of a device",
    ),
    ("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"): (
        Kind.NODE_REFUSED,
        "Predicate NodeAffinity failed",
    ),
    # pkg/kubelet/cm/admission/errors.go around pkg/kubelet/cm/devicemanager/manager.go
    (
        "UnexpectedAdmissionError",
        NO_DEVICE,
    ): (Kind.DEVICE_REFUSED, "devices unavailable for example.com/tpu. Requested: 1, Available: 0"),
    ("UnexpectedAdmissionError", "Allocate failed due to no memory, which is unexpected"): (
        Kind.NODE_REFUSED,
        "no memory",
    ),
    ("SomethingNew", "of a later release"): (Kind.POD_FAILED, "with the reason SomethingNew: of a later release."),
}


@pytest.mark.parametrize(("reason", "message"), STATUSES)
def test_a_failed_pods_reason_is_translated(reason: str, message: str) -> None:
    """What kubelets and controllers write into the status of a pod, with their own message in it."""
    kind, words = STATUSES[reason, message]
    cause = diagnosis.ended(pod(phase="Failed", reason=reason, message=message))
    assert cause is not None
    assert cause.kind == kind
    assert words in cause.sentence
    assert cause == diagnosis.hopeless(pod(phase="Failed", reason=reason, message=message))


DISRUPTIONS = {
    "PreemptionByScheduler": Kind.PREEMPTED,
    "DeletionByTaintManager": Kind.NODE_TAINTED,
    "EvictionByEvictionAPI": Kind.DRAINED,
    "DeletionByPodGC": Kind.NODE_GONE,
    "AnotherDisruption": Kind.POD_DELETED,
}


@pytest.mark.parametrize(("reason", "kind"), DISRUPTIONS.items())
def test_a_deleted_pods_disruption_is_translated(reason: str, kind: Kind) -> None:
    """The condition names who had the pod deleted; one that is unknown, and the lack of one, leave the deletion."""
    cause = diagnosis.ended(deleted(pod(phase="Running", state={"running": {}}, conditions=(disruption(reason),))))
    assert cause is not None
    assert cause.kind == kind
    assert ("the message" in cause.sentence) == (kind is not Kind.POD_DELETED)
    assert diagnosis.ended(deleted(RUNNING)) == tell(Kind.POD_DELETED)


def test_a_kubelets_own_condition_leaves_the_word_to_the_status() -> None:
    """TerminationByKubelet is of evictions and shutdowns alike: the reason beside it tells them apart."""
    conditions = (disruption("TerminationByKubelet"),)
    evicted = pod(phase="Failed", conditions=conditions, reason="Evicted", message="The node was low on resource: x. ")
    cause = diagnosis.ended(evicted)
    assert cause is not None
    assert cause.kind == Kind.EVICTED


def test_a_missing_image_is_hopeless_and_says_what_to_check() -> None:
    """Waiting for an image that is not there would only hide the reason."""
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    cause = diagnosis.hopeless(pod(state=waiting))
    assert cause is not None
    assert cause.kind == Kind.IMAGE
    words = "Container worker cannot have its image registry/worker:1: ErrImagePull: not found. Check that the registry"
    assert words in str(cause)


def test_a_missing_secret_is_hopeless() -> None:
    """The kubelet's message names it."""
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}}
    cause = diagnosis.hopeless(pod(state=waiting))
    assert cause is not None
    assert (cause.kind, 'secret "x" not found' in cause.sentence) == (Kind.NOT_STARTED, True)


@pytest.mark.parametrize("kind", ["secret", "configmap"])
def test_a_kubelet_that_cannot_ask_the_api_server_is_waited_for(kind: str) -> None:
    """Seen with a killed API server: the kubelet asks again, and starts the container once it is answered."""
    message = f"failed to sync {kind} cache: timed out waiting for the condition"
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
    assert diagnosis.hopeless(pod(state=waiting)) is None


def test_a_container_that_a_dying_runtime_did_not_start_is_started_later() -> None:
    """Seen with a killed containerd: a service waits for its kubelet, a worker's pod is made anew elsewhere."""
    waiting = {"waiting": {"reason": "RunContainerError", "message": "error reading from server: EOF"}}
    worker = pod(state=waiting)
    service = {**worker, "spec": {**worker["spec"], "restartPolicy": "OnFailure"}}
    assert diagnosis.hopeless(service) is None
    assert diagnosis.hopeless(worker) == tell(
        Kind.RUNTIME_GONE, node=" a", container="worker", message="RunContainerError: error reading from server: EOF"
    )


def test_a_container_being_created_is_not_hopeless() -> None:
    """Ordinary waiting goes on, and says for what if time runs out."""
    waiting = pod(state={"waiting": {"reason": "ContainerCreating"}})
    assert diagnosis.hopeless(waiting) is None
    cause = diagnosis.pending(waiting)
    assert (cause.kind, "ContainerCreating" in cause.sentence) == (Kind.LATE, True)


def test_a_memory_kill_names_the_limit() -> None:
    """The user learns which limit to raise."""
    over = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    cause = diagnosis.ended(pod(phase="Failed", state=over))
    assert cause is not None
    assert cause.sentence == "Container worker was killed for exceeding its memory limit of 64Mi."


@pytest.mark.parametrize(
    ("code", "how"), [(137, "was ended by SIGKILL"), (3, "exited with code 3"), (143, "was ended by SIGTERM")]
)
def test_a_first_process_that_ended_is_told_with_its_end(code: int, how: str) -> None:
    """Without any reason the exit code is what is known; above 128 it is a signal's."""
    over = {"terminated": {"exitCode": code, "reason": "Error"}}
    beside = {"name": "sidecar", "state": {"running": {}}}
    alone, with_sidecar = pod(phase="Failed", state=over), pod(phase="Running", state=over)
    with_sidecar["status"]["containerStatuses"].append(beside)
    for one in (alone, with_sidecar):
        cause = diagnosis.ended(one)
        assert cause is not None
        assert cause.kind == Kind.SUPERVISOR_LOST
        assert f"Its pod's first process, the supervisor, {how}, and the worker with it." == cause.sentence


def test_a_sidecar_that_ended_leaves_the_worker() -> None:
    """A container of the user's own beside it may come and go."""
    running = pod(phase="Running", state={"running": {}})
    over = {"name": "sidecar", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    running["status"]["containerStatuses"].append(over)
    assert diagnosis.ended(running) is None


def test_a_container_that_could_not_be_started_is_quoted() -> None:
    """The runtime's own message says what an exit code of 128 does not."""
    over = {"terminated": {"exitCode": 128, "reason": "StartError", "message": "exec: no such file or directory\n"}}
    cause = diagnosis.hopeless(pod(phase="Failed", state=over))
    assert cause is not None
    expected = "Its pod could not be started: container worker: StartError: exec: no such file or directory."
    assert cause.sentence == expected


# ---- what the scheduler says


def unscheduled(message: str) -> JSON:
    return pod(conditions=({"type": "PodScheduled", "status": "False", "message": message},))


NO_CPU = (
    "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient example.com/tpu. preemption: 0/1 nodes are usable."
)


def test_an_unschedulable_pod_names_the_resource_and_the_amounts() -> None:
    """What the pod asks for and what nodes have, for each resource that is short; the scheduler's words stay."""
    cause = diagnosis.pending(unscheduled(NO_CPU), [{"status": {"allocatable": {"cpu": "2", "example.com/tpu": "0"}}}])
    assert cause.kind == Kind.UNSCHEDULABLE
    figures = "it asks for cpu 64, and nodes have 2 in all; it asks for example.com/tpu, and no node has any"
    assert cause.sentence == f"No node has room for its pod: {figures}. The scheduler says: {NO_CPU}"


def test_without_the_right_to_see_nodes_what_is_asked_for_is_told() -> None:
    """The amounts of nodes are left out, not made up."""
    assert "No node has room for its pod: it asks for cpu 64; it asks for example.com/tpu. The" in str(
        diagnosis.pending(unscheduled(NO_CPU)),
    )


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("1 Too many pods.", "Ask for fewer workers or more nodes."),
        ("1 node(s) didn't match Pod's node affinity/selector.", "Compare node-selector and affinity"),
        ("1 node(s) had untolerated taint {ci: }.", "Add tolerations"),
    ],
)
def test_a_pod_without_a_place_is_told_with_what_would_give_it_one(reason: str, remedy: str) -> None:
    """What the user said about places has another remedy than a node that is full."""
    cause = diagnosis.pending(unscheduled(f"0/1 nodes are available: {reason}"))
    assert cause.kind == Kind.UNPLACED
    assert remedy in cause.remedy
    assert ".." not in str(cause)


# ---- nodes and namespaces

TAINTED = diagnosis.ended(
    deleted(pod(phase="Running", state={"running": {}}, conditions=(disruption("DeletionByTaintManager"),)))
)


def node(ready: str, *taints: str) -> JSON:
    condition = {"type": "Ready", "status": ready, "message": "Kubelet stopped posting node status.", "reason": "Lost"}
    return {
        "spec": {"taints": [{"key": key, "effect": "NoExecute"} for key in taints]},
        "status": {"conditions": [{**condition, "lastTransitionTime": "2030-01-01T00:00:00Z"}]},
    }


def test_a_node_that_is_not_ready_is_the_cause_of_what_it_did_to_its_pods() -> None:
    """The taint, or the lost stream, is only how it showed."""
    lost = tell(Kind.UNREACHABLE, message="no answer")
    for before in (TAINTED, lost):
        assert before is not None
        for ready in ("False", "Unknown"):
            cause = diagnosis.with_node(before, RUNNING, node(ready, "node.kubernetes.io/unreachable"))
            assert cause.kind == Kind.NODE_NOT_READY
            words = "Its node a is not ready since 2030-01-01T00:00:00Z: Kubelet stopped posting node status."
            assert cause.sentence == words
        assert diagnosis.with_node(before, RUNNING, None).kind == Kind.NODE_GONE


def test_a_taint_is_named() -> None:
    """The node is well; somebody wants its pods away."""
    assert TAINTED is not None
    running = pod(conditions=(disruption("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),))
    cause = diagnosis.with_node(TAINTED, running, node("True", "example.com/maintenance"))
    assert "does not tolerate its taint" not in cause.sentence
    assert "do not tolerate its taint example.com/maintenance, and its pod was deleted: Taint manager" in cause.sentence
    lost = tell(Kind.UNREACHABLE, message="no answer")
    assert diagnosis.with_node(lost, running, node("True", "example.com/maintenance")) is lost


def test_a_namespace_that_goes_takes_its_pods_along() -> None:
    """Deleted under the run is another thing than one pod deleted."""
    by_hand = tell(Kind.POD_DELETED)
    there: JSON = {"metadata": {"name": "ns"}}
    assert diagnosis.with_namespace(by_hand, "ns", there) is by_hand
    for namespace in (None, deleted(there)):
        cause = diagnosis.with_namespace(by_hand, "ns", namespace)
        assert (cause.kind, "Its namespace ns was deleted, and not by this run." in cause.sentence) == (
            Kind.NAMESPACE_DELETED,
            True,
        )


# ---- refusals


def test_an_exceeded_quota_names_the_resource_and_the_amounts() -> None:
    """The API server's answer (its plugin/resourcequota/controller.go): what is asked for, used and allowed."""
    message = (
        "The API server https://x answered POST /api/v1/namespaces/ns/pods with 403: "
        'pods "worker" is forbidden: exceeded quota: team, requested: pods=1,requests.cpu=100m, '
        "used: pods=2,requests.cpu=3900m, limited: pods=2,requests.cpu=3900m"
    )
    cause = diagnosis.refused("ns", message)
    assert cause.kind == Kind.QUOTA
    assert cause.sentence == (
        "The quota 'team' of namespace ns leaves no room for pod worker: "
        "1 pods asked for, 2 of 2 used; 100m requests.cpu asked for, 3900m of 3900m used."
    )


def test_a_refusal_in_a_namespace_that_goes_is_its_deletion() -> None:
    """Somebody was quicker than the making of its objects."""
    message = 'pods "worker" is forbidden: unable to create new content in namespace ns because it is being terminated'
    assert diagnosis.refused("ns", message).kind == Kind.NAMESPACE_DELETED


def test_any_other_refusal_is_quoted() -> None:
    """What the API server says stands."""
    cause = diagnosis.refused("ns", "admission webhook x denied the request.")
    assert cause.kind == Kind.REFUSED
    assert cause.sentence == "Its namespace ns could not be made: admission webhook x denied the request."


# ---- the worker's process


def test_a_process_killed_for_memory_names_limit_and_peak() -> None:
    """On cgroup version 1 only the supervisor knows; both figures are its readings."""
    told = ExitStatus(
        signal=9, heard=True, memory_kills=1, memory_limit=64 * MIB, memory_peak=64 * MIB, cause="It was killed."
    )
    cause = diagnosis.of_process(told)
    assert cause is not None
    assert cause.kind == Kind.OUT_OF_MEMORY
    words = "Its process was killed for exceeding its memory limit of 64 MiB, with 64 MiB at its peak."
    assert cause.sentence == words


def test_a_child_killed_for_memory_is_not_the_workers_end() -> None:
    """The worker ended for another reason, which is told with the supervisor's observation."""
    told = ExitStatus(code=1, heard=True, memory_kills=1, cause="A process it had started was killed.")
    cause = diagnosis.of_process(told)
    assert cause is not None
    assert cause.kind == Kind.EXIT
    assert cause.sentence == "Its process exited with code 1: A process it had started was killed."


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_signal_is_named(number: signal.Signals) -> None:
    """By the name that people know, once."""
    cause = diagnosis.of_process(ExitStatus(signal=number, heard=True, cause=f"It ended by {number.name}."))
    assert cause is not None
    assert (cause.kind, cause.sentence) == (Kind.SIGNAL, f"Its process was ended by {number.name}.")


def test_what_could_not_be_started_says_why() -> None:
    """The supervisor's own sentence."""
    cause = diagnosis.of_process(ExitStatus(heard=True, cause="The sources could not be unpacked: no space."))
    assert cause is not None
    assert (cause.kind, "no space" in cause.sentence) == (Kind.NOT_STARTED, True)


@pytest.mark.parametrize(
    "status",
    [
        ExitStatus(),
        ExitStatus(cause="The stream was lost."),
        ExitStatus(signal=15, heard=True, stopped=True),
        ExitStatus(signal=9, heard=True, wanted=True),
    ],
)
def test_an_end_that_is_not_the_workers_own_is_explained_elsewhere(status: ExitStatus) -> None:
    """Nobody heard of it, its pod was being stopped, or this run wanted it."""
    assert diagnosis.of_process(status) is None


@pytest.mark.parametrize(
    ("reason", "message", "kind"),
    [
        (
            "CreateContainerError",
            "failed to generate spec: error stating device path: stat /dev/apex_0: no such file or directory",
            Kind.DEVICE_REFUSED,
        ),
        ("CreateContainerError", "lstat /dev/bus/usb/001/006: no such file or directory", Kind.DEVICE_REFUSED),
        (
            "CreateContainerConfigError",
            "device plugin PreStartContainer rpc failed with err: apex_0 could not be reset",
            Kind.DEVICE_REFUSED,
        ),
        ("CreateContainerError", "stat /srv/data: no such file or directory", Kind.NOT_STARTED),
    ],
)
def test_a_device_that_goes_before_the_start_is_no_fault_of_the_pods(reason: str, message: str, kind: Kind) -> None:
    """Another pod gets another device, or waits for one; what a pod mounts wrongly lasts."""
    stuck = pod(state={"waiting": {"reason": reason, "message": message}})
    cause = diagnosis.hopeless(stuck)
    assert cause is not None
    assert cause.kind == kind
    assert diagnosis.is_turned_away(stuck) == (kind == Kind.DEVICE_REFUSED)


@pytest.mark.parametrize(
    ("status", "turned_away"),
    [
        (("UnexpectedAdmissionError", "Pod was rejected: Allocate failed due to no device"), True),
        (("OutOfcpu", "Node didn't have enough resource: cpu"), True),
        (("OutOfa.b/coral", "Pod was rejected: Node didn't have enough resource: a.b/coral"), True),
        (("NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed"), True),
        (("Evicted", "Pod was rejected: The node had condition: [MemoryPressure]."), True),
        (("SomethingNew", "Pod was rejected: of a later release"), True),
        (("Evicted", "The node was low on resource: memory."), False),
        (("DeadlineExceeded", "Pod was active on the node longer than it may"), False),
    ],
)
def test_a_pod_that_never_ran_is_told_from_one_that_was_ended(
    status: tuple[str, str],
    turned_away: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Only the first is worth another try in the same place: nothing of it has been used."""
    reason, message = status
    assert diagnosis.is_turned_away(pod(phase="Failed", reason=reason, message=message)) == turned_away
    assert not diagnosis.is_turned_away(RUNNING)
