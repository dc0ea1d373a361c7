"""A skewed suite in namespaces, with workers that come at once, one after another, or not at all.

60 tests: 54 of 0.15 s, 4 of 1.5 s, and last two of 3.25 s, on 4 workers. A run's time counts from its first worker's
being ready to its last report; against it stands LPT on the workers as they were really ready, without any overhead.
The worst of the three is the ratio. Times are known from a run before. A worker comes late, or never, by a conftest
that lets it wait before it collects.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._shared import user_environment
from paddock import node
from tests.unit.scheduling.simulation import ideal

SECONDS = [0.15] * 54 + [1.5] * 4 + [3.25] * 2
NEVER = 600.0
SITUATIONS = {
    "all at once": {"gw0": 0.0, "gw1": 0.0, "gw2": 0.0, "gw3": 0.0},
    "at 0, 2, 4 and 6 s": {"gw0": 0.0, "gw1": 2.0, "gw2": 4.0, "gw3": 6.0},
    "one never": {"gw0": 0.0, "gw1": 2.0, "gw2": 4.0, "gw3": NEVER},
}
SUITE = """
import time
import pytest

@pytest.mark.parametrize("seconds", {seconds}, ids=str)
def test_takes(seconds):
    time.sleep(seconds)
"""
CONFTEST = """
import json, os, pathlib, time

DELAYS, READY, LAST = json.loads(os.environ["DELAYS"]), {}, [0.0]

def pytest_collection(session):
    if hasattr(session.config, "workerinput"):
        time.sleep(DELAYS.get(session.config.workerinput["workerid"], 0.0))

def pytest_xdist_node_collection_finished(node):
    READY[node.gateway.id] = time.monotonic()

def pytest_runtest_logreport(report):
    LAST[0] = time.monotonic()

def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        pathlib.Path("times.json").write_text(json.dumps([sorted(READY.values()), LAST[0]]))
"""
ARGUMENTS = ("-q", "-n", "4", "--paddock", "--paddock-env=DELAYS", "-p", "no:cacheprovider")


def main() -> None:
    """Measure, print the figures and end with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    node.up(report=print)
    ratios: dict[str, list[float]] = {name: [] for name in SITUATIONS}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_skewed.py").write_text(SUITE.format(seconds=SECONDS))
        (Path(folder) / "conftest.py").write_text(CONFTEST)
        measure(Path(folder), SITUATIONS["all at once"])  # images are made here, and the history
        for _ in range(options.rounds):
            for name, delays in SITUATIONS.items():
                ratios[name].append(measure(Path(folder), delays))
        print(f"a worker that is never ready is told as: {warning(Path(folder))}")
    for name, found in ratios.items():
        print(
            f"{name}: time by ideal min {min(found):.3f}, median {statistics.median(found):.3f}, max {max(found):.3f}"
        )
    print(f"ratio: {max(map(statistics.median, ratios.values())):.2f}")


def measure(folder: Path, delays: dict[str, float]) -> float:
    """Run the suite and return its time by the ideal one."""
    ready, last = timed(folder, delays)
    return (last - ready[0]) / ideal(SECONDS, [one - ready[0] for one in ready])


def warning(folder: Path) -> str:
    """Return what the last run, in which one worker was never ready, told of that one."""
    told = [line for line in (folder / "output.txt").read_text().splitlines() if "gw3 was not ready" in line]
    if not told:
        raise SystemExit("nobody was told of a worker that was never ready")
    return told[0][told[0].index("gw3") :]


def timed(folder: Path, delays: dict[str, float]) -> tuple[list[float], float]:
    """Run the suite; return when each worker was ready, in order, and when the last report came."""
    environment = {**user_environment(), "DELAYS": json.dumps(delays)}
    argv = [sys.executable, "-m", "pytest", *ARGUMENTS]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    (folder / "output.txt").write_text(done.stdout)
    if done.returncode:
        raise SystemExit(f"the suite failed:\n{done.stdout}{done.stderr}")
    ready, last = json.loads((folder / "times.json").read_text())
    return ready, float(last)


if __name__ == "__main__":
    main()
