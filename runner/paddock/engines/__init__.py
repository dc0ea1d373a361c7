"""Engines: what carries workers. ``create`` chooses one; the seam is ``engines.protocol``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from paddock.cluster.requests import Manifest
    from paddock.engines.protocol import Engine
    from paddock.engines.request import RunRequest
    from paddock.engines.room import Room


KUBERNETES, LOCAL = "kubernetes", "local"
AUTO = "auto"
"""Stands for the first of them that can be used here; it is settled before an engine is asked for."""


def without_cluster(context: str | None, kubeconfig: Path | None) -> str:
    """Return why no cluster can be used, in a few words; nothing if one can. Starts nothing, and waits 5 s at most.

    Raises:
        UsageError: the cluster that would be used is not allowed, or a name is wrong.
    """
    from paddock.engines.preparation import unreachable  # noqa: PLC0415 - only --paddock-engine=auto asks

    return unreachable(context, kubeconfig)


def create(name: str, request: RunRequest, report: Callable[[str], None]) -> Engine:
    """Return the engine called ``name``; ``report`` gets a line for each step that takes over a second.

    Raises:
        UsageError: the request cannot be meant.
    """
    if name == LOCAL:
        from paddock.engines.local.engine import LocalEngine  # noqa: PLC0415 - one engine is in use

        return LocalEngine(request, report)
    from paddock.engines.kubernetes import KubernetesEngine  # noqa: PLC0415 - loads the cluster's client

    return KubernetesEngine(request, report)


def plan(name: str, request: RunRequest, workers: Sequence[str]) -> list[Manifest]:
    """Return every object that the engine called ``name`` would make for a run, credentials masked; it makes none.

    Raises:
        UsageError: it could not run here.
    """
    if name == LOCAL:
        raise UsageError(
            "--paddock-plan lists what a run would make in a cluster; the local engine makes nothing there."
        )
    from paddock.engines.planning import planned  # noqa: PLC0415 - a run does not need it

    return planned(request, workers)


def room(name: str, request: RunRequest) -> Room:
    """Return what the engine called ``name`` has free for the workers of a run that is to come.

    Raises:
        UsageError: the cluster that it would use is not allowed.
        InfrastructureError: nobody could be asked.
    """
    if name == LOCAL:
        from paddock.engines.local import machine  # noqa: PLC0415 - as below

        return machine.free()
    from paddock.engines.capacity import free  # noqa: PLC0415 - only -n auto needs it

    return free(request)
