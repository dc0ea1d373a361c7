"""``up`` and ``down``: who may, one at a time, and nothing to do is done fast.

Imports what does the work only when there is work: most calls of :func:`up` find the node up.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from paddock.node import privilege
from paddock.node.locking import locked
from paddock.node.places import LOCK, STATE
from paddock.node.reaching import NodeAccess, access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paddock.node.supply import Supply


def _silent(_line: str) -> None:
    """Report nothing."""


def up(*, report: Callable[[str], None] = _silent, supply: Supply | None = None, upgrade: bool = False) -> NodeAccess:
    """Make sure that the node is up and return how to reach it; does nothing when it is.

    ``report`` gets a line about every step that takes longer than a second. Two at once are safe: one waits.
    ``supply`` says where programs come from; the environment does, if it is not given, else the node as it is.
    A node made of something else than this version wants is left alone, since others may be using it; with
    ``upgrade`` it becomes what is wanted.

    Raises:
        UsageError: this is not Linux, or not root.
        NodeError: the machine is not fit, or a step failed; the message names the remedy or the log.
    """
    if (found := access()) and not upgrade:
        return found
    from paddock.node import starting  # noqa: PLC0415 - see the module's docstring
    from paddock.node.supply import supply as chosen_by  # noqa: PLC0415 - as above

    privilege.require_root()
    with _alone(report):
        found = None if upgrade else access()
        return found or starting.start(report, supply or chosen_by(), upgrade=upgrade)


def down(*, report: Callable[[str], None] = _silent) -> None:
    """Remove the node with everything it made on the machine; does nothing when there is none.

    Raises:
        UsageError: this is not Linux, or not root.
        NodeError: something could not be removed; the message names it. Calling again carries on.
    """
    from paddock.node import removing  # noqa: PLC0415 - see the module's docstring

    privilege.require_root()
    if STATE.exists() or LOCK.exists():
        with _alone(report):
            removing.remove(report)


@contextmanager
def _alone(report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock; where no node is left at the end, no lock and no folder of it are left either."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    line = "waiting for another process that starts or removes the node"
    try:
        with locked(LOCK, waiting=lambda: report(line), remove=lambda: not STATE.exists()):
            yield
    finally:
        with suppress(OSError):  # not empty: a node, or a lock that another process has taken meanwhile
            LOCK.parent.rmdir()
