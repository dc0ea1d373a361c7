"""The local engine: a process on this machine for each worker, and servers of its own for those that ask.

Owns the run's folder, its ports and its keeper. It must not know xdist or pytest, nor a cluster.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from paddock import names
from paddock.engines.local import places, services, witness
from paddock.engines.local.devices import Devices
from paddock.engines.local.keeping import Keeping
from paddock.engines.local.places import Place
from paddock.engines.local.stream import ProcessStream
from paddock.errors import LeaseError
from paddock.namespaces import causes, diagnosis
from paddock.services.ports import Ports
from paddock.specs import Account, Way
from paddock.workers.inpod.stacks import VARIABLE
from paddock.workers.worker import BOOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paddock.engines.protocol import WorkerStream
    from paddock.engines.request import RunRequest
    from paddock.specs import Cause, Doing

_CAUSE_SECONDS = 1.0
"""How long a worker's end is waited for, once its pipes have closed: the kernel tells at once."""
_KILLED_SECONDS = 5.0
"""How long the end of a process that was killed is waited for; only one that hangs in the kernel takes longer."""


class LocalEngine:
    """Implements ``engines.protocol.Engine`` without a cluster.

    Raises:
        UsageError: the user's settings of a service cannot be read, or this machine has not the devices asked for.
    """

    def __init__(self, request: RunRequest, _report: Callable[[str], None]) -> None:
        if sys.platform != "linux":
            raise LeaseError(f"The local engine needs Linux, and this is {sys.platform!r}: use a cluster.")
        self._request = request
        self._services = services.Services(request)
        self._devices = Devices(request)
        self._ports = Ports(request.port_base)
        self._place: Place | None = None
        self._keeping: Keeping | None = None
        self._witness = witness.Witness(request)
        self._streams: dict[str, ProcessStream] = {}
        self._created: list[str] = []
        self._lock = threading.Lock()
        self._over = threading.Event()

    def begin(self, workers: Sequence[str]) -> None:  # noqa: ARG002 - they get what is theirs when they are opened
        """Make the folder of the run and start its keeper."""
        self._place = Place.make(self._request.run_id)
        self._keeping = Keeping(self._place, self._request.port_base)
        threading.Thread(target=places.sweep, name="paddock-sweep", daemon=True).start()

    def open(self, worker: str, on_stderr: Callable[[str, bytes], None]) -> WorkerStream:
        """Return the stream of a started worker; see ``engines.protocol.Engine.open``."""
        request = self._request
        environment = {**os.environ, **request.environment, **self.enter(worker)}
        with self._lock:
            if self._over.is_set():
                raise LeaseError("The run has ended.")
            argv = [sys.executable, "-u", "-c", BOOT]
            stream = ProcessStream(
                argv,
                environment,
                request.working_directory,
                lambda line: self._hear(worker, line, on_stderr),
                self._devices.descriptors(worker),
            )
            self._streams[worker] = stream
        self._running().guard(worker, stream.pid)
        return stream

    def enter(self, worker: str) -> dict[str, str]:
        """Give a worker its devices, its folder, its ports and its services, none started; return its variables.

        It waits for devices that others hold, if the worker is the one to hold some. A run without workers enters as
        ``master``.

        Raises:
            LeaseError: the run has ended, its folder cannot be written, or others hold all devices for too long.
        """
        devices = self._devices.take(worker, self._over)
        with self._lock:
            if self._over.is_set() or self._place is None:
                raise LeaseError("The run has ended.")
            self._created.append(worker)
            folder = self._place.worker(worker)
            held = self._devices.services(worker)
            given = self._services.give(worker, folder, self._ports, held)
        self._witness.enter(worker, folder, given)
        running = self._running()
        running.offer(worker, given.wanted)
        for one in given.wanted:
            if one.name in held:
                running.entrust(worker, one.name, held[one.name].descriptors)
        return {
            "PADDOCK_RUN": self._request.run_id,
            "PADDOCK_WORKER": worker,
            "PADDOCK_NAMESPACE": names.namespace_name(self._request.run_id, worker),
            "PADDOCK_SERVICE_LIMIT": str(self._request.limits.service),
            "PADDOCK_FACTS": str(folder / places.FACTS),
            "PADDOCK_KEEPER": str(running.socket),
            VARIABLE: str(folder / "stacks"),
            **given.variables,
            **devices,
        }

    def _hear(self, worker: str, line: bytes, on_stderr: Callable[[str, bytes], None]) -> None:
        self._witness.hear(worker, line)
        on_stderr(worker, line)

    def _running(self) -> Keeping:
        if self._keeping is None:
            raise LeaseError("The run has not begun.")
        return self._keeping

    def remarks(self) -> Sequence[str]:
        """Nothing that the user has not asked for."""
        return ()

    def holds_hardware(self, worker: str) -> bool:
        """Return whether the worker holds devices of this machine; see ``engines.protocol.Engine.holds_hardware``."""
        return worker in self._devices

    def begun(self, worker: str) -> None:
        """Nothing was kept waiting."""

    def foretell(self, seconds: float | None) -> None:
        """Nobody is told: a lock says nothing of when it ends."""

    def note(self, worker: str, doing: Doing) -> None:
        """Nobody looks from outside."""

    def obstacle(self, worker: str) -> Cause | None:
        """Nothing keeps a process from coming, but devices that others hold."""
        words = self._devices.words_for(worker)
        return causes.tell(causes.Kind.TURN, words=words) if words else None

    def way(self, worker: str) -> Way:
        """A process is there as soon as it is asked for, and has its devices."""
        return Way(waits_for=self._devices.words_for(worker))

    def cause(self, worker: str) -> Cause | None:
        """Return how the worker's process ended, if it did so by itself."""
        stream = self._streams.get(worker)
        status = stream.wait(_CAUSE_SECONDS) if stream else None
        return diagnosis.of_process(status) if status and not status.wanted else None

    def assist(self, worker: str, order: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002 - see the protocol
        """Tests ask the run's keeper themselves, with and without workers."""
        raise LeaseError("In the local engine containers are asked for at the keeper's socket.")

    def preserve(self, worker: str, told: Mapping[str, str], *, lost: bool = False) -> None:
        """Keep what is told and the logs of the worker's servers; see ``engines.protocol.Engine.preserve``."""
        self._witness.preserve(worker, told, lost=lost)

    def preserved(self) -> Sequence[str]:
        """Wait until it is kept; see ``engines.protocol.Engine.preserved``."""
        return self._witness.finish()

    def lose(self, worker: str) -> None:
        """End the worker's process, if it has not ended; its servers without devices stay until the end of the run."""
        if worker in self._streams:
            self._streams[worker].kill()
        self._let_go(worker)

    def give_back(self, worker: str) -> None:
        """Servers stay until the end of the run: those of a worker that ran no tests were never started."""
        self._let_go(worker)

    def _let_go(self, worker: str) -> None:
        """Let others have what the worker held, and what its services did."""
        if self._keeping and (services := self._devices.services(worker)):
            self._keeping.stop(worker, services)
        self._devices.leave(worker)

    def hold(self, *, passed: bool) -> None:
        """Nothing is given back before the end."""

    def release(self) -> Account:
        """End all processes and remove the folder; see ``engines.protocol.Engine.release``."""
        with self._lock:
            self._over.set()
        for stream in self._streams.values():
            stream.kill()
        for stream in self._streams.values():
            stream.wait(_KILLED_SECONDS)
        if self._keeping:
            self._keeping.close(self._request.limits.release)
        self._ports.close()
        self._devices.close()
        return self.so_far()

    def so_far(self) -> Account:
        """Account for the workers' folders as they are now."""
        left: dict[str, str] = {}
        if self._place is not None:
            left = {
                worker: f"{self._place.path / worker} is still there"
                for worker in self._created
                if (self._place.path / worker).exists()
            }
        deleted = [worker for worker in self._created if worker not in left]
        return Account(created=tuple(self._created), deleted=deleted, left=left, what="workers")

    def afterwards(self) -> Sequence[str]:
        """Nothing vanishes behind the prompt: what is there when it comes stays."""
        return ()
