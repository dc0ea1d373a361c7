"""Runs as ``namespaces.inventory`` finds them, for the tests of commands that look at them."""

from __future__ import annotations

from datetime import UTC, datetime

from paddock.namespaces.inventory import PodState, RunState, WorkerState
from paddock.specs import TESTING, Doing

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


PORTS = {"broker": 1883, "database": 5432, "cache": 6379}


def pod(component: str, state: str = "running", node: str = "node-1") -> PodState:
    return PodState(name=component, component=component, state=state, node=node, port=PORTS.get(component))


def worker(
    name: str, run_id: str = "k7x2mq", doing: Doing | None = None, pods: tuple[PodState, ...] = ()
) -> WorkerState:
    return WorkerState(
        run_id=run_id,
        name=name,
        namespace=f"paddock-{run_id}-{name}",
        phase=doing.phase if doing else "starting",
        pods=pods or tuple(map(pod, ("worker", "broker", "database"))),
        doing=doing,
        noted_at="2026-01-02T03:05:06Z" if doing else "",
        since=SINCE,
    )


def run(run_id: str, *workers: WorkerState, holder: str = "me@here/7", left: float | None = None) -> RunState:
    return RunState(run_id=run_id, holder=holder, since=SINCE, workers=workers, left=left)


BUSY = Doing(phase=TESTING, running="t.py::test_a", passed=12, failed=1)
