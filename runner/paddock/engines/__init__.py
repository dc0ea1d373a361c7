"""Engines: what carries workers. ``create`` chooses one; the seam is ``engines.protocol``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.engines.protocol import Engine
    from paddock.engines.request import RunRequest


def create(name: str, request: RunRequest, report: Callable[[str], None]) -> Engine:
    """Return the engine called ``name``; ``report`` gets a line for each step that takes over a second.

    Raises:
        UsageError: there is no such engine in this version.
    """
    if name != "kubernetes":
        raise UsageError(
            f"The engine {name!r} comes with a later version. Say --paddock-engine=kubernetes, which this one has.",
        )
    from paddock.engines.kubernetes import KubernetesEngine  # noqa: PLC0415 - loads the cluster's client

    return KubernetesEngine(request, report)
