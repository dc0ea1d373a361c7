"""From Enter to the first test result, with images present.

Against what a user would otherwise wait for: a bare pod of the same image until it runs, and then the first result of
a local ``pytest -n 1``. All three are measured in turn, several times; the medians make the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks._shared import LIMIT, images_of, project, settle, show, user_environment
from paddock import names, node
from paddock.cluster import connect, requests
from paddock.cluster.watching import Watch
from paddock.deadlines import Deadline
from paddock.namespaces import diagnosis

if TYPE_CHECKING:
    from pathlib import Path

    from paddock.cluster.client import Cluster

SUITE = "def test_first(): pass\n"
FIRST_RESULT = "PASSED"


def main() -> None:
    """Measure, print the figures and end with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    access = node.up(report=print)
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    with project() as folder:
        (folder / "test_start.py").write_text(SUITE)
        image = images_of(access.registry, folder)[0].worker
        seconds_to_first_result(folder, "--paddock", "-n", "1")  # images and bytecode are made here, not measured
        paddock, local, pod = [], [], []
        for _ in range(rounds):
            settle(cluster)
            paddock.append(seconds_to_first_result(folder, "--paddock", "-n", "1"))
            settle(cluster)
            local.append(seconds_to_first_result(folder, "-n", "1"))
            settle(cluster)
            pod.append(seconds_to_running_pod(cluster, image))
    show("pytest --paddock -n 1, Enter to first result", paddock)
    show("pytest -n 1, Enter to first result", local)
    show("bare pod of the same image, asked for to running", pod)
    print(f"ratio: {statistics.median(paddock) / (statistics.median(local) + statistics.median(pod)):.2f}")


def seconds_to_first_result(folder: Path, *arguments: str, said: str = "") -> float:
    """Return the seconds from starting pytest to the line of the first result; ``said`` is in what comes after it."""
    argv = [sys.executable, "-u", "-m", "pytest", "-v", "-p", "no:cacheprovider", *arguments]
    environment = user_environment()
    pipe = subprocess.PIPE
    started = time.perf_counter()
    with subprocess.Popen(
        argv, cwd=folder, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        output = []
        for line in process.stdout:
            output.append(line)
            if FIRST_RESULT in line:
                seconds = time.perf_counter() - started
                if said in (remainder := process.stdout.read()):
                    return seconds
                raise SystemExit(f"expected {said!r} in:\n{remainder}")
    raise SystemExit("no test passed:\n" + "".join(output))


def seconds_to_running_pod(cluster: Cluster, image: str) -> float:
    """Return the seconds from asking for a pod of the worker image until it is known to run."""
    name = f"bench-{names.new_run_id()}"
    labels = {"bench": name}
    watch = Watch(cluster, requests.POD, names.selector(labels))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "containers": [{"name": "c", "image": image, "command": ["sleep", "600"]}],
        },
    }
    try:
        started = time.perf_counter()
        cluster.create(pod, deadline=Deadline(LIMIT))
        running = watch.wait(lambda pods: any(map(diagnosis.is_running, pods.values())) or None, Deadline(LIMIT))
        seconds = time.perf_counter() - started
    finally:
        watch.close()
        cluster.delete(requests.delete(requests.POD, name, "default"))
    if not running:
        raise SystemExit("the bare pod did not run")
    return seconds


if __name__ == "__main__":
    main()
