"""``paddock ls``: runs, their workers, and what each of them is at.

Owns the table and its JSON. What there is stands in ``namespaces.inventory``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from paddock.cli import reaching, tables
from paddock.columns import aligned
from paddock.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from paddock.namespaces.inventory import RunState, WorkerState

_HEAD = ("RUN", "WORKER", "PHASE", "PODS", "NODE", "PASSED", "FAILED", "ERRORS", "SKIPPED", "AGE", "TEST")
_FIGURES = ("passed", "failed", "errors", "skipped")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("ls", help="list runs and their workers", description=__doc__)
    parser.add_argument("run", nargs="?", help="only this run, by its id")
    reaching.add_arguments(parser)
    parser.set_defaults(handler=ls)


def ls(arguments: argparse.Namespace) -> int:
    """List what there is."""
    from paddock.namespaces import inventory  # noqa: PLC0415 - loads the cluster's client

    cluster = reaching.reach(arguments)
    runs = inventory.read(cluster) if cluster else []
    if arguments.run is not None:
        runs = only(runs, arguments.run)
    if arguments.json:
        tables.say(tables.as_json({"runs": [run_data(run) for run in runs]}))
    elif not runs:
        tables.hint("No runs." if cluster else f"No runs: {reaching.NODE_IS_DOWN}.")
    else:
        tables.say("\n".join(table(runs)))
    return 0


def only(runs: Sequence[RunState], run_id: str) -> list[RunState]:
    """Return the one run of that id.

    Raises:
        UsageError: there is none.
    """
    found = [run for run in runs if run.run_id == run_id]
    if not found:
        known = ", ".join(run.run_id for run in runs) or "none"
        raise UsageError(f"There is no run {run_id!r}; expected one of: {known}.")
    return found


def table(runs: Sequence[RunState]) -> list[str]:
    """Return the table's lines, and below it a line for each pod that does not run."""
    rows = [row for run in runs for row in ([_row(run, one) for one in run.workers] or [_bare(run)])]
    return [*aligned([_HEAD, *rows]), *_obstacles(runs)]


def _row(run: RunState, worker: WorkerState) -> tuple[str, ...]:
    doing = worker.doing
    left = "" if run.left is None else f" {tables.span(run.left)}"
    running = sum(pod.runs for pod in worker.pods)
    figures = [str(getattr(doing, figure)) if doing else "" for figure in _FIGURES]
    return (
        *(worker.run_id, worker.name, f"{worker.phase}{left}", f"{running}/{len(worker.pods)}", worker.node),
        *(*figures, tables.age(worker.since), doing.test if doing else ""),
    )


def _bare(run: RunState) -> tuple[str, ...]:
    """Return the row of a run without namespaces: it is about to make them, or its record was left behind."""
    return (run.run_id, "", "", "0/0", "", *("" for _ in _FIGURES), tables.age(run.since), "")


def _obstacles(runs: Sequence[RunState]) -> Iterator[str]:
    for worker in (worker for run in runs for worker in run.workers):
        for pod in worker.pods:
            if not pod.runs:
                yield f"{worker.run_id}/{worker.name}: pod {pod.name}: {pod.state}"


def run_data(run: RunState) -> dict[str, Any]:
    """Return a run as JSON holds it."""
    return {
        "run": run.run_id,
        "holder": run.holder,
        "since": run.since.isoformat() if run.since else None,
        "left": run.left,
        "workers": [_worker_data(worker) for worker in run.workers],
    }


def _worker_data(worker: WorkerState) -> dict[str, Any]:
    return {
        "worker": worker.name,
        "namespace": worker.namespace,
        "phase": worker.phase,
        "node": worker.node,
        "since": worker.since.isoformat() if worker.since else None,
        "running": worker.doing.running if worker.doing else "",
        "awaits": asdict(worker.doing.awaits) if worker.doing and worker.doing.awaits else None,
        **{figure: getattr(worker.doing, figure) if worker.doing else None for figure in _FIGURES},
        "noted_at": worker.noted_at or None,
        "pods": [asdict(pod) for pod in worker.pods],
    }
