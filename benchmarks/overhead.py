"""What a test costs beyond itself: tests that do nothing, in namespaces and under stock xdist.

The wall time of many tests less that of few, so that starting and ending drop out; the same difference under
``pytest -n`` on this machine is the ratio's other half. Both ways take turns; the medians of the differences count.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks._shared import project, show, user_environment

if TYPE_CHECKING:
    from pathlib import Path

MANY, FEW = 20_000, 2_000
WAYS = {"pytest --paddock": ("--paddock",), "pytest": ()}
SUITE = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_nothing(number):
    pass
"""


def main() -> None:
    """Measure, print the figures and end with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    differences: dict[str, list[float]] = {way: [] for way in WAYS}
    with project() as folder:
        seconds(folder, FEW, *WAYS["pytest --paddock"], f"-n{chosen.workers}")  # images are made here
        for _ in range(chosen.rounds):
            for way, options in WAYS.items():
                many, few = (seconds(folder, count, *options, f"-n{chosen.workers}") for count in (MANY, FEW))
                differences[way].append(many - few)
    for way, found in differences.items():
        show(f"{way} -n {chosen.workers}, {MANY} tests less {FEW}", found)
    ours, stock = (statistics.median(found) for found in differences.values())
    print(f"per test: {1e6 * ours / (MANY - FEW):.0f} µs in namespaces, {1e6 * stock / (MANY - FEW):.0f} µs without")
    print(f"ratio: {ours / stock:.2f}")


def seconds(folder: Path, count: int, *options: str) -> float:
    """Return the wall time of a run of ``count`` tests."""
    (folder / "test_nothing.py").write_text(SUITE.format(count=count))
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = user_environment()
    started = time.perf_counter()
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or f"{count} passed" not in done.stdout:
        raise SystemExit(f"the run of {count} tests failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
