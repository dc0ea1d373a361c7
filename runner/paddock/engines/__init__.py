"""Engines: what carries workers. ``create`` chooses one; the seam is ``engines.protocol``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paddock.cluster.requests import Manifest
    from paddock.engines.protocol import Engine
    from paddock.engines.request import RunRequest


def create(name: str, request: RunRequest, report: Callable[[str], None]) -> Engine:
    """Return the engine called ``name``; ``report`` gets a line for each step that takes over a second.

    Raises:
        UsageError: there is no such engine in this version.
    """
    _check(name)
    from paddock.engines.kubernetes import KubernetesEngine  # noqa: PLC0415 - loads the cluster's client

    return KubernetesEngine(request, report)


def plan(name: str, request: RunRequest, workers: Sequence[str]) -> list[Manifest]:
    """Return every object that the engine called ``name`` would make for a run, credentials masked; it makes none.

    Raises:
        UsageError: there is no such engine in this version, or it could not run here.
    """
    _check(name)
    from paddock.engines.planning import planned  # noqa: PLC0415 - a run does not need it

    return planned(request, workers)


def _check(name: str) -> None:
    if name != "kubernetes":
        raise UsageError(
            f"The engine {name!r} comes with a later version. Say --paddock-engine=kubernetes, which this one has.",
        )
