"""What explains a failure, collected from a worker's namespace while it is there.

Owns what is asked for, in which order, and the bounds. It writes nothing and raises nothing: what could not be had is
told as well. It must not know why it is wanted, nor whose credentials are secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from paddock.cluster import requests
from paddock.cluster.logs import last_part
from paddock.deadlines import Deadline
from paddock.errors import ClusterError
from paddock.namespaces.describing import described, statuses, table, timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Kind, Manifest

Answer = TypeVar("Answer")

_ANSWER_SECONDS = 3.0
"""Longest wait for one answer: an API server in trouble must not take the time of all that comes after it."""
_LOGS_OF_ALL = 4
"""One log may have a fourth of the size of all: a worker's, its services' and what was before a restart."""


class Log(NamedTuple):
    """A container's log."""

    pod: str
    container: str
    previous: bool = False
    """Of the container before its last restart."""

    @property
    def file(self) -> str:
        """The file that it is kept in."""
        name = self.pod if self.pod == self.container else f"{self.pod}-{self.container}"
        return f"logs/{name}{'.previous' if self.previous else ''}.txt"


class Collector:
    """Collects from one namespace within ``deadline``; logs are at most ``size`` bytes together."""

    def __init__(self, cluster: Cluster, namespace: str, *, size: int, deadline: Deadline) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._size, self._room, self._deadline = size, size, deadline
        self._notes: list[str] = []

    def files(self, seen: Callable[[], Mapping[str, Manifest]]) -> Iterator[tuple[str, str]]:
        """Yield names and texts of files: logs first, since they go with their pods.

        ``seen`` returns the pods by name as somebody saw them last, also those that have gone. It is asked when the
        logs are there, and may wait for news.
        """
        for log in logs(self._list(requests.POD)):
            yield from self._log(log)
        yield "events.txt", timeline(self._list(requests.EVENT))
        last = seen()
        there = {one["metadata"]["name"]: one for one in self._list(requests.POD)}
        pods = dict(sorted({**last, **there}.items()))
        gone = sorted(pods.keys() - there.keys())
        self._notes += [f"The pod {name} had gone: it is described as the run saw it last." for name in gone]
        yield "pods.txt", table(pods, gone)
        yield "describe.txt", described([*self._namespace_itself(), *pods.values()])
        if self._notes:
            yield "notes.txt", "".join(f"{note}\n" for note in self._notes)

    def _list(self, kind: Kind) -> list[Manifest]:
        answer = self._ask(
            kind.plural, lambda limit: self._send(requests.list_objects(kind, namespace=self._namespace), limit)
        )
        return list((answer or {}).get("items", []))

    def _namespace_itself(self) -> list[Manifest]:
        request = requests.get(requests.NAMESPACE, self._namespace)
        found = self._ask("the namespace", lambda limit: self._send(request, limit))
        return [found] if found else []

    def _send(self, request: requests.Request, limit: Deadline) -> Manifest:
        return self._cluster.send(request, deadline=limit)

    def _log(self, log: Log) -> Iterator[tuple[str, str]]:
        size = min(self._room, self._size // _LOGS_OF_ALL)
        if size <= 0:
            self._notes.append(
                f"{log.file} is left out: the other logs take all the room. Allow more with --paddock-report-size."
            )
            return
        found = self._ask(log.file, lambda limit: self._last_part(log, size, limit))
        if found is not None:
            self._room -= len(found.encode())
            yield log.file, found

    def _last_part(self, log: Log, size: int, limit: Deadline) -> str:
        return last_part(
            self._cluster,
            self._namespace,
            log.pod,
            log.container,
            previous=log.previous,
            size=size,
            deadline=limit,
        )

    def _ask(self, what: str, question: Callable[[Deadline], Answer]) -> Answer | None:
        if self._deadline.passed:
            self._notes.append(f"{what}: no time was left. Allow more with --paddock-evidence-limit.")
            return None
        try:
            return question(Deadline(self._deadline.at_most(_ANSWER_SECONDS)))
        except ClusterError as error:
            self._notes.append(f"{what}: {error}")
            return None


def logs(pods: Iterable[Manifest]) -> list[Log]:
    """Return the logs that containers have by now: one that never ran has none."""
    found: list[Log] = []
    for pod in pods:
        for status in statuses(pod):
            log = Log(pod["metadata"]["name"], status["name"])
            restarted = bool(status.get("restartCount"))
            if restarted or "waiting" not in (status.get("state") or {"waiting": {}}):
                found.append(log)
            if restarted:
                found.append(log._replace(previous=True))
    return found
