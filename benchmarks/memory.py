"""What a local worker's process takes more than the same worker under plain xdist: resident memory, with both services.

Each worker tells its resident set size at the end of its tests, each of which had a client of its broker and a database
of its own by the fixtures; under plain xdist, without Paddock's plugin, the same suite imports the same clients and
uses nothing. Servers and keeper are processes of their own, and not in the figure.
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

SUITE = """
import json, os, pathlib, pytest
import paho.mqtt.client, psycopg

@pytest.fixture(scope="session", autouse=True)
def tells():
    yield
    lines = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
    figures = {line.split()[0].rstrip(":"): int(line.split()[1]) for line in lines[1:]}
    pathlib.Path(f"memory-{os.environ['PYTEST_XDIST_WORKER']}.json").write_text(json.dumps(figures))

@pytest.fixture
def used(request):
    if "PADDOCK_WORKER" not in os.environ:
        return
    client, connection = request.getfixturevalue("mqtt_client"), request.getfixturevalue("database_connection")
    client.publish("camera/health", "up", qos=1).wait_for_publish()
    connection.execute("SELECT 1")

@pytest.mark.parametrize("number", range(40))
def test_uses(number, used): pass
"""
WAYS = {
    "pytest --paddock --paddock-engine=local": ("--paddock", "--paddock-engine=local"),
    "pytest": ("-p", "no:paddock"),
}


def main() -> None:
    """Measure in turns, print medians and end with the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4)
    chosen = parser.parse_args()
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(chosen.rounds):
        for way, options in WAYS.items():
            found[way] += megabytes(*options, f"-n{chosen.workers}", "--dist=load")
    for way, each in found.items():
        print(f"{way}: a worker has {min(each):.1f} to {max(each):.1f} MB, median {statistics.median(each):.1f} MB")
    ours, stock = (statistics.median(each) for each in found.values())
    print(f"figure: {ours - stock:.1f} MB more in each local worker process (at most 50)")


def megabytes(*options: str) -> list[float]:
    """Return the resident memory of each worker of one run, in MB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_uses.py").write_text(SUITE, encoding="utf-8")
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
        done = subprocess.run(argv, cwd=folder, env=user_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the run failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        figures = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("memory-*.json")]
    return [each["Rss"] * 1024 / 1e6 for each in figures]


if __name__ == "__main__":
    main()
