"""A declared service as Kubernetes objects of the project's own: YAML in its folder.

Owns which kinds there may be and what they must be called. What becomes of them, ``namespaces.declared`` knows; whether
Kubernetes takes the pods, the API server is asked before anything is created.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paddock.errors import UsageError
from paddock.settings.kinds import shown
from paddock.settings.pods import PODS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KINDS = ("Pod", "Service", "ConfigMap", "Secret")
"""What a run has the right to make; anything that makes pods itself would make them without a run's labels and end."""


def read(path: Path, service: str, place: str) -> tuple[dict[str, Any], ...]:
    """Return the objects of a file; ``place`` is where the file is named.

    Raises:
        UsageError: it cannot be read, or an object cannot be meant; one sentence with file and line.
    """
    import yaml  # noqa: PLC0415 - only a project with objects needs it

    try:
        text = path.read_text(encoding="utf-8")
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        found = list(yaml.safe_load_all(text))
        json.dumps(found, allow_nan=False)
    except OSError as error:
        raise UsageError(f"The objects {path}, named at {place}, cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"The objects {path}, named at {place}, cannot be read as YAML: {said}.") from None
    for one, node in zip(found, nodes, strict=True):
        if one is not None:  # nothing between two lines of ---
            _check(one, f"{path}:{node.start_mark.line + 1}")
    objects = tuple(one for one in found if one is not None)
    _check_together(objects, service, f"{path}, named at {place},")
    return objects


def _check(one: object, where: str) -> None:
    kind = one.get("kind") if isinstance(one, dict) else None
    if not isinstance(one, dict) or kind not in KINDS:
        raise UsageError(f"The object at {where} is of the kind {shown(kind)}; expected one of {', '.join(KINDS)}.")
    metadata = one.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or name in PODS:
        taken = ", ".join(PODS)
        raise UsageError(f"'metadata.name' at {where} is {shown(name)}; expected a name, and none of {taken}.")
    if kind == "Pod":
        _check_pod(one, where)


def _check_pod(pod: dict[str, Any], where: str) -> None:
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or not containers or not all(isinstance(one, dict) for one in containers):
        raise UsageError(f"The pod at {where} has no containers; expected a list of them in 'spec.containers'.")


def _check_together(found: Sequence[dict[str, Any]], service: str, where: str) -> None:
    named = [(one["kind"], one["metadata"]["name"]) for one in found]
    for kind, name in named:
        if named.count((kind, name)) > 1:
            raise UsageError(f"The objects {where} have the {kind} {name!r} twice; expected names of their own.")
    if ("Pod", service) not in named:
        raise UsageError(
            f"The objects {where} have no Pod {service!r}; expected one of the service's name, which answers at its "
            "port."
        )
