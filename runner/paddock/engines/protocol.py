"""The seams between xdist and what carries its workers: every engine and every stream fits these.

Pure protocols. They must not know kubernetes, xdist or execnet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paddock.specs import Account, Doing, ExitStatus


class WorkerStream(Protocol):
    """A worker process's stdin and stdout, wherever the process runs; it survives cut connections.

    ``read`` and ``write`` may be used from different threads; several threads may write.
    """

    def write(self, data: bytes) -> None:
        """Send all of ``data`` to the worker's stdin.

        Raises:
            StreamClosed: ``close_write`` or ``kill`` was called before.
            StreamBroken: the worker is out of reach for good.
        """

    def read(self, count: int) -> bytes:
        """Return 1 to ``count`` bytes of the worker's stdout, or ``b""`` at its end, however it came about."""

    def close_write(self) -> None:
        """Close the worker's stdin; idempotent."""

    def interrupt(self) -> None:
        """Send SIGINT to the worker, so that fixtures tear down; returns at once."""

    def kill(self) -> None:
        """End the worker at once; idempotent, never blocks, never raises."""

    def wait(self, timeout: float) -> ExitStatus | None:
        """Return how the worker ended, or ``None`` after ``timeout`` seconds."""


class Engine(Protocol):
    """Gives each worker its own broker, database and place to run, and takes them away again.

    All methods may be called from any thread. None but ``open`` and ``release`` may block for long.
    """

    def begin(self, workers: Sequence[str]) -> None:
        """Ask for the leases of all ``workers`` at once; ``open`` waits for them.

        May wait up to a second for its requests to leave, never for what was asked for.
        """

    def open(self, worker: str, on_stderr: Callable[[str, bytes], None]) -> WorkerStream:
        """Return the stream of a started worker process; a worker not in ``begin`` gets a fresh lease now.

        ``on_stderr(worker, line)`` is called for each line the worker writes to stderr.

        Raises:
            InfrastructureError: it will never come; the message names object, cause and remedy.
        """

    def begun(self, worker: str) -> None:
        """Note that the worker has collected: what it was given a head start over may follow now."""

    def note(self, worker: str, doing: Doing) -> None:
        """Show what a worker is at to whoever looks from outside, as soon as that costs the run nothing.

        Returns at once and never raises; a later note replaces one that was not shown yet.
        """

    def cause(self, worker: str) -> str:
        """Return in plain words why the worker's pod or process went away; empty where nothing is known."""

    def retire(self, worker: str) -> None:
        """Give the worker's lease back early: its process has ended and nobody will open it again."""

    def release(self) -> Account:
        """Give every lease back and account for it; the deletion is asked for before this returns."""
