"""The pod and the Service of a service that the user declares, from the YAML of ``k8s/namespace`` completed as data.

Pure but for reading that file once. What every pod of a namespace has, ``namespaces.manifests`` adds.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from paddock.namespaces.templates import load

if TYPE_CHECKING:
    from paddock.cluster.requests import Manifest
    from paddock.declared_services import DeclaredService

_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ALWAYS = ("serviceAccountName", "automountServiceAccountToken", "enableServiceLinks")
"""Of a pod's spec: no account of its own, no token, and no variables that nobody asked for."""
_EVERY = {"periodSeconds": 1, "failureThreshold": 3}
"""Kubernetes' default of 10 s between two looks would be most of the time until the first test."""


def objects(service: DeclaredService, worker_image: str, programs: str) -> list[Manifest]:
    """Return the service's objects; ``programs`` is the folder of the environment's programs in ``worker_image``."""
    service = service.listening(service.name, service.port)
    if service.objects:
        return _own(service, worker_image, programs)
    return [pod(service, worker_image, programs), _reached(service, "main")]


def pod(service: DeclaredService, worker_image: str, programs: str) -> Manifest:
    """Return the pod alone; its placeholders have their values already."""
    made = copy.deepcopy(load("declared")[0])
    made["metadata"]["name"] = service.name
    _complete(made["spec"]["containers"][0], service)
    if service.image is None:
        _run_the_project(made["spec"]["containers"][0], worker_image, programs)
    return made


def _reached(service: DeclaredService, target: str | int) -> Manifest:
    reached = copy.deepcopy(load("declared")[1])
    reached["metadata"]["name"] = service.name
    reached["spec"]["ports"][0] |= {"port": service.port, "targetPort": target}
    return reached


def _own(service: DeclaredService, worker_image: str, programs: str) -> list[Manifest]:
    """Return the user's own objects, completed by what every pod of ours has and by what was not said."""
    made = [copy.deepcopy(dict(one)) for one in service.objects]
    for one in made:
        if one["kind"] == "Pod":
            _complete_own(one, service, worker_image, programs)
    if ("Service", service.name) not in [(one["kind"], one["metadata"]["name"]) for one in made]:
        made.append(_reached(service, service.port))
    return made


def _complete_own(manifest: Manifest, service: DeclaredService, worker_image: str, programs: str) -> None:
    spec, ours = manifest["spec"], load("declared")[0]["spec"]
    spec |= {key: value for key, value in ours.items() if key in _ALWAYS or key not in spec}
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        if "image" not in container:
            _run_the_project(container, worker_image, programs)
    if manifest["metadata"]["name"] == service.name:
        spec["containers"][0].setdefault("readinessProbe", _EVERY | dict(service.readiness))
        _hold(spec["containers"][0], service)


def _complete(container: dict[str, Any], service: DeclaredService) -> None:
    container["name"] = service.name
    container["image"] = service.image
    container["ports"] = [{"name": "main", "containerPort": service.port}]
    container["readinessProbe"] = _EVERY | dict(service.readiness)
    container["env"] = [{"name": name, "value": value} for name, value in service.environment.items()]
    container["resources"]["requests"] |= {"cpu": service.cpu} if service.cpu else {}
    container["resources"]["limits"] |= {"memory": service.memory} if service.memory else {}
    _hold(container, service)
    if service.command:
        container["command"] = list(service.command)


def _hold(container: dict[str, Any], service: DeclaredService) -> None:
    """Have a container hold the service's hardware; of extended resources a limit alone is a request as well."""
    if service.devices:
        resources = container.setdefault("resources", {})
        resources["limits"] = {**resources.get("limits", {}), **{k: str(n) for k, n in service.devices.items()}}


def _run_the_project(container: dict[str, Any], worker_image: str, programs: str) -> None:
    container["image"] = worker_image
    container["env"] = [
        {"name": "PATH", "value": f"{programs}:{_USUAL_PATH}"},
        {"name": "HOME", "value": "/home/paddock"},
        *container.get("env", ()),
    ]
