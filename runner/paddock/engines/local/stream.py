"""A worker process on this machine, as the seam between xdist and its workers wants it.

Owns the process and its three pipes. It must not know what is said over them.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from paddock.engines.local.child import Child
from paddock.errors import LeaseError, StreamBroken, StreamClosed
from paddock.specs import ExitStatus
from paddock.workers.inpod.stacks import VARIABLE, Stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import IO

    from paddock.workers.inpod.process import Worker

_PAUSE = 0.01


class ProcessStream:
    """Implements ``engines.protocol.WorkerStream``; ``environment`` names the file of stacks.

    The process gets the descriptors that are ``inherited`` besides its pipes.

    Raises:
        LeaseError: the process cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        on_stderr: Callable[[bytes], None],
        inherited: Sequence[int] = (),
    ) -> None:
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                argv,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=environment,
                cwd=directory,
                bufsize=0,
                pass_fds=inherited,
                start_new_session=True,  # Ctrl-C is for pytest, which has the workers tear down
            )
        except OSError as error:
            raise LeaseError(f"The worker's process cannot be started: {error}.") from None
        self._stdin = cast("IO[bytes]", process.stdin)
        self._stdout = cast("IO[bytes]", process.stdout)
        self._child = Child(process)
        self._lock = threading.Lock()
        self._closed = self._killed = False
        self._stacks, self._text = Stacks(environment[VARIABLE]), ""
        arguments = (cast("IO[bytes]", process.stderr), on_stderr)
        threading.Thread(target=_relay, args=arguments, name="paddock-stderr", daemon=True).start()

    @property
    def pid(self) -> int:
        """The number of the worker's process."""
        return self._child.pid

    def write(self, data: bytes) -> None:
        """Send all of ``data``; see ``engines.protocol.WorkerStream.write``."""
        with self._lock:
            if self._closed:
                raise StreamClosed("The stream to the worker was closed by this side.")
            rest = memoryview(data)
            try:
                while rest:
                    rest = rest[self._stdin.write(rest) :]
            except OSError as error:
                raise StreamBroken(f"The worker does not read any more: {error.strerror}.") from error

    def read(self, count: int) -> bytes:
        """Return 1 to ``count`` bytes, or nothing at the end."""
        data = b"" if self._stdout.closed else self._stdout.read(count)
        if not data:
            self._stdout.close()
        return data or b""

    def close_write(self) -> None:
        """Close the worker's stdin; idempotent."""
        with self._lock:
            self._closed = True
            with suppress(OSError):
                self._stdin.close()

    def interrupt(self) -> None:
        """Send SIGINT to the worker."""
        self._child.signal(signal.SIGINT)

    def ask_stacks(self) -> None:
        """Have the worker's stacks taken; see ``engines.protocol.WorkerStream.ask_stacks``."""
        self._stacks.begin(cast("Worker", SimpleNamespace(signal=self._child.signal)), time.monotonic())

    def wait_stacks(self, timeout: float) -> str:
        """Return the stacks that were taken last; see ``engines.protocol.WorkerStream.wait_stacks``."""
        end, pause = time.monotonic() + timeout, threading.Event()
        while self._stacks.under_way and time.monotonic() < end:
            self._text = self._stacks.look(time.monotonic()) or self._text
            pause.wait(_PAUSE)
        return self._text

    def kill(self) -> None:
        """End the worker, and what it has started, at once."""
        self._killed = True
        self._child.signal_group(signal.SIGKILL)

    def wait(self, timeout: float) -> ExitStatus | None:
        """Return how the worker ended, or ``None`` after ``timeout`` seconds."""
        code = self._child.wait(timeout)
        if code is None:
            return None
        status = ExitStatus(heard=True, wanted=self._killed)
        return replace(status, code=code) if code >= 0 else replace(status, signal=-code)


def _relay(lines: IO[bytes], on_stderr: Callable[[bytes], None]) -> None:
    with suppress(ValueError, OSError), lines:
        for line in lines:
            on_stderr(line)
