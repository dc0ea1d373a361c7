"""The seams between xdist and what carries its workers: every engine and every stream fits these.

Pure protocols. They must not know kubernetes, xdist or execnet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paddock.specs import Account, Cause, Doing, ExitStatus, Way


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

    def ask_stacks(self) -> None:
        """Have the stacks of the worker's threads taken, whatever it is stuck in; returns at once, never raises."""

    def wait_stacks(self, timeout: float) -> str:
        """Return the stacks that were taken last, as Python's ``faulthandler`` writes them.

        Those asked for are waited for up to ``timeout`` seconds. Empty where none ever came: the worker had not got so
        far as to answer, or could not. A worker whose place is stopped from outside may have left some unasked.
        """

    def kill(self) -> None:
        """End the worker at once; idempotent, never blocks, never raises."""

    def wait(self, timeout: float) -> ExitStatus | None:
        """Return how the worker ended, or ``None`` after ``timeout`` seconds."""


class Engine(Protocol):
    """Gives each worker its own broker, database and place to run, and takes them away again.

    All methods may be called from any thread. None but ``open``, ``assist`` and ``release`` may block for long.
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

    def remarks(self) -> Sequence[str]:
        """Return what is to be told when the first worker has collected; asks nobody and never waits."""

    def holds_hardware(self, worker: str) -> bool:
        """Return whether the worker has the hardware that the run asks for; ``False`` as long as it was not asked for.

        Asks nobody, never waits and never raises.
        """

    def foretell(self, seconds: float | None) -> None:
        """Note for how long the run needs its hardware, from now on or from when it has some; ``None``: nobody knows.

        For other runs that wait for it. Returns at once and never raises; the first word may come before ``begin``.
        """

    def note(self, worker: str, doing: Doing) -> None:
        """Show what a worker is at to whoever looks from outside, as soon as that costs the run nothing.

        Returns at once and never raises; a later note replaces one that was not shown yet.
        """

    def obstacle(self, worker: str) -> Cause | None:
        """Return what keeps a worker that was asked for from coming, once the cluster has said that something does.

        It may still come. Asks nobody, never waits and never raises.
        """

    def way(self, worker: str) -> Way:
        """Return how far the worker's place has come; asks nobody, and never raises."""

    def cause(self, worker: str) -> Cause | None:
        """Return why the worker's pod or process went away, or never came; ``None`` where nothing is known."""

    def assist(self, worker: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do for a test what it cannot do from where its worker runs, and answer; ``fixtures.orders`` has the words.

        The one method that may block for as long as a service's start may take.

        Raises:
            PaddockError: it cannot be done; the sentence is the test's error.
        """

    def preserve(self, worker: str, told: Mapping[str, str], *, lost: bool = False) -> None:
        """Begin to keep what explains a failure of the worker or of its tests, before its place goes away.

        ``told`` are files that the caller knows, name -> text. ``lost`` says that the worker itself went. Returns at
        once and never raises.
        """

    def preserved(self) -> Sequence[str]:
        """Wait until it is kept, within a limit of its own, and return what is to be told of it, in sentences.

        Never raises but KeyboardInterrupt, and returns at once where nothing had to be kept.
        """

    def lose(self, worker: str) -> None:
        """Note that the worker did not end by itself. Its lease stays until the end: it holds what explains that."""

    def give_back(self, worker: str) -> None:
        """Give back the lease of a worker that has ended, or is not needed, while others go on; nobody replaces it.

        Returns at once and never raises. What is to stay until the run's end, or beyond, does.
        """

    def hold(self, *, passed: bool) -> None:
        """Note that the last test is over: nothing is given back by itself any more, but all of it by ``release``.

        ``passed`` says that every test has, and every worker its last word: ``release`` may be prepared for, as long as
        the workers' processes can end by themselves. Returns at once and never raises.
        """

    def release(self) -> Account:
        """Give every lease back and account for it; the deletion is asked for before this returns."""

    def so_far(self) -> Account:
        """Account for the leases while a release is under way, or was not begun; asks nobody and never waits."""

    def afterwards(self) -> Sequence[str]:
        """Return the command that looks, after ``release``, whether everything is gone; empty if nothing is to be seen.

        ``engines.verification`` says what may be added to it.
        """
