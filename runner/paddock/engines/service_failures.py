"""Services that cannot run, told to the workers that use them: their tests then say why instead of timing out.

Owns a thread that waits for such news, and what is known so far: a worker may come after the service that it shares
with others has failed. It must not know why a service fails.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock import names
from paddock.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from paddock.cluster.watching import Key
    from paddock.namespaces.leases import Leases

    class Listener(Protocol):
        """A worker's stream."""

        def send_facts(self, name: str, mapping: Mapping[str, object]) -> None:
            """Have the worker know what is known of a service."""


class ServiceFailures:
    """Tells the workers of one run; ends by itself once ``leases`` are closed."""

    def __init__(self, run_id: str, leases: Leases) -> None:
        self._run_id, self._leases = run_id, leases
        self._known: dict[Key, str] = {}
        self._listeners: dict[str, Listener] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._tell, name="service-failures", daemon=True)
        self._thread.start()

    def add(self, worker: str, listener: Listener) -> None:
        """Tell a worker from now on, and at once what is known already."""
        with self._lock:
            self._listeners[worker] = listener
            known = list(self._known.items())
        for (namespace, service), reason in known:
            if namespace in self._used_by(worker):
                _send(listener, service, reason)

    def _tell(self) -> None:
        while failure := self._leases.await_failure(self._known):
            (namespace, service), reason = failure
            with self._lock:
                self._known[namespace, service] = reason
                listeners = list(self._listeners.items())
            for worker, listener in listeners:
                if namespace in self._used_by(worker):
                    _send(listener, service, reason)

    def _used_by(self, worker: str) -> set[str]:
        return {names.namespace_name(self._run_id, place) for place in (worker, names.SHARED)}


def _send(listener: Listener, service: str, reason: str) -> None:
    with suppress(StreamError):  # the worker has gone as well: nobody is left to be told
        listener.send_facts(service, {"failure": reason})
