"""How busy devices are while tests that need them bound a run, and how long a device lies idle between two of them.

Two simulated devices, four workers, 60 tests that hold a device for 0.1 to 0.9 s and as many that need none. Each
device's busy time, as the tests themselves have seen it, stands against the time from the first test that holds one to
the end of the last: all of it would be 1. A hand-over is the time between one test's closing of a device and the
next one's opening of it. Devices are loop devices, opened with ``O_EXCL``: no two tests can hold one at a time.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks._shared import settle, user_environment
from paddock import node
from paddock.cluster import connect

DEVICES, WORKERS, TESTS = 2, 4, 60
SHORTEST, LONGEST = 0.1, 0.9
"""Seconds that a test holds a device."""
PLAIN_SECONDS = 0.2
SUITE = """
import os, time
import pytest

@pytest.mark.hardware("accelerator")
@pytest.mark.parametrize("seconds", {seconds}, ids=lambda seconds: f"{{seconds:.3f}}")
def test_holds(seconds, accelerator, record_property):
    (path,) = accelerator.paths
    descriptor = os.open(path, os.O_RDWR | os.O_EXCL)
    begun = time.time()
    time.sleep(seconds)
    ended = time.time()
    os.close(descriptor)
    record_property("held", f"{{accelerator.ids[0]}} {{begun}} {{ended}}")

@pytest.mark.parametrize("number", range({plain}))
def test_plain(number):
    time.sleep({plain_seconds})
"""
ARGUMENTS = (
    "-q",
    *("-p", "no:cacheprovider", "--junitxml=junit.xml", "-n", str(WORKERS), "--paddock"),
    *("--paddock-hardware=accelerator", f"--paddock-simulate-hardware={DEVICES}"),
)


@dataclass(frozen=True)
class Figures:
    """Of one run: the share of their time for which devices were held, and the pauses in between, in seconds."""

    busy: float
    hand_overs: list[float]


def main() -> None:
    """Measure, print the figures and end with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    access = node.up(report=print)
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        measured(Path(folder))  # images are made here, and the history
        for _ in range(rounds):
            settle(cluster)
            found.append(measured(Path(folder)))
    busy = [one.busy for one in found]
    pauses = [1000 * pause for one in found for pause in one.hand_overs]
    print(f"busy by all: min {min(busy):.3f}, median {statistics.median(busy):.3f}, max {max(busy):.3f}")
    tenth = statistics.quantiles(pauses, n=10)
    print(f"hand-over: median {statistics.median(pauses):.1f} ms, nine of ten below {tenth[-1]:.1f} ms")
    print(f"ratio: {statistics.median(busy):.2f}")


def write(folder: Path) -> None:
    """Write the suite; lengths are drawn once, the same for each run."""
    lengths = random.Random(8)  # noqa: S311 - no secret
    seconds = [round(lengths.uniform(SHORTEST, LONGEST), 3) for _ in range(TESTS)]
    text = SUITE.format(seconds=seconds, plain=TESTS, plain_seconds=PLAIN_SECONDS)
    (folder / "test_devices.py").write_text(text)


def measured(folder: Path) -> Figures:
    """Run the suite and return what its tests have seen of the devices."""
    argv = [sys.executable, "-m", "pytest", *ARGUMENTS]
    environment = user_environment()
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the suite failed:\n{done.stdout}{done.stderr}")
    held = uses(folder / "junit.xml")
    if len(held) != DEVICES:
        raise SystemExit(f"tests held {sorted(held)}, which are not {DEVICES} devices")
    spans = [span for one in held.values() for span in one]
    whole = max(ended for _, ended in spans) - min(begun for begun, _ in spans)
    busy = sum(ended - begun for begun, ended in spans) / (DEVICES * whole)
    pauses = [after - ended for one in held.values() for (_, ended), (after, _) in itertools.pairwise(one)]
    return Figures(busy, pauses)


def uses(junit: Path) -> dict[str, list[tuple[float, float]]]:
    """Return when each device was held, in order."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in ET.parse(junit).iter("property"):  # noqa: S314 - a file of our own
        device, begun, ended = one.attrib["value"].split()
        found[device].append((float(begun), float(ended)))
    return {device: sorted(spans) for device, spans in found.items()}


if __name__ == "__main__":
    main()
