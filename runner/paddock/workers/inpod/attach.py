"""One exec stream's end in the pod: a relay between this process's stdin and stdout and the supervisor's socket.

Owns nothing but the two directions; it must not know frames. It is started for every (re)connect, so it imports only
built-in modules: ``socket`` itself would cost 8 ms, and 60 ms in an image without bytecode.
"""

import os
import select
import time
from _socket import AF_UNIX, SOCK_STREAM, socket

PATIENCE = 10.0
"""Seconds to wait for the supervisor's socket: a pod counts as running a moment before its first process listens."""
_PAUSE = 0.02
_PORTION = 256 << 10


def attach(path: str) -> int:
    """Relay until either side ends; return 0 then, and 1 with a sentence on stderr when nobody listens at ``path``."""
    supervisor = _connect(path, time.monotonic() + PATIENCE)
    if supervisor is None:
        os.write(
            2, f"No supervisor listens at {path} after {PATIENCE:g} s: the pod is ending or was never ready.\n".encode()
        )
        return 1
    try:
        _relay(supervisor)
    except OSError:
        return 0  # one side went away in the middle of a write: the end, as well
    return 0


def _connect(path: str, deadline: float) -> socket | None:
    while True:
        supervisor = socket(AF_UNIX, SOCK_STREAM)
        try:
            supervisor.connect(path)
        except OSError:
            supervisor.close()
        else:
            return supervisor
        if time.monotonic() > deadline:
            return None
        time.sleep(_PAUSE)


def _relay(supervisor: socket) -> None:
    # Blocking writes are safe: both far ends read all the time, whatever they are writing.
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(supervisor.fileno(), select.POLLIN)
    while True:
        for source, _ in poll.poll():
            if not _pass_on(source, supervisor):
                return


def _pass_on(source: int, supervisor: socket) -> bool:
    if source == 0:
        data = os.read(0, _PORTION)
        supervisor.sendall(data)
        return bool(data)
    data = supervisor.recv(_PORTION)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]
    return bool(data)
