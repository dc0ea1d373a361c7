"""Carries out a component's readiness check once: ready or not yet.

It must not wait or retry; the supervisor's watchers do.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from paddock.node.api import NodeApi, accepts, answers, connects
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
            Check.NODE: self._node_ready,
        }

    def passed(self, component: Component) -> bool:
        """Tell whether the component is ready now; no answer means not yet."""
        return self._check(component.check, component.target)

    def serves(self, component: Component) -> bool:
        """Tell whether the component has an early check and passes it now."""
        return bool(component.early_target) and self._check(component.check, component.early_target)

    def _check(self, check: Check, target: str) -> bool:
        try:
            return self._checks[check](target)
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def _node_ready(self, name: str) -> bool:
        """The Node stays Ready for a while after kubelet has died, so kubelet itself is asked as well."""
        listens = connects(self._layout.address, self._layout.ports.kubelet)
        return listens and self._api().node_ready(name)

    def _api(self) -> NodeApi:
        return NodeApi(self._layout)
