"""From the last test's result to the prompt, and until everything of the run is gone; with 4 workers and with 20.

Against the API server's own time: as many namespaces with nothing in them, made, deleted at once, and waited for until
they are gone. Both take turns in the same run; the medians make the ratio. Ours counts from the last test's result, as
the run itself hears of it. All workers are there by then, and each has one test left. These end one after another
within a few seconds, as tests of different lengths do, or all at the same moment (``--spread=0``), when every worker's
interpreter ends at once.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from benchmarks._shared import LIMIT, project, settle, show, user_environment
from paddock import names, node
from paddock.cluster import connect, requests
from paddock.cluster.watching import Watch
from paddock.deadlines import Deadline

if TYPE_CHECKING:
    from pathlib import Path

    from paddock.cluster.client import Cluster

WORKERS = (4, 20)
SUITE = """
import os, time
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_lasts(number, worker_id):
    end = float(os.environ["END"]) + int(worker_id[2:]) * float(os.environ["SPREAD"]) / {workers}
    time.sleep(max(0.0, end - time.time()))
"""
CONFTEST = """
import os, time
from pathlib import Path

def pytest_runtest_logreport(report):
    if report.when == "call" and "PYTEST_XDIST_WORKER" not in os.environ:
        Path("last").write_text(str(time.monotonic()))
"""
"""In the run's own process, which hears of results before anybody can read of them; the clock is the machine's."""
PYTEST = (sys.executable, "-u", "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""Without a plugin that this environment has for Paddock's own tests, and which works in every worker at its end."""
RESULT = re.compile(r"\[(gw\d+)\].*PASSED")
COMING, COMING_EACH = 15.0, 4.5
"""Seconds for all workers to come, on two cores: a start, and each worker's."""
SPREAD = 4.0
"""Seconds from the first worker's last result to the last one's."""
CHOSEN = ("--paddock-env=END,SPREAD", "--paddock-worker-cpu=20m", "--paddock-history=/dev/null")
"""With the default, 20 workers and the services of the first just miss having room on two processors; and by what
earlier rounds took, fewer workers would do."""
PLAIN = "paddock-bench/run"
"""Label of the plain namespaces, which are nobody's run."""


def main() -> None:
    """Measure, print the figures and end with the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS))
    parser.add_argument("--spread", type=float, default=SPREAD, metavar="SECONDS")
    chosen = parser.parse_args()
    access = node.up(report=print)
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    ratios = []
    with project() as folder:
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_nothing.py").write_text(SUITE.format(count=1, workers=1))
        ended(cluster, folder, 1, 0)  # images are made here, and unpacked on the node
        for workers in chosen.workers:
            (folder / "test_nothing.py").write_text(SUITE.format(count=3 * workers, workers=workers))
            prompts, gone, plain = [], [], []
            for _ in range(chosen.rounds):
                settle(cluster)
                prompt, all_gone = ended(cluster, folder, workers, chosen.spread)
                prompts.append(prompt)
                gone.append(all_gone)
                settle(cluster)
                plain.append(emptied(cluster, workers))
            show(f"{workers} workers, last result to prompt", prompts)
            show(f"{workers} workers, last result to all gone", gone)
            show(f"{workers} empty namespaces, deletion asked for to all gone", plain)
            ratios.append(statistics.median(gone) / statistics.median(plain))
            print(f"all gone with {workers}, by as many empty namespaces: {ratios[-1]:.2f}")
    print(f"ratio: {max(ratios):.2f}")


def ended(cluster: Cluster, folder: Path, workers: int, spread: float) -> tuple[float, float]:
    """Run the tests and return the seconds from the last result to the prompt, and until no namespace is left."""
    run_id = names.new_run_id()
    watch = Watch(cluster, requests.NAMESPACE, names.selector(names.labels(run_id)))
    argv = [*PYTEST, "--paddock", f"-n{workers}", *CHOSEN, f"--paddock-run-id={run_id}"]
    try:
        last, prompt = timed(argv, folder, workers, spread)
        return prompt - last, await_gone(watch) - last
    finally:
        watch.close()


def timed(argv: list[str], folder: Path, workers: int, spread: float) -> tuple[float, float]:
    """Return when the last result came and when the process had ended."""
    output, pipe, told = [], subprocess.PIPE, set[str]()
    end = time.time() + COMING + COMING_EACH * workers
    environment = {**user_environment(), "END": str(end), "SPREAD": str(spread)}
    with subprocess.Popen(
        argv, cwd=folder, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        for line in process.stdout:
            output.append(line)
            if found := RESULT.search(line):
                told.add(found[1])
        code = process.wait()
        prompt = time.monotonic()
    if code or len(told) < workers:
        raise SystemExit(f"the tests did not pass on all workers, but on {sorted(told)}:\n" + "".join(output))
    return float((folder / "last").read_text()), prompt


def emptied(cluster: Cluster, count: int) -> float:
    """Return the seconds from asking for the deletion of so many empty namespaces until all are gone."""
    run_id = names.new_run_id()
    labels = {PLAIN: run_id}
    plain = [f"bench-{run_id}-{number}" for number in range(count)]
    watch = Watch(cluster, requests.NAMESPACE, names.selector(labels))
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(partial(make, cluster, labels), plain))
            watch.wait(lambda found: len(found) == count or None, Deadline(LIMIT))
            started = time.monotonic()
            list(pool.map(lambda name: cluster.delete(requests.delete(requests.NAMESPACE, name)), plain))
        return await_gone(watch) - started
    finally:
        watch.close()


def make(cluster: Cluster, labels: dict[str, str], name: str) -> None:
    """Make one empty namespace."""
    metadata = {"name": name, "labels": labels}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, deadline=Deadline(LIMIT))


def await_gone(watch: Watch) -> float:
    """Return the time at which the last of the watched namespaces was gone."""
    if watch.wait(lambda found: (not found) or None, Deadline(LIMIT)) is None:
        raise SystemExit(f"still there: {sorted(watch.objects)}")
    return time.monotonic()


if __name__ == "__main__":
    main()
