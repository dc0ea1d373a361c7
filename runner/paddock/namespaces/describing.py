"""Pods and events as text for people, long after they have gone.

Pure. What may hold a secret, environments and commands, is left out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml

from paddock.columns import aligned
from paddock.namespaces import diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from paddock.cluster.requests import Manifest

_NEVER = datetime.min.replace(tzinfo=UTC)


def table(pods: Mapping[str, Manifest], gone: Iterable[str] = ()) -> str:
    """Return all pods, one a line."""
    rows = [_row(name, pod, name in gone) for name, pod in pods.items()]
    return _text(aligned([("POD", "PHASE", "RESTARTS", "MADE", "ADDRESS", "NODE", "STATE"), *rows]))


def _row(name: str, pod: Manifest, gone: bool) -> tuple[str, ...]:  # noqa: FBT001 - of a table
    status = pod.get("status") or {}
    return (
        name,
        status.get("phase", ""),
        str(sum(one.get("restartCount", 0) for one in statuses(pod))),
        pod["metadata"].get("creationTimestamp", ""),
        status.get("podIP", ""),
        (pod.get("spec") or {}).get("nodeName", ""),
        ("gone; last seen: " if gone else "") + _state(pod),
    )


def _state(pod: Manifest) -> str:
    over = diagnosis.ended(pod) or diagnosis.hopeless(pod)
    words = str(over) if over else "running" if diagnosis.is_running(pod) else diagnosis.pending(pod).sentence
    return " ".join(words.split())


def timeline(events: Iterable[Manifest]) -> str:
    """Return events by time, one a line."""
    ordered = sorted(events, key=_moment)
    return _text(aligned(rows)) if (rows := [_event(one) for one in ordered]) else ""


def _event(event: Manifest) -> tuple[str, ...]:
    about = event.get("involvedObject") or {}
    times = (event.get("series") or {}).get("count") or event.get("count") or 1
    return (
        _moment(event).isoformat(timespec="milliseconds") if _moment(event) > _NEVER else "",
        event.get("type", ""),
        event.get("reason", ""),
        f"{about.get('kind', '')}/{about.get('name', '')}".lower(),
        " ".join((event.get("message") or "").split()) + (f" (x{times})" if times > 1 else ""),
    )


def _moment(event: Manifest) -> datetime:
    """Return when it was seen last; a time has fractions where the component that saw it gives them."""
    series = event.get("series") or {}
    stamps = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    stamp = next(filter(None, (*stamps, event["metadata"].get("creationTimestamp"))), None)
    return datetime.fromisoformat(stamp) if stamp else _NEVER


def described(found: Iterable[Manifest]) -> str:
    """Return namespaces and pods with what explains their state."""
    return yaml.safe_dump_all(map(_described, found), sort_keys=False, allow_unicode=True, width=120)


def _described(manifest: Manifest) -> dict[str, Any]:
    metadata, spec, status = manifest["metadata"], manifest.get("spec") or {}, manifest.get("status") or {}
    shown = {
        "name": metadata["name"],
        "made": metadata.get("creationTimestamp"),
        "deleted": metadata.get("deletionTimestamp"),
        "finalizers": metadata.get("finalizers") or spec.get("finalizers"),
        "labels": metadata.get("labels"),
        "annotations": metadata.get("annotations"),
        "node": spec.get("nodeName"),
        "deadline": spec.get("activeDeadlineSeconds"),
        **{key: status.get(key) for key in ("phase", "reason", "message", "startTime", "podIP", "qosClass")},
        "conditions": [_condition(one) for one in status.get("conditions") or []],
        "containers": _containers(spec, manifest),
    }
    return {key: value for key, value in shown.items() if value}


def _condition(condition: Mapping[str, Any]) -> str:
    words = (condition.get(key) for key in ("lastTransitionTime", "reason", "message"))
    return " ".join(filter(None, (f"{condition.get('type')}={condition.get('status')}", *words)))


def _containers(spec: Mapping[str, Any], pod: Manifest) -> dict[str, Any]:
    told = {one["name"]: one for one in statuses(pod)}
    wanted = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return {one["name"]: _container(one, told.get(one["name"], {})) for one in wanted}


def _container(container: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"image": container.get("image"), "resources": container.get("resources")}
    last = {key: status.get(key) for key in ("imageID", "restartCount", "ready", "state", "lastState")}
    return {key: value for key, value in {**shown, **last}.items() if value not in (None, {})}


def statuses(pod: Manifest) -> list[dict[str, Any]]:
    """Return the statuses of all containers of a pod."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
