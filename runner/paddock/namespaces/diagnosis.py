"""What a pod, a process or an answer of the API server says of a worker's end, as a cause.

Pure: reads what others have fetched. The words are those of ``causes``; the reasons that kubelet, scheduler and
controllers write are those of Kubernetes 1.36 (pkg/kubelet/{eviction,lifecycle,nodeshutdown,preemption,cm},
pkg/controller/{tainteviction,podgc}, pkg/scheduler/framework/preemption). It must not ask the cluster.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

from paddock.namespaces.causes import Kind, tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paddock.cluster.requests import Manifest
    from paddock.specs import Cause, ExitStatus

_WAITS: Mapping[str, Kind] = {
    "ErrImagePull": Kind.IMAGE,
    "ImagePullBackOff": Kind.IMAGE,
    "ErrImageNeverPull": Kind.IMAGE,
    "InvalidImageName": Kind.IMAGE,
    "CreateContainerConfigError": Kind.NOT_STARTED,
    "CreateContainerError": Kind.NOT_STARTED,
    "RunContainerError": Kind.NOT_STARTED,
    "CrashLoopBackOff": Kind.NOT_STARTED,
}
"""A container's reasons for waiting that do not pass by themselves."""

_RUNTIME_GONE = (
    "error reading from server: EOF",
    "transport is closing",
    "connect: connection refused",
    "code = Unavailable",
)
"""In the message of a container that was not started because the runtime went away meanwhile: gRPC's own words."""

_NOT_YET_KNOWN = ("failed to sync secret cache", "failed to sync configmap cache")
"""In the message of a container whose kubelet could not ask the API server: it asks again until it can."""

_DEVICE_GONE = re.compile(r"stat /dev/\S+: no such file or directory|device plugin PreStartContainer rpc failed")
"""In the message of a container whose device went between kubelet's admission and the start: containerd's own words
(pkg/oci, pkg/os), and kubelet's for a plugin that could not get it ready."""

_REJECTED = "Pod was rejected"
"""Begins the message of a pod that its kubelet never ran (pkg/kubelet, rejectPod)."""

_DISRUPTIONS: Mapping[str, Kind] = {
    "PreemptionByScheduler": Kind.PREEMPTED,
    "DeletionByTaintManager": Kind.NODE_TAINTED,
    "EvictionByEvictionAPI": Kind.DRAINED,
    "DeletionByPodGC": Kind.NODE_GONE,
}
"""Reasons of the condition DisruptionTarget; that of the kubelet, TerminationByKubelet, says less than the status."""

_REASONS: Mapping[str, Kind] = {
    "Evicted": Kind.EVICTED,
    "DeadlineExceeded": Kind.DEADLINE,
    "NodeLost": Kind.NODE_NOT_READY,
    "Terminated": Kind.NODE_SHUTDOWN,
    "NodeShutdown": Kind.NODE_SHUTDOWN,
    "Preempting": Kind.PREEMPTED,
    "UnexpectedAdmissionError": Kind.NODE_REFUSED,
    "NodeAffinity": Kind.NODE_REFUSED,
    "TopologyAffinityError": Kind.NODE_REFUSED,
}
"""Reasons in the status of a pod; ``OutOf…``, with what the node is out of, stands beside them."""

_PLACES = (
    ("affinity/selector", "Compare node-selector and affinity in [tool.paddock.pod] with the nodes' labels."),
    ("untolerated taint", "Add tolerations in [tool.paddock.pod] if the pods may run there."),
    ("", "Ask for fewer workers or more nodes."),
)
"""What the scheduler says -> what to do about it; the first that holds."""

_OVER_ITS_LIMIT = ("ephemeral local storage usage exceeds", "local ephemeral storage limit", "EmptyDir volume")
_INSUFFICIENT = re.compile(r"Insufficient ([^\s,]*[^\s,.])")
_PRESSURE = re.compile(r"low on resource: ([^\s.]+)|had condition: \[?([^\].]+)")
_QUOTA = re.compile(r'(\w+) "([^"]+)" is forbidden: exceeded quota: (\S+), requested: (.+), used: (.+), limited: (.+)')
_BEYOND_STATUS = 128  # a shell's, and a container runtime's, way to tell a signal by an exit code


# ---- pods


def is_running(pod: Manifest) -> bool:
    """Whether every container of the pod has been started and runs."""
    statuses = list(_statuses(pod))
    return bool(statuses) and all("running" in status["state"] for status in statuses)


def is_ready(pod: Manifest) -> bool:
    """Whether the probes of all its containers pass."""
    return any(condition["status"] == "True" for condition in _conditions(pod, "Ready"))


def is_scheduled(pod: Manifest) -> bool:
    """Whether a node was found for the pod."""
    return any(condition["status"] == "True" for condition in _conditions(pod, "PodScheduled"))


def waits_for(pod: Manifest) -> str:
    """Return what a pod that does not run yet waits for, in a few words."""
    for condition in _conditions(pod, "PodScheduled"):
        if condition["status"] == "False":
            return f"a node: {condition.get('message', 'no reason given')}"
    waiting = (status["state"].get("waiting", {}).get("reason", "") for status in _statuses(pod))
    reason = next(filter(None, waiting), "")
    return f"its pod to start: {reason}" if reason else "its pod to start"


def hopeless(pod: Manifest) -> Cause | None:
    """Return why waiting for the pod to run is pointless; ``None`` while there is hope."""
    return _over(pod) or next(_stuck(pod), None)


def pending(pod: Manifest, nodes: Sequence[Manifest] = ()) -> Cause:
    """Return what a pod that does not run yet is waiting for; ``nodes`` are those whose size may be told."""
    if cause := unscheduled(pod, nodes):
        return cause
    for status in _statuses(pod):
        waiting = status["state"].get("waiting", {})
        if waiting:
            words = " ".join(filter(None, (waiting.get("reason"), waiting.get("message"))))
            return tell(Kind.LATE, message=f"container {status['name']} waits: {words}")
    return tell(Kind.LATE, message=f"its phase is {pod.get('status', {}).get('phase', 'unknown')}")


def unscheduled(pod: Manifest, nodes: Sequence[Manifest] = ()) -> Cause | None:
    """Return why the scheduler has found no node for a pod so far; ``None`` where it has, or has not looked."""
    for condition in _conditions(pod, "PodScheduled"):
        if condition["status"] == "False":
            return _unscheduled(pod, condition.get("message", "no reason given"), nodes)
    return None


def ended(pod: Manifest) -> Cause | None:
    """Return why a pod that ran does not run any more; ``None`` while it runs."""
    over = _over(pod)
    if not over and pod["metadata"].get("deletionTimestamp"):
        return tell(Kind.POD_DELETED)
    return over


def is_turned_away(pod: Manifest) -> bool:
    """Return whether the pod's node would not run it, where another pod may fare better: nothing of it ever ran."""
    cause = hopeless(pod)
    rejected = str(pod.get("status", {}).get("message", "")).startswith(_REJECTED)
    return cause is not None and (rejected or cause.kind in {Kind.NODE_REFUSED, Kind.DEVICE_REFUSED})


def _over(pod: Manifest) -> Cause | None:
    """Return what the status says; the first who wrote something knows best: who disrupts, then who kills."""
    status = pod.get("status", {})
    over = status.get("phase") in {"Failed", "Succeeded"}
    for condition in _conditions(pod, "DisruptionTarget"):
        kind = _DISRUPTIONS.get(condition.get("reason", ""))
        if kind and (over or pod["metadata"].get("deletionTimestamp")):  # else it may still be called off
            return _on_node(kind, pod, condition.get("message", ""))
    if over and status.get("reason"):
        return _by_reason(pod, status["reason"], status.get("message", ""))
    return _killed_for_memory(pod) or (_finished(pod) if over or _has_lost_its_own(pod) else None)


def _by_reason(pod: Manifest, reason: str, message: str) -> Cause:
    return _on_node(_kind_of(reason, message), pod, message, reason=reason)


def _kind_of(reason: str, message: str) -> Kind:
    out_of = reason.startswith("OutOf")
    if reason == "Evicted" and any(sign in message for sign in _OVER_ITS_LIMIT):
        return Kind.STORAGE_EXCEEDED
    if (out_of and "/" in reason) or (reason == "UnexpectedAdmissionError" and "device" in message):
        return Kind.DEVICE_REFUSED
    return Kind.NODE_REFUSED if out_of else _REASONS.get(reason, Kind.POD_FAILED)


def _on_node(kind: Kind, pod: Manifest, message: str, reason: str = "") -> Cause:
    """Tell a cause with what rows of nodes and pods may ask for."""
    pressure = _PRESSURE.search(message)
    seconds = pod["spec"].get("activeDeadlineSeconds", "an unknown number of")
    found = next(filter(None, pressure.groups())) if pressure else "something"
    facts = {"pressure": found, "seconds": seconds, "taints": "", "since": "", "reason": reason}
    return tell(kind, node=_node(pod), message=message or "no more is known", **facts)


def _killed_for_memory(pod: Manifest) -> Cause | None:
    for name, over in _terminated(pod):
        if over.get("reason") == "OOMKilled":
            limit = _limit(pod, name)
            return tell(Kind.OUT_OF_MEMORY, who=f"Container {name}", figures=f" of {limit}" if limit else "")
    return None


def _has_lost_its_own(pod: Manifest) -> bool:
    """Whether the container that the pod is named for has ended for good, though one of the user's still runs."""
    if pod["spec"].get("restartPolicy") != "Never":
        return False
    return any(name == pod["metadata"]["name"] for name, _ in _terminated(pod))


def _finished(pod: Manifest) -> Cause:
    words = [
        f"container {name}: {over.get('reason', 'ended')}: {over['message'].strip()}"
        for name, over in _terminated(pod)
        if over.get("message")  # of a container that could not be started, this is all that is known
    ]
    if words:
        return tell(Kind.NOT_STARTED, who="Its pod", message="; ".join(words))
    codes = [over.get("exitCode") for _, over in _terminated(pod)]
    return tell(Kind.SUPERVISOR_LOST, how=" and ".join(map(_how, codes)) or "ended", node=_node(pod))


def _how(code: int | None) -> str:
    number = (code or 0) - _BEYOND_STATUS
    return f"was ended by {signal_name(number)}" if number > 0 else f"exited with code {code}"


def _stuck(pod: Manifest) -> Iterator[Cause]:
    for status in _statuses(pod):
        waiting = status["state"].get("waiting") or {}
        kind = _WAITS.get(waiting.get("reason", ""))
        name, reason, message = status["name"], waiting.get("reason", ""), waiting.get("message", "no message")
        if any(words in message for words in _NOT_YET_KNOWN):
            continue
        if kind is Kind.NOT_STARTED and _DEVICE_GONE.search(message):
            yield _on_node(Kind.DEVICE_REFUSED, pod, message)
        elif kind is Kind.IMAGE:
            yield tell(kind, container=name, image=_image(pod, name), reason=reason, message=message)
        elif kind and not any(words in message for words in _RUNTIME_GONE):
            yield tell(kind, who=f"Container {name}", message=f"{reason}: {message}")
        elif kind and pod["spec"].get("restartPolicy") == "Never":  # others are started once the runtime is back
            yield tell(Kind.RUNTIME_GONE, container=name, node=_node(pod), message=f"{reason}: {message}")


# ---- the scheduler's message


def _unscheduled(pod: Manifest, message: str, nodes: Sequence[Manifest]) -> Cause:
    wanting = list(dict.fromkeys(_INSUFFICIENT.findall(message)))
    if not wanting:
        remedy = next(remedy for sign, remedy in _PLACES if sign in message)
        return tell(Kind.UNPLACED, message=message, place=remedy)
    figures = "; ".join(_short(pod, resource, nodes) for resource in wanting)
    return tell(Kind.UNSCHEDULABLE, figures=figures, message=message)


def _short(pod: Manifest, resource: str, nodes: Sequence[Manifest]) -> str:
    asked = " + ".join(filter(None, (_asked(one, resource) for one in pod["spec"]["containers"])))
    text = f"it asks for {resource} {asked}".rstrip()
    if not nodes:
        return text
    sizes = {node["status"].get("allocatable", {}).get(resource, "") for node in nodes} - {"", "0"}
    return f"{text}, and " + (f"nodes have {', '.join(sorted(sizes))} in all" if sizes else "no node has any")


def _asked(container: Mapping[str, Any], resource: str) -> str:
    resources = container.get("resources", {})
    return str(resources.get("requests", {}).get(resource) or resources.get("limits", {}).get(resource) or "")


# ---- nodes and namespaces


def with_node(cause: Cause, pod: Manifest, node: Manifest | None) -> Cause:
    """Return a more exact cause, given what there is of the pod's node; ``None`` for a node that does not exist."""
    if node is None:
        return _on_node(Kind.NODE_GONE, pod, "the API server knows no such node")
    for condition in node.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] != "True":
            since = f" since {condition['lastTransitionTime']}" if condition.get("lastTransitionTime") else ""
            message = condition.get("message") or condition.get("reason") or "no reason given"
            return tell(Kind.NODE_NOT_READY, node=_node(pod), since=since, message=message)
    taints = [one["key"] for one in node["spec"].get("taints", []) if one.get("effect") == "NoExecute"]
    if cause.kind == Kind.NODE_TAINTED and taints:
        message = next((one.get("message", "") for one in _conditions(pod, "DisruptionTarget")), "")
        return tell(Kind.NODE_TAINTED, node=_node(pod), taints=f" {', '.join(taints)}", message=message)
    return cause


def with_namespace(cause: Cause, name: str, namespace: Manifest | None) -> Cause:
    """Return a more exact cause, given what there is of the pod's namespace; ``None`` for one that is gone."""
    going = namespace is None or "deletionTimestamp" in namespace["metadata"]
    return tell(Kind.NAMESPACE_DELETED, namespace=name) if going else cause


# ---- answers of the API server


def refused(namespace: str, message: str) -> Cause:
    """Return why an object of a namespace could not be made, given the API server's answer."""
    quota = _QUOTA.search(message)
    if quota:
        things, name, called, *figures = quota.groups()
        what = f"{things.removesuffix('s')} {name}"
        return tell(Kind.QUOTA, quota=called, namespace=namespace, what=what, figures=_room(*figures))
    if "being terminated" in message:
        return tell(Kind.NAMESPACE_DELETED, namespace=namespace)
    return tell(Kind.REFUSED, namespace=namespace, message=message)


def _room(requested: str, used: str, limited: str) -> str:
    asked, taken, most = (dict(_pair(one) for one in text.split(",")) for text in (requested, used, limited))
    return "; ".join(
        f"{amount} {resource} asked for, {taken.get(resource, '?')} of {most.get(resource, '?')} used"
        for resource, amount in asked.items()
    )


def _pair(text: str) -> tuple[str, str]:
    resource, _, amount = text.strip().rstrip(".").partition("=")
    return resource, amount


# ---- the worker's process


def of_process(status: ExitStatus) -> Cause | None:
    """Return what a worker's own end says; ``None`` where it did not end by itself, or nobody heard of it."""
    if status.stopped or status.wanted or (status.code is None and status.signal is None and not status.heard):
        return None
    if status.memory_kills and status.signal == signal.SIGKILL:
        return tell(Kind.OUT_OF_MEMORY, who="Its process", figures=_figures(status))
    how = f": {status.cause}" if status.cause and not status.cause.startswith("It ended by") else ""
    if status.signal is not None:
        return tell(Kind.SIGNAL, signal=signal_name(status.signal), how=how)
    if status.code is not None:
        return tell(Kind.EXIT, code=status.code, how=how)
    return tell(Kind.NOT_STARTED, who="Its process", message=status.cause)


def _figures(status: ExitStatus) -> str:
    limit = f" of {_mebibytes(status.memory_limit)}" if status.memory_limit else ""
    return limit + (f", with {_mebibytes(status.memory_peak)} at its peak" if status.memory_peak else "")


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def signal_name(number: int) -> str:
    """Return the name of a signal, such as ``SIGSEGV``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# ---- looking into manifests


def _node(pod: Manifest) -> str:
    name = pod["spec"].get("nodeName")
    return f" {name}" if name else ""


def _image(pod: Manifest, container: str) -> str:
    return next((one.get("image", "") for one in pod["spec"]["containers"] if one["name"] == container), "")


def _limit(pod: Manifest, container: str) -> str:
    limits = {one["name"]: one.get("resources", {}).get("limits", {}) for one in pod["spec"]["containers"]}
    return str(limits.get(container, {}).get("memory", ""))


def _statuses(pod: Manifest) -> list[dict[str, Any]]:
    return [one for one in pod.get("status", {}).get("containerStatuses", []) if one.get("state")]


def _terminated(pod: Manifest) -> list[tuple[str, dict[str, Any]]]:
    return [(one["name"], one["state"]["terminated"]) for one in _statuses(pod) if "terminated" in one["state"]]


def _conditions(pod: Manifest, wanted: str) -> list[dict[str, Any]]:
    return [one for one in pod.get("status", {}).get("conditions", []) if one["type"] == wanted]
