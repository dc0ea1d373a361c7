"""Why workers go: every cause as a row of one table, with its sentence, its remedy and what follows for a replacement.

Pure. What is told of a lost worker, in the terminal and in JUnit, is written here and nowhere else; ``diagnosis`` finds
the row. The fate says whose doing it was as well, and with it whether a test that ran meanwhile runs again: after what
passes, and after nothing else. It must not know how a cause is recognised.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from paddock.specs import Cause, Fate

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """The causes; the values are what machines read in JUnit."""

    OUT_OF_MEMORY = "out-of-memory"
    SIGNAL = "signal"
    EXIT = "exit"
    EVICTED = "evicted"
    STORAGE_EXCEEDED = "storage-exceeded"
    DRAINED = "drained"
    PREEMPTED = "preempted"
    NODE_NOT_READY = "node-not-ready"
    NODE_TAINTED = "node-tainted"
    NODE_SHUTDOWN = "node-shutdown"
    NODE_GONE = "node-gone"
    NODE_REFUSED = "node-refused"
    DEVICE_REFUSED = "device-refused"
    DEVICE_SICK = "device-sick"
    RUNTIME_GONE = "runtime-gone"
    POD_FAILED = "pod-failed"
    DEADLINE = "deadline"
    POD_DELETED = "pod-deleted"
    NAMESPACE_DELETED = "namespace-deleted"
    SUPERVISOR_LOST = "supervisor-lost"
    UNREACHABLE = "unreachable"
    IMAGE = "image"
    NOT_STARTED = "not-started"
    QUOTA = "quota"
    UNSCHEDULABLE = "unschedulable"
    UNPLACED = "unplaced"
    REFUSED = "refused"
    LATE = "late"
    TURN = "waits-its-turn"
    RUN_LOST = "run-lost"


class Row(NamedTuple):
    """What is said of a cause; braces stand for what ``tell`` is given."""

    fate: Fate
    sentence: str
    remedy: str


_ELSEWHERE = "A worker in its place may be luckier."
TABLE: Mapping[Kind, Row] = {
    # ---- what tests and workers do themselves
    Kind.OUT_OF_MEMORY: Row(
        Fate.OWN,
        "{who} was killed for exceeding its memory limit{figures}.",
        "Raise --paddock-worker-memory, or find out what the test needs it for.",
    ),
    Kind.SIGNAL: Row(
        Fate.OWN,
        # SIGKILL too: what the kernel kills for memory is counted in the pod's cgroup and told above, and the cluster
        # ends containers, not processes in them. Whoever sent it was inside.
        "Its process was ended by {signal}{how}.",
        "What it wrote to stderr stands above, with its stacks if Python had the time.",
    ),
    Kind.EXIT: Row(
        Fate.OWN,
        "Its process exited with code {code}{how}.",
        "Something in it called os._exit or ended the interpreter; what it wrote to stderr stands above.",
    ),
    Kind.STORAGE_EXCEEDED: Row(
        Fate.OWN,
        "The node{node} evicted its pod for writing more than its limit allows: {message}",
        "Raise the limit in [tool.paddock.pod], or have the tests write less.",
    ),
    # ---- what may not happen again
    Kind.EVICTED: Row(
        Fate.PASSING,
        "The node{node} evicted its pod, being short of {pressure}: {message}",
        "Run fewer workers at once, or raise the requests of what needs the most in [tool.paddock.pod].",
    ),
    Kind.DRAINED: Row(
        Fate.PASSING,
        "Its pod was evicted on request, as 'kubectl drain' and autoscalers do: {message}",
        f"Keep runs away from nodes that are emptied. {_ELSEWHERE}",
    ),
    Kind.PREEMPTED: Row(
        Fate.PASSING,
        "Its pod was preempted, to make room for one of higher priority: {message}",
        "Give the pods a priority-class in [tool.paddock.pod], or run when the cluster has room.",
    ),
    Kind.NODE_NOT_READY: Row(
        Fate.PASSING,
        "Its node{node} is not ready{since}: {message}",
        f"Look at the node's kubelet. {_ELSEWHERE}",
    ),
    Kind.NODE_TAINTED: Row(
        Fate.PASSING,
        "Its node{node} repels pods that do not tolerate its taint{taints}, and its pod was deleted: {message}",
        "Add tolerations in [tool.paddock.pod] if the pods may run there.",
    ),
    Kind.NODE_SHUTDOWN: Row(Fate.PASSING, "Its node{node} was shut down: {message}", _ELSEWHERE),
    Kind.NODE_GONE: Row(Fate.PASSING, "Its node{node} does not exist any more: {message}", _ELSEWHERE),
    Kind.NODE_REFUSED: Row(
        Fate.PASSING,
        "The node{node} that the scheduler had chosen refused its pod: {message}",
        f"Others were quicker to take what it had. {_ELSEWHERE}",
    ),
    Kind.DEVICE_REFUSED: Row(
        Fate.PASSING,
        "The node{node} refused its pod for want of a device: {message}",
        "Look at the device plugin's log and at who holds the devices.",
    ),
    Kind.DEVICE_SICK: Row(
        Fate.PASSING,
        "The device {device} that it held was sick {when}: {reason}",
        "Look at the device, and at what the test did to it. Its remaining tests go to workers with another one.",
    ),
    Kind.RUNTIME_GONE: Row(
        Fate.PASSING,
        "The container runtime of the node{node} went away while it started container {container}: {message}",
        f"Look at the log of containerd, or what runs containers there. {_ELSEWHERE}",
    ),
    Kind.POD_FAILED: Row(
        Fate.PASSING,
        "Its pod failed on the node{node} with the reason {reason}: {message}",
        f"The Kubernetes documentation of that reason says what to do. {_ELSEWHERE}",
    ),
    Kind.POD_DELETED: Row(
        Fate.PASSING,
        "Its pod was deleted, and not by this run.",
        "Somebody, or a controller, deletes pods in namespaces of Paddock: the API server's audit log says who.",
    ),
    Kind.NAMESPACE_DELETED: Row(
        Fate.PASSING,
        "Its namespace {namespace} was deleted, and not by this run.",
        "Somebody, or a controller, deletes namespaces of Paddock: the API server's audit log says who.",
    ),
    Kind.SUPERVISOR_LOST: Row(
        Fate.PASSING,
        "Its pod's first process, the supervisor, {how}, and the worker with it.",
        "Nothing in a pod can do that to it: look at who may do so on the node{node}.",
    ),
    Kind.UNREACHABLE: Row(
        Fate.PASSING,
        "Nobody could reach it any more: {message}",
        "Look at the API server, the kubelet of its node, and proxies on the way that cut streams.",
    ),
    # ---- what lasts until somebody changes something
    Kind.DEADLINE: Row(
        Fate.LASTING,
        "Its pod had run for as long as pods of this run may, {seconds} s.",
        "Allow more with --paddock-deadline, or use more workers.",
    ),
    Kind.IMAGE: Row(
        Fate.LASTING,
        "Container {container} cannot have its image {image}: {reason}: {message}",
        "Check that the registry runs, the image exists, and nodes may pull it, with --paddock-pull-credentials "
        "if need be.",
    ),
    Kind.NOT_STARTED: Row(
        Fate.LASTING,
        "{who} could not be started: {message}",
        "Look at what it is told to run, mount and read.",
    ),
    Kind.QUOTA: Row(
        Fate.LASTING,
        "The quota {quota!r} of namespace {namespace} leaves no room for {what}: {figures}.",
        "Raise the quota, or ask for less in [tool.paddock.pod].",
    ),
    Kind.UNSCHEDULABLE: Row(
        Fate.LASTING,
        "No node has room for its pod: {figures}. The scheduler says: {message}",
        "Ask for less, for fewer workers, or add nodes.",
    ),
    Kind.UNPLACED: Row(Fate.LASTING, "No node takes its pod. The scheduler says: {message}", "{place}"),
    Kind.REFUSED: Row(
        Fate.LASTING,
        "Its namespace {namespace} could not be made: {message}",
        "Change what the answer names, or ask whoever runs the cluster.",
    ),
    Kind.LATE: Row(
        Fate.LASTING,
        "Its pod does not run yet: {message}",
        "More time is allowed by --paddock-scheduling-limit.",
    ),
    Kind.TURN: Row(
        Fate.LASTING,
        "It waits for {words}.",
        "How long it waits is set by --paddock-wait.",
    ),
    Kind.RUN_LOST: Row(Fate.LASTING, "{message}", "Start the run again."),
}
"""Every cause, once."""


def tell(kind: Kind, **facts: object) -> Cause:
    """Return a cause in words; ``facts`` fill the braces of its row.

    Raises:
        KeyError: a fact is missing.
    """
    row = TABLE[kind]
    return Cause(
        kind=kind.value,
        sentence=_ended(row.sentence.format(**facts)),
        remedy=row.remedy.format(**facts),
        fate=row.fate,
    )


def _ended(sentence: str) -> str:
    """Return a sentence with one full stop, whatever the message at its end brought along."""
    return f"{sentence.rstrip(' .:')}."
