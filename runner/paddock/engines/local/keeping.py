"""The run's side of its keeper: starts it, tells it of workers, and sees it end.

Owns the pipe by whose end the keeper knows that pytest has gone, and the socket by which fixtures reach it. It must not
know what the keeper does with what it is told.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, cast

from paddock.engines.local import handover
from paddock.engines.local.places import KEEPER, Place
from paddock.errors import LeaseError
from paddock.node import processes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from paddock.engines.local.wanted import Wanted

_SOCKET = "keeper.sock"
_WAITING = 64
"""Questions that may wait: about every worker of a large run at once."""


class Keeping:
    """A running keeper; any thread may call.

    Raises:
        LeaseError: it cannot be started.
    """

    def __init__(self, place: Place, port_base: int) -> None:
        self.socket: Path = place.path / _SOCKET
        self._place = place
        self._lock = threading.Lock()
        with _listening(place.path) as listener:  # from now on, though the keeper takes a moment to accept
            self._process = _start(place, listener, port_base)
        self._orders = cast("IO[bytes]", self._process.stdin)
        if identity := processes.identify(self._process.pid):
            place.note(identity, KEEPER)

    def offer(self, worker: str, wanted: Iterable[Wanted]) -> None:
        """Tell what may be asked for from a worker."""
        self._tell({"worker": worker, "services": [asdict(one) for one in wanted]})

    def entrust(self, worker: str, service: str, descriptors: Sequence[int]) -> None:
        """Have a service's process inherit ``descriptors``; from now on the keeper has them open as well.

        Raises:
            LeaseError: it gives no answer.
        """
        try:
            handover.give(self.socket, {"worker": worker, "service": service, handover.HOLD: True}, descriptors)
        except (OSError, ValueError) as error:
            raise LeaseError(
                f"The devices of service {service} of worker {worker} cannot be handed to the process that starts it "
                f"({error}). Run again; if it stays so, this is an error in Paddock."
            ) from None

    def stop(self, worker: str, services: Iterable[str]) -> None:
        """End services of a worker, and let go what they hold, while the run goes on."""
        self._tell({"worker": worker, "stop": list(services)})

    def guard(self, worker: str, pid: int) -> None:
        """Have a worker's process ended with the run, whatever becomes of this one."""
        identity = processes.identify(pid)
        if identity:
            self._place.note(identity, worker)
            self._tell({"worker": worker, "process": asdict(identity)})

    def _tell(self, order: dict[str, object]) -> None:
        line = f"{json.dumps(order)}\n".encode()
        with self._lock, suppress(OSError, ValueError):  # a keeper that has gone is noticed by who asks it
            self._orders.write(line)
            self._orders.flush()

    def close(self, seconds: float) -> None:
        """Have everything ended, wait for that up to ``seconds``, and do it from here if the keeper does not."""
        with self._lock, suppress(OSError):
            self._orders.close()
        try:
            gone = self._process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            gone = False
        if not gone:
            self._place.end()


def _listening(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{descriptor}/{_SOCKET}")  # the path itself may be too long for a socket
        listener.listen(_WAITING)
    except OSError as error:
        listener.close()
        raise LeaseError(f"The servers of this run cannot be offered in {folder}: {error.strerror}.") from None
    finally:
        os.close(descriptor)
    return listener


def _start(place: Place, listener: socket.socket, port_base: int) -> subprocess.Popen[bytes]:
    # -P: what the user's folder holds is not to be imported in place of what this program means.
    arguments = [str(place.path), str(listener.fileno()), str(port_base)]
    command = [sys.executable, "-P", "-m", "paddock.engines.local.keeper", *arguments]
    with (place.path / "keeper.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # no Ctrl-C reaches it, and no kill of pytest's group
        )
