"""Laws of making namespaces that need no cluster."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from paddock.errors import NotAllowed
from paddock.namespaces import leases as leases_module
from paddock.namespaces.leases import Leases
from paddock.namespaces.manifests import NamespaceObjects
from paddock.specs import PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

PATIENCE = 10.0
POD = {"kind": "Pod", "metadata": {"name": "broker", "namespace": "paddock-k7x2mq-shared"}}
NAMESPACE = {"kind": "Namespace", "metadata": {"name": "paddock-k7x2mq-shared"}}


class Watch:
    """A watch of pods that shows none."""

    def __init__(self, *_: object) -> None:
        self.objects: dict[Any, Any] = {}
        self._changed = threading.Event()

    def notify(self) -> None:
        """Have who waits look again."""
        self._changed.set()

    def wait(self, find: Callable[[Any], Any], _deadline: object) -> Any:
        """Look once something has changed."""
        assert self._changed.wait(PATIENCE)
        return find(self.objects)

    def close(self) -> None:
        """End."""


class Refusing:
    """A cluster that makes nothing."""

    def create(self, *_: object, **__: object) -> None:
        """Refuse."""
        raise NotAllowed("namespaces is forbidden: no more of them", status=403)


def test_services_of_a_namespace_that_is_refused_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something serves all workers no worker of its own waits for it: others must learn of it."""
    monkeypatch.setattr(leases_module, "Watch", Watch)
    leases = Leases(cast("Any", Refusing()), "k7x2mq", PhaseLimits())
    leases.begin(NamespaceObjects("paddock-k7x2mq-shared", ((NAMESPACE,), (POD,))))
    failure = leases.await_failure(())
    leases.close()
    assert failure
    assert failure[0] == ("paddock-k7x2mq-shared", "broker")
    assert "no more of them" in failure[1]
