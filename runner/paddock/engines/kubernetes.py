"""The Kubernetes engine: a namespace with broker, database and worker pod for each worker.

Owns the run's coming in the background and its one release. It must not know xdist or pytest.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

from paddock.deadlines import Deadline
from paddock.engines.preparation import check, holder, prepare
from paddock.engines.run import ClusterRun
from paddock.errors import LeaseError
from paddock.specs import Account
from paddock.workers.sources import SharedArchive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paddock.engines.protocol import WorkerStream
    from paddock.engines.request import RunRequest
    from paddock.specs import Doing

Result = TypeVar("Result")

_CAUSE_SECONDS = 1.0
"""How long the cause of a worker's end is waited for: the kubelet reports a container's end within 1 s."""

_HEAD_START = 1.0
"""How long the run waits at its start for its worker pods to be asked for. Until then every import of pytest's plugins
takes time from the one thread that asks, and from then on it costs nothing: the pods need 0.2 s to come (measured)."""


class KubernetesEngine:
    """Implements ``engines.protocol.Engine`` on a cluster; ``report`` gets a line for each step that takes a while.

    Raises:
        UsageError: the request cannot be meant; nothing has been asked for yet.
    """

    def __init__(self, request: RunRequest, report: Callable[[str], None]) -> None:
        check(request)
        self._request, self._report = request, report
        self._run: Future[ClusterRun] = Future()
        self._sources = [SharedArchive(one) for one in request.sources]
        self._made: ClusterRun | None = None
        self._closing = threading.Event()
        self._creating = threading.Lock()

    def begin(self, workers: Sequence[str]) -> None:
        """Ask for the leases of all ``workers`` in the background, after a head start."""
        deadline = Deadline(_HEAD_START)
        self._background(self._run, lambda: self._prepare(workers))
        wait([self._run], deadline.remaining())
        if self._made:
            self._made.await_asked(deadline.remaining())

    def open(self, worker: str, on_stderr: Callable[[str, bytes], None]) -> WorkerStream:
        """Return the stream of a started worker; see ``engines.protocol.Engine.open``."""
        run = self._run.result()
        run.add(worker)
        return run.connect(worker, self._sources, on_stderr)

    def begun(self, worker: str) -> None:
        """Let the worker's services start; see ``engines.protocol.Engine.begun``."""
        if self._made:
            self._made.begun(worker)

    def note(self, worker: str, doing: Doing) -> None:
        """Show what a worker is at; see ``engines.protocol.Engine.note``."""
        if self._made:
            self._made.note(worker, doing)

    def cause(self, worker: str) -> str:
        """Return in plain words why the worker went away."""
        return self._made.cause(worker, _CAUSE_SECONDS) if self._made else ""

    def retire(self, worker: str) -> None:
        """Keep the lease until the end: its namespace holds what explains the worker's end."""

    def release(self) -> Account:
        """Give everything back; see ``engines.protocol.Engine.release``."""
        with self._creating:  # a preparation that is past this lock has its run, one before it will make none
            self._closing.set()
        return self._made.release() if self._made else Account(created=(), deleted=())

    def _prepare(self, workers: Sequence[str]) -> ClusterRun:
        prepared = prepare(self._request, workers, self._report)
        with self._creating:
            if self._closing.is_set():
                raise LeaseError("The run ended before its namespaces were asked for.")
            run = ClusterRun(prepared.cluster, prepared.plan, holder())
            self._made = run
            for worker in workers:
                run.add(worker)
        return run

    @staticmethod
    def _background(result: Future[Result], work: Callable[[], Result]) -> None:
        """Run ``work`` in a daemon thread: a build that nobody waits for any more must not hold up the exit."""

        def fill() -> None:
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
                result.set_exception(error)

        threading.Thread(target=fill, name="paddock-prepare", daemon=True).start()
