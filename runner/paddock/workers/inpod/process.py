"""The worker process: started with clean signals in a session of its own, signalled, reaped.

Owns the child's handle, and the reaping of everybody else's children too, as a pod's first process must. It must not
know the wire.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import IO, NamedTuple


class StartError(Exception):
    """The worker or something it needs could not be made; the text is a sentence."""


class End(NamedTuple):
    """How the worker ended: by itself with ``code``, or by ``signal``."""

    code: int | None
    signal: int | None


class Worker:
    """A started worker.

    Raises:
        StartError: the program or its working folder is not there, or may not be used.
    """

    def __init__(self, argv: list[str], env: dict[str, str], cwd: str) -> None:
        pipe = subprocess.PIPE
        try:
            # A session of its own: a terminal's signals stay away, and the group can be signalled as one.
            self._process = subprocess.Popen(
                argv,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                bufsize=0,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise StartError(f"The worker {argv[0]!r} could not be started in {cwd!r}: {error}.") from error
        self.pid = self._process.pid

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        """Return stdin, stdout and stderr; whoever takes them closes them."""
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        if stdin is None or stdout is None or stderr is None:
            raise AssertionError("Popen was asked for three pipes.")
        return stdin, stdout, stderr

    def signal(self, number: int) -> None:
        """Signal the worker itself, unless it is reaped."""
        if self._process.returncode is None:
            os.kill(self.pid, number)

    def signal_group(self, number: int) -> None:
        """Signal the worker and what it has started, as far as there still is somebody."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # the group has gone, or its number went to somebody else

    def reaped(self, wait_status: int) -> End:
        """Return how it ended, given what ``waitpid`` said."""
        code = os.waitstatus_to_exitcode(wait_status)
        self._process.returncode = code  # else Popen would look for a child that is gone
        return End(code, None) if code >= 0 else End(None, -code)


def reap() -> list[tuple[int, int]]:
    """Reap all children that have ended, adopted ones as well; return their process ids and wait statuses."""
    reaped: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return reaped
        if pid == 0:
            return reaped
        reaped.append((pid, status))


def make_links(links: dict[str, str]) -> None:
    """Make symbolic links, path -> target, and the folders above them; another link in the way is replaced.

    One that is as wanted stays: the image makes it too, where its user may not write.

    Raises:
        StartError: something else is in the way, or the folder cannot be written.
    """
    for path, target in links.items():
        try:
            _make_link(path, target)
        except OSError as error:
            raise StartError(f"The link {path!r} to {target!r} could not be made: {error}.") from error


def _make_link(path: str, target: str) -> None:
    if os.path.islink(path):  # noqa: PTH114 - pathlib takes 10 ms to import
        if os.readlink(path) == target:  # noqa: PTH115 - see above
            return
        os.unlink(path)  # noqa: PTH108 - see above
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - see above
    os.symlink(target, path)  # noqa: PTH211 - see above


def make_folders(folders: list[str]) -> None:
    """Make folders and those above them, where absent.

    Raises:
        StartError: one cannot be made.
    """
    for folder in folders:
        try:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - see _make_link
        except OSError as error:
            raise StartError(f"The folder {folder!r} could not be made: {error}.") from error


def signal_name(number: int) -> str:
    """Return the name of a signal, such as ``SIGSEGV``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
