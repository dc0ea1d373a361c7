"""Which workers a person means: by run, by worker, or by both.

Pure. It must not know clusters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock import names
from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.namespaces.inventory import PodState, RunState, WorkerState

MEANING = "a run's id, a worker such as gw0, both as RUN/gw0, or a namespace"


def workers(runs: Sequence[RunState], target: str) -> list[WorkerState]:
    """Return the workers that ``target`` means: all of a run, or one.

    Raises:
        UsageError: it means none, or the worker's name is found in several runs.
    """
    everyone = [worker for run in runs for worker in run.workers]
    of_run = [worker for worker in everyone if worker.run_id == target]
    found = of_run or [worker for worker in everyone if target in _names(worker)]
    if not found:
        known = ", ".join(f"{worker.run_id}/{worker.name}" for worker in everyone) or "none: no run is under way"
        raise UsageError(f"Nothing is called {target!r}; expected {MEANING}. Workers: {known}.")
    if len(found) > 1 and not of_run:
        several = " or ".join(f"{worker.run_id}/{worker.name}" for worker in found)
        raise UsageError(f"{target!r} is a worker of {len(found)} runs: say {several}.")
    return found


def worker(runs: Sequence[RunState], target: str) -> WorkerState:
    """Return the one worker that ``target`` means; a run of one worker means that one.

    Raises:
        UsageError: as ``workers``, and where it means several.
    """
    found = workers(runs, target)
    if len(found) > 1:
        found = [one for one in found if one.name != names.SHARED]
    if len(found) > 1:
        several = ", ".join(f"{target}/{one.name}" for one in found)
        raise UsageError(f"The run {target!r} has {len(found)} workers, and one is needed: say one of {several}.")
    return found[0]


def pods(chosen: WorkerState, component: str | None) -> Sequence[PodState]:
    """Return a worker's pods, or those of a component: none, where it shares that with other workers."""
    return [one for one in chosen.pods if component in (None, one.component, one.name)]


def pod(chosen: WorkerState, component: str) -> PodState:
    """Return a worker's pod by its component: ``worker``, ``broker``, ``database``.

    Raises:
        UsageError: it has none of that name, or not yet.
    """
    found = next(iter(pods(chosen, component)), None)
    if found is None:
        known = ", ".join(one.component or one.name for one in chosen.pods) or "none yet"
        raise UsageError(f"{chosen.run_id}/{chosen.name} has no pod {component!r}; its pods: {known}.")
    return found


def _names(one: WorkerState) -> set[str]:
    return {one.name, one.namespace, f"{one.run_id}/{one.name}"}
