"""R2's shape: 51 tests that connect, discover, publish, assert and disconnect; as they were, and on our fixtures.

As they were: a connection for each test, sleeps in place of conditions, and an executor whose loop is waited for at its
end. The sleeps are a tenth of what R2 tells of (16 s a test), so that both are measured in one run. Each of the three
is then taken away in turn, which splits the gain by cause; without our fixtures there is no reset of ours either. All
runs use one real Mosquitto. What is compared is the time of the tests, with their set-up and tear-down, without
pytest's own start. The quick ones are run several times, in turn; the others take minutes and run once.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import paddock
from benchmarks._shared import show, user_environment
from tests.plugins.mosquitto import Mosquitto

TESTS = 51
STEPS = {
    "a connection per test, sleeps, executor waits": "connection sleeps executor",
    "without sleeps": "connection executor",
    "without executor waits": "connection",
    "on our fixtures": "",
}
SLOW, QUICK = list(STEPS)[:2], list(STEPS)[2:]
SUITE = f"""
import os, threading, time
from concurrent.futures import ThreadPoolExecutor
import paho.mqtt.client as mqtt
import pytest
from paddock.fixtures.conditions import wait_until

SHAPE = os.environ["SHAPE"].split()
CONNECT, DISCOVER, PERIOD = 0.5, 1.0, 0.5  # seconds

class Detector:
    def __init__(self, client):
        self.client, self.stopped, self.executor = client, False, ThreadPoolExecutor(1)

    def step(self):
        self.client.publish("discover", "all", qos=1)

    def run(self):
        while not self.stopped:
            self.step()
            time.sleep(PERIOD)

    def stop(self):
        self.stopped = True
        self.executor.shutdown(wait=True)

@pytest.fixture
def client(request):
    if "connection" not in SHAPE:
        yield request.getfixturevalue("mqtt_client")
        return
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    made.connect(os.environ["PADDOCK_BROKER_HOST"], int(os.environ["PADDOCK_BROKER_PORT"]))
    made.loop_start()
    time.sleep(CONNECT) if "sleeps" in SHAPE else wait_until(made.is_connected)
    yield made
    made.disconnect()
    made.loop_stop()

@pytest.mark.parametrize("number", range({TESTS}))
def test_a_camera_is_discovered(client, number):
    found = []
    client.message_callback_add("discover", lambda c, d, m: c.publish("camera/found", str(number), qos=1))
    client.message_callback_add("camera/found", lambda c, d, m: found.append(m.payload))
    client.subscribe([("discover", 1), ("camera/found", 1)])
    detector = Detector(client)
    if "executor" in SHAPE:
        detector.executor.submit(detector.run)
    else:
        detector.step()
    if "sleeps" in SHAPE:
        time.sleep(DISCOVER)
    else:
        wait_until(lambda: found)
    assert found[0] == str(number).encode()
    detector.stop()
"""
TIMES = """
import json, os
seconds = {"setup": 0.0, "call": 0.0, "teardown": 0.0}

def pytest_runtest_logreport(report):
    seconds[report.when] += report.duration

def pytest_sessionfinish(exitstatus):
    with open(os.environ["TIMES"], "w") as file:
        json.dump(seconds, file)
"""


def main() -> None:
    """Measure each step and print the gain by cause, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "test_shape.py").write_text(SUITE)
        (place / "conftest.py").write_text(TIMES)
        broker = Mosquitto(place).start()
        try:
            seconds = {name: [measured(place, broker, STEPS[name])] for name in SLOW}
            quick = [(name, measured(place, broker, STEPS[name])) for _ in range(rounds) for name in QUICK]
        finally:
            broker.stop()
    tell(seconds | {name: [taken for other, taken in quick if other == name] for name in QUICK})


@dataclass(frozen=True)
class Seconds:
    """The time of all tests in one run."""

    whole: float
    around: float
    """Of it, what fixtures took before and after the tests' own steps."""


def tell(seconds: dict[str, list[Seconds]]) -> None:
    """Print times, gains and ratios."""
    wholes = {name: statistics.median(one.whole for one in found) for name, found in seconds.items()}
    arounds = {name: statistics.median(one.around for one in found) for name, found in seconds.items()}
    earlier = 0.0
    for name, whole in wholes.items():
        show(name, [one.whole for one in seconds[name]])
        gain = f", {earlier - whole:.2f} s less than before" if earlier else ""
        print(f"  {1000 * whole / TESTS:.1f} ms a test, {1000 * arounds[name] / TESTS:.1f} of them in fixtures{gain}")
        earlier = whole
    before, sleepless, connections, ours = STEPS
    print(f"ours / a connection per test without sleeps: {wholes[ours] / wholes[sleepless]:.2f}")
    print(f"ours / nothing but a connection per test: {wholes[ours] / wholes[connections]:.2f}")
    print(f"  the same of the time in fixtures: {arounds[ours] / arounds[connections]:.2f}")
    print(f"ratio: {wholes[before] / wholes[ours]:.1f}")


def measured(folder: Path, broker: Mosquitto, shape: str) -> Seconds:
    """Return the time that all tests took in one run of pytest."""
    told = folder / "times.json"
    environment = {**user_environment(), **broker.environment, "SHAPE": shape, "TIMES": str(told)}
    source = str(Path(paddock.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH", "")]))
    plugin = [] if entry_points(group="pytest11", name="paddock") else ["-p", "paddock.plugin"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    phases = json.loads(told.read_text())
    return Seconds(sum(phases.values()), phases["setup"] + phases["teardown"])


if __name__ == "__main__":
    main()
