"""A skewed suite on workers that come one after another: one run under Paddock, against shards of pytest-split.

60 tests: 54 of 0.15 s, 4 of 1.5 s, and last two of 3.25 s. Four workers, or the four pods of an Indexed Job on the
same node, begin at 0, 2, 4 and 6 s. Both know the times of a run before: Paddock from its history, pytest-split from
its durations file. A run's time counts from its first worker's having collected to its last report, in both ways; what
they cost beyond that is not compared. Which pod is late is chance, so the delays go round the pods from round to round.
pytest-split shares out in two ways, and the one that was quicker is the ratio's other half.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._shared import LIMIT, images_of, show, user_environment
from benchmarks.schedule import CONFTEST, SECONDS, SUITE, timed
from paddock import node
from paddock.images.environment import VENV

ROOT = Path(__file__).resolve().parents[1]
DELAYS = (0.0, 2.0, 4.0, 6.0)
ALGORITHMS = ("duration_based_chunks", "least_duration")
NAME, DURATIONS = "paddock-bench-shards", "durations.json"
SPLIT = "pytest-split==0.11.0"
POD_CONFTEST = """
import json, os, time

TIMES = []

def pytest_collection():
    time.sleep(json.loads(os.environ["DELAYS"])[int(os.environ["JOB_COMPLETION_INDEX"])])

def pytest_collection_finish():
    TIMES.append(time.time())

def pytest_runtest_logreport():
    TIMES.append(time.time())

def pytest_unconfigure():
    print("TIMES", json.dumps([TIMES[0], TIMES[-1], len(TIMES) // 3]))
"""


def main() -> None:
    """Measure, print the figures and end with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--image-of", metavar="FOLDER", help="only print the worker image of this environment")
    options = parser.parse_args()
    if options.image_of:
        access = node.access()
        assert access is not None  # noqa: S101 - for the type checker: the caller has brought it up
        print(images_of(access.registry, Path(options.image_of))[0].worker)
        return
    node.up(report=print)
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), options.rounds)
    for way, seconds in found.items():
        show(way, seconds)
    ours, *theirs = map(statistics.median, found.values())
    print(f"ratio: {ours / min(theirs):.2f}")


def measured(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every way's runs, Paddock's first."""
    python = environment(folder)
    project, shards = folder / "project", folder / "shards"
    for place, conftest in ((project, CONFTEST), (shards, POD_CONFTEST)):
        place.mkdir()
        (place / "test_skewed.py").write_text(SUITE.format(seconds=SECONDS))
        (place / "conftest.py").write_text(conftest)
    split = Shards(shards, python)
    timed(project, dict.fromkeys(workers(), 0.0))  # images are made here, and the history
    found: dict[str, list[float]] = {
        "pytest --paddock -n 4": [],
        **{f"pytest-split, {name}": [] for name in ALGORITHMS},
    }
    ours, *theirs = found.values()
    for turn in range(rounds):
        delays = [*DELAYS[turn % 4 :], *DELAYS[: turn % 4]]
        ready, last = timed(project, dict(zip(workers(), delays, strict=True)))
        ours.append(last - ready[0])
        for algorithm, seconds in zip(ALGORITHMS, theirs, strict=True):
            seconds.append(split.seconds(algorithm, delays))
        print(f"delays {delays}: {', '.join(f'{one[-1]:.2f} s' for one in found.values())}", flush=True)
    return found


def workers() -> list[str]:
    """Return the names of xdist's workers."""
    return [f"gw{number}" for number in range(len(DELAYS))]


def environment(folder: Path) -> str:
    """Return the interpreter of a new environment with Paddock and pytest-split, from which the Job's image is made."""
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", str(folder / "venv")], check=True)
    python = str(folder / "venv" / "bin" / "python")
    subprocess.run([*uv, "pip", "install", "--python", python, str(ROOT), SPLIT], check=True)
    return python


class Shards:
    """The suite in ``folder`` as an Indexed Job, a shard in each pod."""

    def __init__(self, folder: Path, python: str) -> None:
        access = node.access()
        assert access is not None  # noqa: S101 - for the type checker: it was brought up
        self._kubectl = (str(node.tool("kubectl")), f"--kubeconfig={access.kubeconfig}")
        asked = self._run(python, "-m", "benchmarks.shards", f"--image-of={folder}")
        self._image, self._folder = asked.split()[-1], folder
        argv = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:paddock")
        once = {"DELAYS": "[0]", "JOB_COMPLETION_INDEX": "0"}
        self._run(*argv, "--store-durations", f"--durations-path={DURATIONS}", cwd=folder, variables=once)
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)

    def seconds(self, algorithm: str, delays: list[float]) -> float:
        """Return the seconds from the first pod's having collected to the last report of all."""
        self._delete()  # what a killed benchmark has left
        objects = [self._files(), job(self._image, algorithm, delays)]
        self._run(*self._kubectl, "create", "-f", "-", told={"apiVersion": "v1", "kind": "List", "items": objects})
        try:
            self._run(*self._kubectl, "wait", "--for=condition=complete", f"--timeout={LIMIT:.0f}s", f"job/{NAME}")
            log = self._run(*self._kubectl, "logs", f"--selector=job-name={NAME}", "--tail=-1")
        finally:
            self._delete()
        times = [json.loads(line.removeprefix("TIMES ")) for line in log.splitlines() if line.startswith("TIMES ")]
        if sum(tests for _, _, tests in times) != len(SECONDS):
            raise SystemExit(f"the shards did not run every test once:\n{log}")
        return float(max(last for _, last, _ in times) - min(first for first, _, _ in times))

    def _delete(self) -> None:
        options = ("--wait", "--cascade=foreground", "--ignore-not-found")
        self._run(*self._kubectl, "delete", *options, f"job/{NAME}", f"configmap/{NAME}")

    def _files(self) -> dict[str, Any]:
        files = {path.name: path.read_text() for path in self._folder.iterdir()}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": files}

    @staticmethod
    def _run(*argv: str, told: object = None, cwd: Path = ROOT, variables: dict[str, str] | None = None) -> str:
        environment = {**user_environment(), **(variables or {})}
        text = None if told is None else json.dumps(told)
        done = subprocess.run(argv, cwd=cwd, env=environment, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def job(image: str, algorithm: str, delays: list[float]) -> dict[str, Any]:
    """Return the Indexed Job: a pod for each shard, with as much processor and memory as a worker asks for."""
    count = len(delays)
    pytest = f"{VENV}/bin/python -m pytest -q -p no:cacheprovider -p no:paddock --rootdir=/suite /suite"
    shard = f"--splits={count} --group=$((JOB_COMPLETION_INDEX + 1)) --splitting-algorithm={algorithm}"
    container = {
        "name": "shard",
        "image": image,
        "command": ["sh", "-c", f"exec {pytest} {shard} --durations-path=/suite/{DURATIONS}"],
        "env": [{"name": "DELAYS", "value": json.dumps(delays)}, {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}},
        "volumeMounts": [{"name": "suite", "mountPath": "/suite"}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "suite", "configMap": {"name": NAME}}],
    }
    spec = {"completionMode": "Indexed", "completions": count, "parallelism": count, "backoffLimit": 0}
    metadata = {"name": NAME, "namespace": "default"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {**spec, "template": {"spec": pod}}}


if __name__ == "__main__":
    main()
