"""From Enter to the first test result of a run that takes over what another has handed on.

Against what a user would otherwise wait for: the first result of a local ``pytest -n 1`` of the same project, without
Paddock. Both are measured in turn, several times; the medians make the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from benchmarks._shared import LIMIT, project, rest, show
from benchmarks.start import SUITE, seconds_to_first_result
from paddock import names, node
from paddock.cluster import connect, requests
from paddock.deadlines import Deadline
from paddock.namespaces import diagnosis

if TYPE_CHECKING:
    from paddock.cluster.client import Cluster

_PODS = 3


def main() -> None:
    """Measure, print the figures and end with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    access = node.up(report=print)
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    run_id = names.new_run_id()
    try:
        with project() as folder:
            (folder / "test_start.py").write_text(SUITE)
            reuse = ("--paddock", "-n", "1", "--paddock-reuse")
            first = seconds_to_first_result(folder, *reuse, f"--paddock-run-id={run_id}")
            local, reused = [], []
            for _ in range(rounds):
                settle(cluster, run_id)
                reused.append(seconds_to_first_result(folder, *reuse, said="created 0, reused 1, deleted 0, kept 1"))
                settle(cluster, run_id)
                local.append(seconds_to_first_result(folder, "-n", "1"))
    finally:
        subprocess.run([sys.executable, "-m", "paddock", "reap", "--run", run_id, "--wait", "0"], check=True)
    show("the first run, which makes namespaces and perhaps images", [first])
    show("pytest --paddock -n 1 --paddock-reuse, Enter to first result", reused)
    show("pytest -n 1, Enter to first result", local)
    print(f"ratio: {statistics.median(reused) / statistics.median(local):.2f}")


def settle(cluster: Cluster, run_id: str) -> None:
    """Wait until all that was handed on runs, and the processors rest: a person needs longer to type a command."""
    pause, deadline = threading.Event(), Deadline(LIMIT)
    selector = names.selector(names.labels(run_id))
    while not deadline.passed:
        pods = cluster.list_objects(requests.POD, selector=selector)
        if sum(map(diagnosis.is_running, pods)) == _PODS:
            rest(pause, deadline)
            return
        pause.wait(0.2)
    raise SystemExit("the run before has handed nothing on")


if __name__ == "__main__":
    main()
