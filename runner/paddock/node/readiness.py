"""Carries out a component's readiness check once: ready or not yet.

It must not wait or retry; the supervisor's watchers do.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from paddock.node.api import NodeApi, accepts, answers
from paddock.node.components import Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.node.components import Component
    from paddock.node.layout import NodeLayout


class Readiness:
    """The checks of one node's components."""

    def __init__(self, layout: NodeLayout) -> None:
        self._layout = layout
        self._checks: dict[Check, Callable[[str], bool]] = {
            Check.ALIVE: lambda _target: True,
            Check.SOCKET: accepts,
            Check.HTTP: answers,
            Check.API: lambda path: self._api().get(path)[0] == http.client.OK,
            Check.NODE: lambda name: self._api().node_ready(name),
        }

    def passed(self, component: Component) -> bool:
        """Tell whether the component is ready now; no answer means not yet."""
        try:
            return self._checks[component.check](component.target)
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def _api(self) -> NodeApi:
        return NodeApi(self._layout)
