"""What ``nox -s parallel`` costs beyond its tests, from Enter to the prompt, when everything has been built before.

Seconds that do not lie between the first and the last result of the example's suite. The median of several runs is
the figure; the node is up, images and environment are there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULT = ("PASSED", "FAILED", "SKIPPED")


def main() -> None:
    """Measure, print the figures and end with the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    run()  # builds what is missing
    beyond = [run() for _ in range(rounds)]
    print(f"beyond the tests: min {min(beyond):.1f} s, max {max(beyond):.1f} s")
    print(f"figure: {statistics.median(beyond):.1f} s")


def run() -> float:
    """Return the seconds of one run that lie outside of its results."""
    foreign = ("NOX_", "PYTEST_", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    argv = [sys.executable, "-m", "nox", "-s", "parallel", "--", "-v"]
    pipe = subprocess.PIPE
    started, results, output = time.monotonic(), list[float](), list[str]()
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        for line in process.stdout:
            output.append(line)
            if line.startswith("[gw") and any(word in line for word in RESULT):
                results.append(time.monotonic())
    ended = time.monotonic()
    if process.returncode or not results:
        raise SystemExit("the run failed:\n" + "".join(output))
    print(f"whole {ended - started:.1f} s, first result after {results[0] - started:.1f} s, {len(results)} results")
    return (ended - started) - (results[-1] - results[0])


if __name__ == "__main__":
    main()
