"""What xdist's schedulers by scope get wrong, put right for users' own that derive from them: crashes and groups.

pytest-xdist 3.8 hands the crashed test out again with the rest of its unit, so it crashes worker after worker, and
hands out units that are complete, behind which a lone worker waits for ever. With pytest 9.2 it no
longer sees groups (issue 1386). Touches ``assigned_work`` and ``_split_scope`` of single schedulers, no class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from xdist.scheduler import (
    LoadFileScheduling,
    LoadGroupScheduling,
    LoadScheduling,
    LoadScopeScheduling,
    WorkStealingScheduling,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from xdist.workermanage import WorkerController

    Units = dict[str, dict[str, bool]]
    """Unit name -> node id -> whether it is over."""


def remove_node(scheduler: Any, node: WorkerController) -> str | None:  # noqa: ANN401 - any of xdist's schedulers, or a user's
    """Remove a worker from ``scheduler`` and return the test it was running; that test is not handed out again.

    Raises:
        KeyError: the scheduler does not know the worker.
    """
    if not isinstance(scheduler, LoadScopeScheduling):
        return cast("str | None", scheduler.remove_node(node))
    units = scheduler.assigned_work[node]
    crashed = _finish_running(units)
    scheduler.assigned_work[node] = {name: unit for name, unit in units.items() if not all(unit.values())}
    scheduler.remove_node(node)
    return crashed


def _finish_running(units: Units) -> str | None:
    for unit in units.values():
        for node_id, over in unit.items():
            if not over:
                unit[node_id] = True
                return node_id
    return None


def schedule_late(scheduler: Any) -> None:  # noqa: ANN401 - see remove_node
    """Hand out tests to workers that came late.

    A worker runs a test only when it knows what comes next, and the schedulers by scope hand out one unit a call:
    after one unit of one test a late worker would sit idle until the end of the run.
    """
    scheduler.schedule()
    if isinstance(scheduler, LoadScopeScheduling):
        scheduler.schedule()


_STOCK = {
    "load": LoadScheduling,
    "worksteal": WorkStealingScheduling,
    "loadscope": LoadScopeScheduling,
    "loadfile": LoadFileScheduling,
    "loadgroup": LoadGroupScheduling,
}


def is_stock(scheduler: object, dist: str) -> bool:
    """Return whether xdist itself made this scheduler for ``--dist``, so that no hook of a user's did."""
    return type(scheduler) is _STOCK.get(dist)


def tell_groups(scheduler: Any, group_of: Callable[[str], str]) -> None:  # noqa: ANN401 - see remove_node
    """Have loadgroup ask ``group_of`` for a test's group, which is empty for those that have none."""
    if isinstance(scheduler, LoadGroupScheduling):
        by_node_id = scheduler._split_scope  # noqa: SLF001 - what xdist's own schedulers override
        scheduler._split_scope = lambda node_id: group_of(node_id) or by_node_id(node_id)  # noqa: SLF001 - as above
