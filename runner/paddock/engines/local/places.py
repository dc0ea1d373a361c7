"""The folders of local runs: one for each run, below one for each user, with a record that proves it ours.

Owns their names, rights and removal. A record names processes by id and start time, so that nobody else's is ever
taken for ours. It must not know what the processes do.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock.engines.local import programs
from paddock.errors import LeaseError
from paddock.node import processes
from paddock.node.processes import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECORD = "record.json"
FACTS = "facts"
"""Folder of a worker's own in which the keeper tells why a service cannot run, as the supervisor of a pod does."""
PYTEST, KEEPER = LEADERS = ("pytest", "keeper")
"""What a run is led and kept by; while either lives it is somebody's."""
_PREFIX = "run-"
_END_SECONDS = 2.0
_OTHERS_MAY_PASS = 0o711
"""Servers in root's runs are nobody's: they must reach their own folders, and need see nothing on the way."""


class Place:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, run_id: str) -> Place:
        """Make the folder of a run, and write its record: this process leads it.

        Raises:
            LeaseError: another run has it, or it cannot be made.
        """
        try:
            new = cls(Path(tempfile.mkdtemp(prefix=f"new-{run_id}-", dir=_user_folder())))
            new.path.chmod(_mode())
            new.note(processes.myself(), PYTEST)
            # With its record in it from the first moment: without one, a sweep could not tell whose it is.
            return cls(new.path.rename(new.path.with_name(f"{_PREFIX}{run_id}")))
        except OSError as error:
            if error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
                shutil.rmtree(new.path)
                raise LeaseError(
                    f"The run id {run_id} is taken by another run on this machine: choose another --paddock-run-id."
                ) from None
            raise LeaseError(
                f"The folder of the run's servers cannot be made: {error}. Set TMPDIR to a folder that can be written."
            ) from None

    def worker(self, worker: str) -> Path:
        """Return the folder of a worker, which is made if it is not there."""
        folder = self.path / worker
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(_mode())
            (folder / FACTS).mkdir(mode=0o700)
        return folder

    def note(self, process: ProcessIdentity, what: str) -> None:
        """Add a process to the record: whoever finds the folder may end it."""
        # One line for each, in one write: several processes write here, and one that dies leaves no half of a record.
        who = {"pid": process.pid, "started": process.started, "what": what}
        line = json.dumps({"boot": processes.boot(), "processes": _processes(), **who})
        with (self.path / RECORD).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def noted(self) -> list[tuple[str, ProcessIdentity]]:
        """Return the processes in the record that may still be there, and what they are."""
        entries = (entry for entry in self._entries() if processes.of_this_boot(entry))
        return [(entry["what"], ProcessIdentity(entry["pid"], entry["started"])) for entry in entries]

    def _entries(self) -> Iterator[Mapping[str, Any]]:
        with suppress(OSError):
            for line in (self.path / RECORD).read_text(encoding="utf-8").splitlines():
                with suppress(ValueError):  # a machine that went down may have left half of a line
                    yield json.loads(line)

    def is_nobodys(self) -> bool:
        """Whether the record proves that it is a run's whose pytest and keeper have both gone."""
        entries = list(self._entries())
        # Containers may share a folder, but see one another's processes as little as those of an earlier boot.
        strange = any(entry["processes"] != _processes() for entry in entries if processes.of_this_boot(entry))
        led = any(one.alive() for what, one in self.noted() if what in LEADERS)
        return bool(entries) and not strange and not led

    def end(self) -> None:
        """End the workers and servers in the record that still run, and remove the folder."""
        left = [process for what, process in self.noted() if what not in LEADERS]
        for process in left:
            process.kill(signal.SIGQUIT)  # PostgreSQL then ends at once and takes its shared memory with it
        for process in left:
            if not process.wait(_END_SECONDS):
                process.kill()
        self.remove()

    def remove(self) -> None:
        """Remove the folder; the record last, so that what cannot be removed now stays provably ours."""
        for _ in range(3):  # a process that is just ending may still write
            with suppress(OSError):
                for entry in self.path.iterdir():
                    if entry.name != RECORD:
                        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
                shutil.rmtree(self.path)
                return


def tell(folder: Path, service: str, failure: str) -> None:
    """Have the fixtures of a worker know why a service cannot run, as the supervisor of a pod does."""
    file = folder / FACTS / f"{service}.json"
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"failure": failure}), encoding="utf-8")
    new.replace(file)


def sweep() -> list[str]:
    """End what runs of this user have left that nobody leads any more; return their ids."""
    swept = []
    for place in _places():
        if place.is_nobodys():
            place.end()
            swept.append(place.path.name.removeprefix(_PREFIX))
    return swept


def _places() -> Iterator[Place]:
    with suppress(OSError, LeaseError):
        yield from (Place(path) for path in sorted(_user_folder().glob(f"{_PREFIX}*")))


def _processes() -> str:
    """Return what tells the processes of this machine from those of a container with the same boot."""
    return str(Path("/proc/self/ns/pid").readlink())


def _mode() -> int:
    return _OTHERS_MAY_PASS if os.geteuid() == 0 else 0o700


def _user_folder() -> Path:
    """Return the folder of this user's runs.

    Raises:
        LeaseError: somebody else has made it, who could then read what is in it.
    """
    folder = programs.open_folder() / f"paddock-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LeaseError(f"{folder} belongs to somebody else: remove it, or set TMPDIR to a folder of your own.")
    folder.chmod(_mode())
    return folder
