"""200 wait-bound database tests on 4 workers against the same tests one after another with create, migrate and drop.

Both runs are whole commands in namespaces, from pytest's start to its end: the namespaces' start counts for both.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks._database_suite import run, write
from benchmarks._shared import project
from paddock import node

TESTS, WAIT = 200, 0.1
SUITE = """
import time
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_waits({fixture}, number):
    {fixture}.execute("INSERT INTO t0 (name) VALUES ('mine')")
    time.sleep({wait})
    assert {fixture}.execute("SELECT count(*) FROM t0").fetchone() == (21,)
"""


def main() -> None:
    """Measure, print the times and end with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", default="kubernetes", choices=["kubernetes", "local"])
    options = parser.parse_args()
    if options.engine == "kubernetes":
        node.up(report=print)
    measure("database_connection", 4, options.engine)  # images are made here
    ratios = []
    for _ in range(options.rounds):
        naive, ours = measure("naive", 1, options.engine), measure("database_connection", 4, options.engine)
        print(f"one after another, create, migrate, drop: {naive:.1f} s; 4 workers, databases ready: {ours:.1f} s")
        ratios.append(ours / naive)
    print(f"ratio: {statistics.median(ratios):.3f}")


def measure(fixture: str, workers: int, engine: str) -> float:
    """Return the seconds of a run."""
    with project() as folder:
        write(folder, SUITE.format(tests=TESTS, wait=WAIT, fixture=fixture))
        seconds, _ = run(folder, f"-n{workers}", f"--paddock-engine={engine}")
    return seconds


if __name__ == "__main__":
    main()
