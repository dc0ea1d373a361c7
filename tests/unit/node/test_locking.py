"""One process at a time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from paddock.node.locking import locked

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_holder_waits_and_is_told_so(tmp_path: Path) -> None:
    """The second enters only after the first left, and hears once that it waits."""
    lock, order, waits = tmp_path / "lock", [], threading.Event()

    def second() -> None:
        with locked(lock, waiting=waits.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(lock, waiting=lambda: order.append("never")):
        thread.start()
        assert waits.wait(5)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_a_removed_lock_file_still_excludes(tmp_path: Path) -> None:
    """Who waited for a file that its holder removed locks the file that lies there now, not the ghost."""
    lock, waits, inside = tmp_path / "lock", threading.Event(), threading.Event()
    leave = threading.Event()

    def second() -> None:
        with locked(lock, waiting=waits.set):
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=second)
    with locked(lock, remove=lambda: True):
        thread.start()
        assert waits.wait(5)
    assert inside.wait(5)
    third_waited = threading.Event()

    def let_go() -> None:
        third_waited.set()
        leave.set()

    with locked(lock, waiting=let_go):
        assert third_waited.is_set()
    thread.join(5)


def test_nothing_is_left_when_asked(tmp_path: Path) -> None:
    """The file goes with the lock."""
    with locked(tmp_path / "lock", remove=lambda: True):
        pass
    assert list(tmp_path.iterdir()) == []
