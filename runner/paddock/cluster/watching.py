"""One watch per kind for a whole run.

Owns the thread that follows a kind and the latest state of its objects; others wait on a condition over that state.
It must not know what the objects are for.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from paddock.cluster import requests
from paddock.cluster.answers import parsed
from paddock.errors import ClusterError, ClusterUnreachable, Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Kind, Manifest
    from paddock.deadlines import Deadline

Found = TypeVar("Found")
Key = tuple[str, str]
"""Namespace and name."""

_WATCH_SECONDS = 60
"""The server ends a watch after this time, and it goes on where it was: one small request. So a connection that brings
nothing for longer is dead, which no packet would tell; and proxies, that cut silent streams after 60 s and more, wait
for nothing."""

_SILENCE_SECONDS = _WATCH_SECONDS + 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_GONE = 410


def key_of(manifest: Manifest) -> Key:
    """Return namespace and name of an object."""
    return manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]


class Watch:
    """Follows all objects of one kind that a selector matches, from its construction to ``close``.

    The state is replaced, never changed in place; ``wait`` may be called from any thread. A stream that ends, breaks
    or stays silent is opened again at the last version seen; where that one is too old, the state is listed anew.
    """

    def __init__(self, cluster: Cluster, kind: Kind, selector: str) -> None:
        self._cluster, self._kind, self._selector = cluster, kind, selector
        self._objects: dict[Key, Manifest] = {}
        self._gone: dict[Key, Manifest] = {}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._version = ""
        self._response: Any = None
        self.error: ClusterError | None = None
        self._thread = threading.Thread(target=self._follow, name=f"watch-{kind.plural}", daemon=True)
        self._thread.start()

    @property
    def objects(self) -> Mapping[Key, Manifest]:
        """The latest state."""
        return self._objects

    @property
    def gone(self) -> Mapping[Key, Manifest]:
        """What was deleted, as it was last seen: the reason often stands in it."""
        return self._gone

    @property
    def seen(self) -> Mapping[Key, Manifest]:
        """The latest state, and of objects that have gone the last one seen: nobody else knows it any more."""
        return {**self._gone, **self._objects}

    def wait(self, find: Callable[[Mapping[Key, Manifest]], Found | None], deadline: Deadline) -> Found | None:
        """Return what ``find`` finds in the state as soon as it finds something.

        ``None`` when the deadline passes or the watch is closed.

        Raises:
            ClusterError: the watch was refused for good.
        """
        with self._changed:
            while (found := find(self._objects)) is None and not self._over(deadline):
                if self.error is not None:
                    raise self.error
                self._changed.wait(deadline.remaining())
            return found

    def notify(self) -> None:
        """Have those who wait look again: something outside of this kind has changed for them."""
        self._publish(self._objects)

    def close(self) -> None:
        """End the watch and its thread; whoever waits returns."""
        self._closing.set()
        self._publish(self._objects)
        response = self._response
        if response is not None:
            with contextlib.suppress(ValueError, RuntimeError, OSError):  # it had ended by itself
                response.shutdown()  # from urllib3 2.3 on: wakes the reading thread
        self._thread.join(timeout=5)
        self._response = None  # it holds on to its connection, which the cluster's own close would not reach then

    def _over(self, deadline: Deadline) -> bool:
        return deadline.passed or self._closing.is_set()

    def _follow(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closing.is_set():
            try:
                pause = _FIRST_PAUSE if self._stream() else self._waited(pause)
            except (ClusterUnreachable, Conflict) as error:
                pause = self._waited(pause, error)
            except ClusterError as error:
                self._fail(error)
                return

    def _waited(self, pause: float, error: ClusterError | None = None) -> float:
        """Wait before the next try and return the pause after that one."""
        if error and error.status == _GONE:
            self._version = ""  # what has changed since then is not known any more
        self._closing.wait(max(pause, error.retry_after if error else 0.0))
        return min(2 * pause, _LONGEST_PAUSE)

    def _stream(self) -> bool:
        """Follow one stream to its end; return whether it brought anything."""
        if not self._version and self._objects:
            self._relist()
        request = requests.watch(
            self._kind,
            selector=self._selector,
            resource_version=self._version,
            seconds=_WATCH_SECONDS,
        )
        self._response = self._cluster.open(request, silence=_SILENCE_SECONDS)
        brought = False
        try:
            for line in self._lines():
                self._take(parsed(line))
                brought = True
        finally:
            self._response.close()
        return brought

    def _lines(self) -> Any:  # noqa: ANN401 - an iterator over urllib3's untyped response
        buffer = b""
        if self._closing.is_set():
            return
        try:
            for chunk in self._response.stream(1 << 16):
                if self._closing.is_set():  # a TLS socket that is shut down gives out what it has, undeciphered
                    return
                *lines, buffer = (buffer + chunk).split(b"\n")
                yield from lines
        except Exception as error:
            if self._closing.is_set():
                return
            raise ClusterUnreachable(f"The watch of {self._kind.plural} was cut: {error}.") from error

    def _take(self, event: Mapping[str, Any]) -> None:
        manifest = event["object"]
        if event["type"] == "ERROR":  # it expired, or the server has lost its place: either way it begins anew
            raise Conflict(f"The watch of {self._kind.plural} expired.", status=_GONE)
        self._version = manifest["metadata"]["resourceVersion"]
        if event["type"] == "BOOKMARK":  # nothing has happened to our objects, and the version is a newer one
            return
        changed = dict(self._objects)
        if event["type"] == "DELETED":
            changed.pop(key_of(manifest), None)
            self._gone[key_of(manifest)] = manifest
        else:
            changed[key_of(manifest)] = manifest
        self._publish(changed)

    def _relist(self) -> None:
        answer = self._cluster.send(requests.list_objects(self._kind, selector=self._selector))
        self._version = answer["metadata"]["resourceVersion"]
        found = {key_of(item): item for item in answer.get("items", [])}
        self._gone |= {key: manifest for key, manifest in self._objects.items() if key not in found}
        self._publish(found)

    def _publish(self, objects: dict[Key, Manifest]) -> None:
        with self._changed:
            self._objects = objects
            self._changed.notify_all()

    def _fail(self, error: ClusterError) -> None:
        with self._changed:
            self.error = error
            self._changed.notify_all()
