"""Why a pod does not run, or runs no more, in plain words.

Pure: reads the pod's own status. It must not ask the cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paddock.cluster.requests import Manifest

_PULL = (
    "Check that the registry runs, the image exists, and nodes may pull it, with --paddock-pull-credentials if need be."
)
_REMEDIES: Mapping[str, str] = {
    "ErrImagePull": _PULL,
    "ImagePullBackOff": _PULL,
    "ErrImageNeverPull": "The node has lost an image that was loaded: start the run again, which loads it.",
    "InvalidImageName": "Check the image's reference.",
    "CreateContainerConfigError": "Check the Secrets and ConfigMaps that the pod names.",
    "CreateContainerError": "Look at 'kubectl describe pod' for the runtime's message.",
    "RunContainerError": "Look at 'kubectl describe pod' for the runtime's message.",
    "CrashLoopBackOff": "Look at 'kubectl logs --previous' for its last words.",
}
"""Reasons for waiting that do not pass by themselves, with what to do about each."""


_UNPLACED = (
    ("affinity/selector", "Compare node-selector and affinity in [tool.paddock.pod] with the nodes' labels."),
    ("untolerated taint", "Add tolerations in [tool.paddock.pod] if the pods may run there."),
    ("", "Ask for fewer workers or more nodes."),
)
"""What the scheduler says -> what to do about it; the first that holds."""


def _unplaced(message: str) -> str:
    return next(remedy for sign, remedy in _UNPLACED if sign in message)


def hopeless(pod: Manifest) -> str:
    """Return why waiting for the pod to run is pointless; empty while there is hope."""
    return _ended(pod) or next(_stuck(pod), "")


def pending(pod: Manifest) -> str:
    """Return what a pod that does not run yet is waiting for."""
    unschedulable = (one for one in _conditions(pod) if one["type"] == "PodScheduled" and one["status"] == "False")
    for condition in unschedulable:
        message = condition.get("message", "no reason given")
        return f"it cannot be scheduled: {message.rstrip('.')}. {_unplaced(message)}"
    for status in _statuses(pod):
        waiting = status["state"].get("waiting", {})
        if waiting:
            return f"container {status['name']} waits: {waiting.get('reason', '')} {waiting.get('message', '')}".strip()
    return f"its phase is {pod.get('status', {}).get('phase', 'unknown')}"


def is_running(pod: Manifest) -> bool:
    """Whether every container of the pod has been started and runs."""
    statuses = list(_statuses(pod))
    return bool(statuses) and all("running" in status["state"] for status in statuses)


def ended(pod: Manifest) -> str:
    """Return why a pod that ran does not run any more; empty while it runs."""
    if pod["metadata"].get("deletionTimestamp"):
        return "its pod was deleted"
    return _ended(pod)


def _ended(pod: Manifest) -> str:
    status = pod.get("status", {})
    for container in _statuses(pod):
        over = container["state"].get("terminated") or {}
        if over.get("reason") == "OOMKilled":
            name = container["name"]
            return f"container {name} was killed for exceeding its memory limit{_limit(pod, name)}"
    if status.get("phase") in {"Failed", "Succeeded"}:
        return _over(pod, status)
    return ""


def _over(pod: Manifest, status: Mapping[str, Any]) -> str:
    reason = " ".join(filter(None, (status.get("reason"), status.get("message"))))
    codes = [str(over.get("exitCode")) for _, over in _terminated(pod)]
    told = [
        f"container {name}: {over.get('reason', 'ended')}: {over['message'].strip()}"
        for name, over in _terminated(pod)
        if over.get("message")  # of a container that could not be started, this is all that is known
    ]
    return reason or "; ".join(told) or f"its pod ended with exit code {', '.join(codes) or 'unknown'}"


def _terminated(pod: Manifest) -> list[tuple[str, dict[str, Any]]]:
    return [(one["name"], one["state"]["terminated"]) for one in _statuses(pod) if "terminated" in one["state"]]


def _limit(pod: Manifest, container: str) -> str:
    limits = {one["name"]: one.get("resources", {}).get("limits", {}) for one in pod["spec"]["containers"]}
    memory = limits.get(container, {}).get("memory")
    return f" of {memory}" if memory else ""


def _stuck(pod: Manifest) -> Iterator[str]:
    for status in _statuses(pod):
        waiting = status["state"].get("waiting") or {}
        remedy = _REMEDIES.get(waiting.get("reason", ""))
        if remedy:
            yield f"container {status['name']}: {waiting['reason']}: {waiting.get('message', 'no message')}. {remedy}"


def _statuses(pod: Manifest) -> list[dict[str, Any]]:
    return [one for one in pod.get("status", {}).get("containerStatuses", []) if one.get("state")]


def _conditions(pod: Manifest) -> list[dict[str, Any]]:
    return list(pod.get("status", {}).get("conditions", []))
