"""A lock between processes that is released when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def locked(
    path: Path, *, waiting: Callable[[], None] = lambda: None, remove: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Hold the lock of the file ``path``; ``waiting`` is called once if another process holds it.

    ``remove`` is asked at the end whether to take the file away again; others who wait for it notice.
    """
    descriptor = _acquire(path, waiting)
    try:
        yield
    finally:
        if remove():
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path, waiting: Callable[[], None]) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _lock(descriptor, waiting)
        if _same_file(descriptor, path):
            return descriptor
        os.close(descriptor)  # the holder before removed the file: lock the one that lies there now


def _lock(descriptor: int, waiting: Callable[[], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting()
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _same_file(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False
