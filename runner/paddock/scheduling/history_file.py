"""A project's history on disk: read at the start of a run, completed at its end, whoever else does the same.

Whatever is wrong with the file is one sentence and never ends a run; what could not be read is never thrown away.
It must not know where the project's history lies.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paddock.deadlines import Deadline
from paddock.scheduling import history
from paddock.scheduling.history import History

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 5.0
"""Seconds to wait for another run that is writing: it holds the lock for milliseconds."""
_PAUSE = 0.02


@dataclass(frozen=True)
class Loaded:
    """What a file held."""

    history: History
    complaint: str = ""
    """What is wrong with the file, in a sentence."""
    writable: bool = True
    """Whether it may be replaced."""
    broken: bool = False
    """Whether some of it could not be read, so that it is kept beside what replaces it."""
    state: tuple[int, ...] = field(default=(), compare=False)
    """Of the file, before it was read: another one after each change, as who writes puts a new file in its place."""


def load(path: Path) -> Loaded:
    """Read a history; one that is not there is empty."""
    state = _state(path)
    return replace(_load(path), state=state)


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _load(path: Path) -> Loaded:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Loaded(History())
    except UnicodeDecodeError:
        return _unreadable(path, "is no text")
    except OSError as error:
        reason = f"The history {path} cannot be read ({error.strerror}): tests are planned without it."
        return Loaded(History(), reason, writable=False)
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> Loaded:
    if not text.strip():
        return Loaded(History())
    try:
        found, bad = history.parse(text)
    except history.ForeignVersionError as error:
        reason = (
            f"The history {path} has version {error.args[0]}, expected {history.VERSION}: it is neither used nor "
            "changed; upgrade Paddock or name another file with --paddock-history."
        )
        return Loaded(History(), reason, writable=False)
    except ValueError as error:
        return _unreadable(path, str(error))
    if bad:
        reason = f"{bad} lines of the history {path} cannot be read: the others are used."
        return Loaded(found, reason, broken=True)
    return Loaded(found)


def _unreadable(path: Path, why: str) -> Loaded:
    reason = f"The history {path} cannot be read ({why}): tests are planned without it."
    return Loaded(History(), reason, broken=True)


def save(path: Path, new: History, now: float | None = None, known: Loaded | None = None) -> str:
    """Add what a run measured; returns why that could not be done, in a sentence, or nothing.

    The file is read anew under a lock, so that of two runs that end at once neither loses what the other has written;
    unless it is as it was when it was loaded as ``known``.
    """
    if path.exists() and not path.is_file():  # /dev/null, for who wants none
        return ""
    try:
        _make_folder(path.parent)
        with _locked(path.parent):
            before = known if known and known.state and known.state == _state(path) else load(path)
            return _replace(path, before, new, time.time() if now is None else now)
    except OSError as error:
        return f"The history {path} cannot be written ({error.strerror or error}): this run's times are not kept."


def _replace(path: Path, before: Loaded, new: History, now: float) -> str:
    if not before.writable:
        return f"The history {path} is left as it is: this run's times are not kept."
    if before.broken:
        path.replace(f"{path}.broken")
    write(path, before.history.merged(new).pruned(now))
    return f"What could not be read is kept as {path}.broken." if before.broken else ""


def write(path: Path, content: History) -> None:
    """Write a history, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    # Where the file itself is read-only, somebody wants it so; the folder alone would let it be replaced.
    if path.exists() and not path.stat().st_mode & 0o222:
        raise PermissionError(0, "it is read-only")
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_text(content.text(), encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if folder.is_dir():  # as ever, or since another run has just made it
            return
        raise
    (folder / ".gitignore").write_text("# Made by Paddock; remove this file to keep the folder in git.\n*\n")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with its holder and leaves no file behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        deadline, pause = Deadline(PATIENCE), threading.Event()
        while not _try(descriptor):
            if deadline.passed:
                raise OSError("another run has been writing for seconds")
            pause.wait(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
