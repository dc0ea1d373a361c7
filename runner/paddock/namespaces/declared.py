"""The pod and the Service of a service that the user declares, from the YAML of ``k8s/namespace`` completed as data.

Pure but for reading that file once. What every pod of a namespace has, ``namespaces.manifests`` adds.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from paddock.namespaces.templates import load

if TYPE_CHECKING:
    from paddock.cluster.requests import Manifest
    from paddock.specs import DeclaredService

_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_EVERY = {"periodSeconds": 1, "failureThreshold": 3}
"""Kubernetes' default of 10 s between two looks would be most of the time until the first test."""


def objects(service: DeclaredService, worker_image: str, programs: str) -> list[Manifest]:
    """Return the service's objects; ``programs`` is the folder of the environment's programs in ``worker_image``."""
    pod, reached = copy.deepcopy(load("declared"))
    for manifest in (pod, reached):
        manifest["metadata"]["name"] = service.name
    reached["spec"]["ports"][0]["port"] = service.port
    _complete(pod["spec"]["containers"][0], service)
    if service.image is None:
        _run_the_project(pod["spec"]["containers"][0], worker_image, programs)
    return [pod, reached]


def _complete(container: dict[str, Any], service: DeclaredService) -> None:
    container["name"] = service.name
    container["image"] = service.image
    container["ports"] = [{"name": "main", "containerPort": service.port}]
    container["readinessProbe"] = _EVERY | dict(service.readiness)
    container["env"] = [{"name": name, "value": value} for name, value in service.environment.items()]
    container["resources"]["requests"] |= {"cpu": service.cpu} if service.cpu else {}
    container["resources"]["limits"] |= {"memory": service.memory} if service.memory else {}
    if service.command:
        container["command"] = list(service.command)


def _run_the_project(container: dict[str, Any], worker_image: str, programs: str) -> None:
    container["image"] = worker_image
    container["env"][:0] = [
        {"name": "PATH", "value": f"{programs}:{_USUAL_PATH}"},
        {"name": "HOME", "value": "/home/paddock"},
    ]
