"""Services that cannot run, told to the workers that use them: their tests then say why instead of timing out.

Owns a thread that waits for such news, and what is known so far: a worker may come after the service that it shares
with others has failed. A pod that its node refused is made anew before anybody is told, but for a line in the terminal.
It must not know why a service fails.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock import names
from paddock.attempts import ATTEMPTS, pause_after
from paddock.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from paddock.cluster.watching import Key
    from paddock.namespaces.leases import Failure, Leases

    class Listener(Protocol):
        """A worker's stream."""

        def send_facts(self, name: str, mapping: Mapping[str, object]) -> None:
            """Have the worker know what is known of a service."""

    Say = Callable[[bytes], None]
    """Tells a line in the name of a worker."""


class ServiceFailures:
    """Tells the workers of one run; ends by itself once ``leases`` are closed."""

    def __init__(self, run_id: str, leases: Leases) -> None:
        self._run_id, self._leases = run_id, leases
        self._known: dict[Key, str] = {}
        self._listeners: dict[str, Listener] = {}
        self._says: dict[str, Say] = {}
        self._unsaid: list[tuple[str, str]] = []
        """Namespaces, and lines about them that nobody was there to tell."""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._tell, name="service-failures", daemon=True)
        self._thread.start()

    def enter(self, worker: str, say: Say) -> None:
        """Tell lines about a worker's services from now on, and at once what there is of them."""
        with self._lock:
            self._says[worker] = say
        self._say_all()

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
            if failure.refused:
                self._tell_refusal(failure)
            if failure.is_followed:
                self._leases.make_anew(failure.key, pause_after(failure.refused))
            else:
                self._tell_failure(failure.key, str(failure.cause))

    def _tell_refusal(self, failure: Failure) -> None:
        then = f"Another is made in {pause_after(failure.refused):g} s." if failure.is_followed else "No other is made."
        namespace, service = failure.key
        line = (
            f"The pod of the service {service!r} was refused, {failure.refused} of {ATTEMPTS}: {failure.cause} {then}"
        )
        with self._lock:
            self._unsaid.append((namespace, line))
        self._say_all()

    def _say_all(self) -> None:
        """Tell what can be told, each once: by any worker that uses the service."""
        with self._lock:
            ready = [
                (namespace, line, say)
                for namespace, line in self._unsaid
                if (say := next((say for one, say in self._says.items() if namespace in self._used_by(one)), None))
            ]
            for namespace, line, _ in ready:
                self._unsaid.remove((namespace, line))
        for _, line, say in ready:
            say(line.encode())

    def _tell_failure(self, key: Key, reason: str) -> None:
        namespace, service = key
        with self._lock:
            self._known[key] = reason
            listeners = list(self._listeners.items())
        for worker, listener in listeners:
            if namespace in self._used_by(worker):
                _send(listener, service, reason)

    def _used_by(self, worker: str) -> set[str]:
        return {names.namespace_name(self._run_id, place) for place in (worker, names.SHARED)}


def _send(listener: Listener, service: str, reason: str) -> None:
    with suppress(StreamError):  # the worker has gone as well: nobody is left to be told
        listener.send_facts(service, {"failure": reason})
