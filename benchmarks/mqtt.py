"""R2's shape: 51 tests that connect, discover, publish, assert and disconnect; as they were, and on our fixtures.

As they were: a connection for each test, sleeps in place of conditions, and an executor whose loop is waited for at its
end. The sleeps are a tenth of what R2 tells of (16 s a test), so that both are measured in one run. Each of the three
is then taken away in turn, which splits the gain by cause. All runs use one real Mosquitto. What is compared is the
time of the tests, with their set-up and tear-down, and not pytest's own start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path

import paddock
from benchmarks._shared import user_environment
from tests.plugins.mosquitto import Mosquitto

TESTS = 51
STEPS = {
    "a connection per test, sleeps, executor waits": "connection sleeps executor",
    "without sleeps": "connection executor",
    "without executor waits": "connection",
    "on our fixtures": "",
}
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
    broker = request.getfixturevalue("mqtt_broker")
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    made.connect(broker.host, broker.port)
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
seconds = 0.0

def pytest_runtest_logreport(report):
    global seconds
    seconds += report.duration

def pytest_sessionfinish(exitstatus):
    with open(os.environ["TIMES"], "w") as file:
        json.dump({"seconds": seconds, "exit": int(exitstatus)}, file)
"""


def main() -> None:
    """Measure each step and print the gain by cause, and the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "test_shape.py").write_text(SUITE)
        (place / "conftest.py").write_text(TIMES)
        broker = Mosquitto(place).start()
        try:
            seconds = {name: measured(place, broker, shape) for name, shape in STEPS.items()}
        finally:
            broker.stop()
    earlier = 0.0
    for name, taken in seconds.items():
        gain = f", gain {earlier - taken:.2f} s" if earlier else ""
        print(f"{name}: {taken:.2f} s, {1000 * taken / TESTS:.1f} ms a test{gain}")
        earlier = taken
    before, _, connections, ours = seconds.values()
    print(f"ours / a connection per test without sleeps: {ours / connections:.2f}")
    print(f"ratio: {before / ours:.1f}")


def measured(folder: Path, broker: Mosquitto, shape: str) -> float:
    """Return the seconds that all tests took in one run of pytest."""
    told = folder / "times.json"
    environment = {**user_environment(), **broker.environment, "SHAPE": shape, "TIMES": str(told)}
    source = str(Path(paddock.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH", "")]))
    plugin = [] if entry_points(group="pytest11", name="paddock") else ["-p", "paddock.plugin"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return float(json.loads(told.read_text())["seconds"])


if __name__ == "__main__":
    main()
