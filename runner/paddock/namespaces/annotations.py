"""What a worker is at, as annotations of its namespace: written in the background, read by ``paddock ls``.

Both sides of the format stand here. Writing is best effort: it may come late or never, and nothing waits for it.
On the namespace and not on the pod, since the kubelet and the run's own watch would take note of every change of a pod.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.cluster.retrying import RetryPolicy
from paddock.deadlines import Deadline
from paddock.errors import ClusterError, NotAllowed, NotFound
from paddock.moments import written
from paddock.specs import TESTING, Awaited, Doing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.cluster.client import Cluster

EVERY = 2.0
"""Seconds between two writes to the same namespace, and before the first: a run's start has other things to do."""

_BETWEEN_TESTS = 0.2
"""Seconds that a worker between two tests is given to begin the next one: else it would be shown idle until the next
write, and of short tests half the workers would be."""

_ANSWER_SECONDS = 2.0
_PARTING_SECONDS = 0.1
_LONGEST = 1000  # characters of a node id: a parametrised test can have one of any length
_COUNTS = ("passed", "failed", "errors", "skipped")
_ONCE = RetryPolicy(worth_it=lambda _error: False)


def to_annotations(run_id: str, worker: str, doing: Doing) -> dict[str, str]:
    """Return the annotations that show what a worker is at, as of now."""
    return {
        names.RUN: run_id,
        names.WORKER: worker,
        names.PHASE: doing.phase,
        names.RUNNING: doing.running[:_LONGEST],
        names.AWAITS: json.dumps(asdict(doing.awaits)) if doing.awaits else "",
        names.NOTED_AT: written(datetime.now(UTC)),
        **{f"{names.PREFIX}/{count}": str(getattr(doing, count)) for count in _COUNTS},
    }


def from_annotations(annotations: Mapping[str, str]) -> Doing | None:
    """Return what a worker is at; ``None`` where nothing was written, or something that cannot be read."""
    if names.PHASE not in annotations:
        return None
    figures = {count: annotations.get(f"{names.PREFIX}/{count}", "") for count in _COUNTS}
    if not all(figure.isdecimal() for figure in figures.values()):
        return None
    numbers = {count: int(figure) for count, figure in figures.items()}
    running, awaits = annotations.get(names.RUNNING, ""), _awaited(annotations.get(names.AWAITS, ""))
    return Doing(phase=annotations[names.PHASE], running=running, awaits=awaits, **numbers)


def _awaited(text: str) -> Awaited | None:
    try:
        return Awaited(**json.loads(text))
    except (ValueError, TypeError):
        return None


class Annotator:
    """Writes annotations from a thread of its own, each namespace at most once in ``every`` seconds.

    ``always`` is written with each: what else namespaces are to say that this run has not made itself.
    """

    def __init__(
        self,
        cluster: Cluster,
        run_id: str,
        *,
        every: float = EVERY,
        always: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._always = always
        self._cluster, self._run_id, self._every = cluster, run_id, every
        self._pending: dict[str, Doing] = {}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, worker: str, doing: Doing) -> None:
        """Have it written soon; what was noted before and is not written yet is forgotten."""
        with self._changed:
            if self._closing.is_set():
                return
            self._pending[worker] = doing
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="annotations", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Write no more; a write under way is waited for, but not long."""
        with self._changed:
            self._closing.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_PARTING_SECONDS)

    def _write_all(self) -> None:
        while self._await_something() and not self._closing.wait(self._every):
            if any(one.phase == TESTING and not one.running for one in list(self._pending.values())):
                self._closing.wait(_BETWEEN_TESTS)
            try:
                self._write()
            except NotAllowed:
                self._closing.set()  # the right will not come: the run goes on unseen
            except ClusterError:
                continue  # what was not written is written next time

    def _await_something(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing.is_set())
            return not self._closing.is_set()

    def _write(self) -> None:
        for worker in list(self._pending):
            if self._closing.is_set():
                return
            with self._changed:
                doing = self._pending.pop(worker)
            try:
                self._send(worker, doing)
            except ClusterError:
                with self._changed:
                    self._pending.setdefault(worker, doing)
                raise

    def _send(self, worker: str, doing: Doing) -> None:
        namespace = names.namespace_name(self._run_id, worker)
        annotations = {**to_annotations(self._run_id, worker, doing), **self._always}
        request = requests.annotate(requests.NAMESPACE, namespace, annotations)
        with suppress(NotFound):  # it has gone, and what was to be told of it with it
            self._cluster.send(request, deadline=Deadline(_ANSWER_SECONDS), policy=_ONCE)
