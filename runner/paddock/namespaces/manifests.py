"""The objects of a worker's namespace, or of what workers share, from the YAML of ``k8s/namespace`` completed as data.

Pure but for reading those files once. It must not talk to a cluster.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock import names
from paddock.namespaces import additions, declared
from paddock.namespaces.templates import load
from paddock.specs import DEFAULT_UID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from paddock.cluster.requests import Manifest
    from paddock.declared_services import DeclaredService
    from paddock.specs import RunPlan

SOCKET = "/run/paddock/worker.sock"
"""Where the in-pod supervisor listens for streams."""

_SUPERVISOR = "/opt/paddock/lib/paddock/workers/inpod/__main__.py"

_FILES = ("namespace", "account", "policy", "pull", "limits", "broker", "database", "worker", "quota")
_OF_A_SHARER = (*(file for file in _FILES if file != "broker"), "to-shared")
"""Of a worker that shares its broker."""
_SHARED_MEMORY = "1Gi"
"""Limit of what serves all workers: as much as eight brokers of their own may take."""
_SHARED = ("namespace", "account", "policy", "from-workers", "pull", "limits", "broker", "quota")

_STAGES: tuple[frozenset[str], ...] = (
    frozenset({"Namespace"}),
    # The Secret that images are pulled with: a kubelet that does not find it goes on without, and fails.
    frozenset({"ServiceAccount", "NetworkPolicy", "Secret/pull"}),
    frozenset({"Pod/worker"}),
    frozenset({"Secret", "ConfigMap", "LimitRange", "Service"}),
    frozenset({"Pod"}),
    # Last: a quota counts what exists, but until its controller has counted it refuses every pod (some 20 ms).
    frozenset({"ResourceQuota"}),
)
"""What is made at once, in order; ``Kind/name`` is one object of a kind."""

PULL = "pull"
"""Name of the Secret that images are pulled with; its content is the user's."""

_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True)
class NamespaceObjects:
    """The objects of one namespace in the order of their making; those of a stage may be made at once."""

    name: str
    stages: tuple[tuple[Manifest, ...], ...]

    def all(self) -> list[Manifest]:
        """Return every object, in order."""
        return [manifest for stage in self.stages for manifest in stage]

    @property
    def services(self) -> list[str]:
        """The names of all pods but the worker's."""
        names_of_pods = (one["metadata"]["name"] for one in self.all() if one["kind"] == "Pod")
        return [name for name in names_of_pods if name != "worker"]


def build(
    plan: RunPlan,
    worker: str,
    credentials: Mapping[str, Mapping[str, str]],
    *,
    warm: str = "",
) -> NamespaceObjects:
    """Return the objects of ``worker``'s namespace; of ``names.SHARED`` those of what serves all workers.

    ``credentials`` maps the name of each Secret to its entries; ``warm`` is the process that the pod's supervisor
    starts before it is asked, see ``workers.worker.warm_order``.

    Raises:
        UsageError: what the user adds to pods would change what Paddock sets.
    """
    namespace = names.namespace_name(plan.run_id, worker)
    loaded = load(*_files(plan, worker))
    templates = (raw for raw in loaded if plan.pull_credentials or raw["metadata"].get("name") != PULL)
    raws = [*copy.deepcopy(list(templates)), *(() if worker == names.SHARED else _declared(plan))]
    manifests = [_complete(raw, plan, worker, namespace) for raw in raws]
    for manifest in manifests:
        if manifest["kind"] == "Secret" and manifest["metadata"]["name"] in {PULL, *credentials}:
            manifest["stringData"] = _entries(manifest, plan, credentials)
        if warm and (manifest["kind"], manifest["metadata"]["name"]) == ("Pod", "worker"):
            manifest["spec"]["containers"][0]["command"] += ["--warm", warm]
    return NamespaceObjects(namespace, _staged([_added(manifest, plan) for manifest in manifests]))


def places(plan: RunPlan, workers: Sequence[str]) -> list[str]:
    """Return whom namespaces are made for: what the ``workers`` share comes first."""
    return [*([names.SHARED] if plan.shares_broker else []), *workers]


def _files(plan: RunPlan, worker: str) -> Sequence[str]:
    if worker == names.SHARED:
        return _SHARED
    return _OF_A_SHARER if plan.shares_broker else _FILES


def extra_pod(plan: RunPlan, worker: str, service: DeclaredService) -> Manifest:
    """Return one more pod for a worker's namespace, whose placeholders have their values already.

    Raises:
        UsageError: as ``build``.
    """
    raw = declared.pod(service, plan.images.worker, _programs(plan))
    return _added(_complete(raw, plan, worker, names.namespace_name(plan.run_id, worker)), plan)


def _programs(plan: RunPlan) -> str:
    return supervisor_python(plan).rpartition("/")[0]


def _declared(plan: RunPlan) -> list[Manifest]:
    programs = _programs(plan)
    return [one for service in plan.services for one in declared.objects(service, plan.images.worker, programs)]


def _entries(secret: Manifest, plan: RunPlan, credentials: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    name = secret["metadata"]["name"]
    return {".dockerconfigjson": plan.pull_credentials} if name == PULL else dict(credentials[name])


def _added(manifest: Manifest, plan: RunPlan) -> Manifest:
    return additions.applied(manifest, plan.additions) if manifest["kind"] == "Pod" else manifest


def supervisor_python(plan: RunPlan) -> str:
    """Return the interpreter of the pod's first process: the worker's own, where no mount of sources hides it."""
    executable = str(plan.python.executable)
    for path, target in plan.python.links.items():
        if executable.startswith(path + "/"):
            return target + executable[len(path) :]
    return executable


def supervisor_command(plan: RunPlan, verb: str) -> list[str]:
    """Return the argv of the in-pod half: ``supervise`` as first process, ``attach`` for each stream.

    Isolated and without site-packages: nothing of the user's can break it, and it starts in some 20 ms.
    """
    return [supervisor_python(plan), "-I", "-S", "-B", "-u", _SUPERVISOR, verb, "--socket", SOCKET]


def _staged(manifests: Iterable[Manifest]) -> tuple[tuple[Manifest, ...], ...]:
    stages: list[list[Manifest]] = [[] for _ in _STAGES]
    for manifest in manifests:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        exact = f"{kind}/{name}"
        wanted = exact if any(exact in stage for stage in _STAGES) else kind
        stages[next(number for number, stage in enumerate(_STAGES) if wanted in stage)].append(manifest)
    return tuple(map(tuple, stages))


def _complete(manifest: Manifest, plan: RunPlan, worker: str, namespace: str) -> Manifest:
    metadata = manifest["metadata"]
    component = metadata.get("name") if manifest["kind"] in {"Pod", "Service", "Secret"} else None
    metadata["labels"] = metadata.get("labels", {}) | names.labels(plan.run_id, worker, component)
    if manifest["kind"] == "Namespace":
        metadata["name"] = namespace
        levels = [key for key in metadata["labels"] if key.startswith("pod-security.kubernetes.io/")]
        metadata["labels"] |= dict.fromkeys(levels, plan.security)
    else:
        metadata["namespace"] = namespace
    if manifest["kind"] == "NetworkPolicy":
        _complete_policy(manifest["spec"], metadata["name"], plan.run_id)
    if manifest["kind"] == "Service" and "selector" not in manifest["spec"]:
        manifest["spec"]["selector"] = names.labels(plan.run_id, worker, component)
    if component == "broker":
        _listen(manifest, plan.broker.port)
    if manifest["kind"] == "Pod":
        _complete_pod(manifest["spec"], plan, metadata["name"])
        if worker == names.SHARED:
            manifest["spec"]["containers"][0]["resources"]["limits"] = {"memory": _SHARED_MEMORY}
    return manifest


def _listen(manifest: Manifest, port: int) -> None:
    """Have the broker's pod or Service at a port."""
    if manifest["kind"] == "Pod":
        manifest["spec"]["containers"][0]["ports"][0]["containerPort"] = port
    if manifest["kind"] == "Service":
        manifest["spec"]["ports"][0]["port"] = port


def _complete_policy(spec: dict[str, Any], name: str, run_id: str) -> None:
    """Say which namespaces a policy opens its own to."""
    if name == "to-shared":
        spec["egress"][0]["to"][0]["namespaceSelector"] = {"matchLabels": names.labels(run_id, names.SHARED)}
    if name == "from-workers":
        spec["ingress"][0]["from"][0]["namespaceSelector"] = {"matchLabels": names.labels(run_id)}


def _complete_pod(spec: dict[str, Any], plan: RunPlan, component: str) -> None:
    spec["activeDeadlineSeconds"] = plan.pod_deadline
    spec["securityContext"] = _pod_security(plan, component)
    if plan.pull_credentials:
        spec["imagePullSecrets"] = [{"name": PULL}]
    images = {"worker": plan.images.worker, "broker": plan.images.broker, "database": plan.images.database}
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        container["image"] = images.get(component, container["image"])
        container["imagePullPolicy"] = plan.images.pull if container["image"] in images.values() else "IfNotPresent"
        if not _may_more(plan, component):
            container["securityContext"] = dict(_RESTRICTED)
    if component == "worker":
        _complete_worker(spec, plan)


def _may_more(plan: RunPlan, component: str) -> bool:
    """Return whether the baseline level was chosen and this is the pod it was chosen for: the one with the tests."""
    return plan.security == "baseline" and component == "worker"


def _pod_security(plan: RunPlan, component: str) -> dict[str, Any]:
    seccomp = {"seccompProfile": {"type": "RuntimeDefault"}}
    if plan.uid is None:
        return {"runAsNonRoot": True, **seccomp}
    uid = plan.uid if component == "worker" else plan.uid or DEFAULT_UID  # PostgreSQL refuses to run as root
    return {"runAsNonRoot": uid != 0, "runAsUser": uid, "runAsGroup": uid, "fsGroup": uid, **seccomp}


def _complete_worker(spec: dict[str, Any], plan: RunPlan) -> None:
    container = spec["containers"][0]
    staying = ["--stay", str(plan.pod_deadline)] if plan.keep else []
    waiting = ["--patience", str(plan.reuse)] if plan.reuse else []
    container["command"] = [*supervisor_command(plan, "supervise"), *staying, *waiting]
    container["resources"] = {
        "requests": container["resources"]["requests"] | {"cpu": plan.worker_cpu},
        "limits": {"memory": plan.worker_memory} | {name: str(count) for name, count in plan.hardware.items()},
    }
