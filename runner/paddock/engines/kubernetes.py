"""The Kubernetes engine: a namespace with broker, database and worker pod for each worker.

Owns the run's coming in the background and its one release. It must not know xdist or pytest.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from paddock.deadlines import Deadline
from paddock.engines import hardware, verification
from paddock.engines.preparation import check, has_gone, holder, prepare
from paddock.engines.reuse import begin
from paddock.engines.turn import Turn
from paddock.errors import LeaseError
from paddock.namespaces.forecast import Forecast
from paddock.specs import Account, Way
from paddock.workers.sources import SharedArchive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paddock.cluster.client import Cluster
    from paddock.devices.holders import Supply
    from paddock.engines.protocol import WorkerStream
    from paddock.engines.request import RunRequest
    from paddock.engines.run import ClusterRun
    from paddock.specs import Cause, Doing

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
        self._simulated: hardware.SimulatedHardware | None = None
        self._turn: Turn | None = None
        self._remarks: list[str] = []
        self._forecast = Forecast()
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
        with self._turn.awaited_by(worker) if self._turn else nullcontext():
            run.add(worker)
            return run.connect(worker, self._sources, on_stderr)

    def begun(self, worker: str) -> None:
        """Let the worker's services start; see ``engines.protocol.Engine.begun``."""
        if self._made:
            self._made.begun(worker)

    def remarks(self) -> Sequence[str]:
        """Return what a run of hardware has found; see ``engines.protocol.Engine.remarks``."""
        return tuple(self._remarks)

    def holds_hardware(self, worker: str) -> bool:
        """Return whether the worker's pod has the devices; see ``engines.protocol.Engine.holds_hardware``."""
        return self._made is not None and self._made.holds_hardware(worker)

    def foretell(self, seconds: float | None) -> None:
        """Have the run's record say it; see ``engines.protocol.Engine.foretell``."""
        self._forecast.note(seconds)

    def note(self, worker: str, doing: Doing) -> None:
        """Show what a worker is at; see ``engines.protocol.Engine.note``."""
        if self._made:
            self._made.note(worker, doing)

    def obstacle(self, worker: str) -> Cause | None:
        """Return what keeps a worker from coming; see ``engines.protocol.Engine.obstacle``."""
        waits = self._turn.cause_of(worker) if self._turn else None
        return waits or (self._made.obstacle(worker) if self._made else None)

    def way(self, worker: str) -> Way:
        """Return how far the worker's place has come; see ``engines.protocol.Engine.way``."""
        if self._turn and (words := self._turn.words_for(worker)):
            return Way(waits_for=words)
        return self._made.way(worker) if self._made else Way(waits_for="the cluster and the images")

    def cause(self, worker: str) -> Cause | None:
        """Return why the worker went away."""
        if self._turn and (cause := self._turn.cause_of(worker)):
            return cause
        return self._made.cause(worker, _CAUSE_SECONDS) if self._made else None

    def assist(self, worker: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do for a test what it asks for; see ``engines.protocol.Engine.assist``."""
        return self._run.result().assist(worker, order)

    def preserve(self, worker: str, told: Mapping[str, str], *, lost: bool = False) -> None:
        """Begin to keep what explains a failure; see ``engines.protocol.Engine.preserve``."""
        if self._made:
            self._made.preserve(worker, told, lost=lost)

    def preserved(self) -> Sequence[str]:
        """Wait until it is kept; see ``engines.protocol.Engine.preserved``."""
        return self._made.preserved() if self._made else ()

    def lose(self, worker: str) -> None:
        """Note that the worker did not end by itself; see ``engines.protocol.Engine.lose``."""
        if self._made:
            self._made.lose(worker)

    def give_back(self, worker: str) -> None:
        """Give one lease back; see ``engines.protocol.Engine.give_back``."""
        if self._turn:
            self._turn.give_up(worker)
        if self._made:
            self._made.give_back(worker)

    def hold(self, *, passed: bool) -> None:
        """Give nothing back by itself any more; see ``engines.protocol.Engine.hold``."""
        if self._made:
            self._made.hold(passed=passed)

    def release(self) -> Account:
        """Give everything back; see ``engines.protocol.Engine.release``."""
        with self._creating:  # a preparation that is past this lock has its run, one before it will make none
            self._closing.set()
            if self._turn:
                self._turn.close()
        try:
            return self._made.release() if self._made else Account(created=(), deleted=())
        finally:
            if self._simulated:
                self._simulated.end()

    def so_far(self) -> Account:
        """Account for what was made; see ``engines.protocol.Engine.so_far``."""
        return self._made.so_far() if self._made else Account(created=(), deleted=())

    def afterwards(self) -> Sequence[str]:
        """Return where the cluster is; see ``engines.protocol.Engine.afterwards``."""
        return verification.arguments(self._request) if self._made else ()

    def _prepare(self, workers: Sequence[str]) -> ClusterRun:
        self._simulate()
        prepared = prepare(self._request, workers, self._report)
        found = hardware.survey(prepared.cluster, self._request, self._simulated)
        equipped = hardware.workers_possible(self._request, found)
        if equipped is not None and equipped < len(workers):
            self._remarks.append(
                f"{equipped} of {len(workers)} workers hold hardware; the others run tests that need none"
            )
        with self._creating:
            if self._closing.is_set():
                raise LeaseError("The run ended before its namespaces were asked for.")
            run = begin(prepared.cluster, replace(prepared.plan, hardware_workers=equipped), holder())
            self._made = run
            self._turn = self._taken_turn(prepared.cluster, run, workers[0], found) if found is not None else None
            for worker in workers[1:] if self._turn else workers:
                run.add(worker)
        if self._request.hardware:
            self._keep_told(prepared.cluster, run)
        return run

    def _keep_told(self, cluster: Cluster, run: ClusterRun) -> None:
        """Have the run's record say how long it needs its hardware, from now on with each renewal."""

        def tell() -> None:
            self._forecast.tell(cluster, self._request.run_id)

        tell()
        run.heart.beside = tell

    def _taken_turn(self, cluster: Cluster, run: ClusterRun, worker: str, found: Sequence[Supply]) -> Turn | None:
        """Return the turn that ``worker`` has to wait for, if it has: others hold all hardware, or wait already."""
        turn = Turn(cluster, worker, self._request, has_gone, self._forecast)
        if not turn.enter(found):
            return None
        run.expect(worker)
        self._remarks.append(f"{worker} waits for {turn.words_for(worker)}")
        return turn

    def _simulate(self) -> None:
        with self._creating:
            if self._request.simulate and not self._closing.is_set():
                asked = {one.kind for one in self._request.hardware}
                kinds = [one for one in self._request.devices if one.kind in asked]
                self._simulated = hardware.SimulatedHardware(self._request.simulate, kinds)

    @staticmethod
    def _background(result: Future[Result], work: Callable[[], Result]) -> None:
        """Run ``work`` in a daemon thread: a build that nobody waits for any more must not hold up the exit."""

        def fill() -> None:
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
                result.set_exception(error)

        threading.Thread(target=fill, name="paddock-prepare", daemon=True).start()
