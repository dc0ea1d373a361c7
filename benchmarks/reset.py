"""What a fresh database and a clean broker space cost a test: its set-up and tear-down, as pytest reports them.

Tests of 20 ms on one worker, whose server keeps its data in memory; each subscribes, and leaves a retained message.
Beside them stand tests that do nothing, back to back, so that nothing can be prepared while they run, what the server
alone takes to clone and drop such a database, and the naive way. What pytest itself needs for a test without any
fixture is taken off. The median of the tests of 20 ms is the figure.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from benchmarks._database_suite import run, write
from benchmarks._shared import project
from paddock import node

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, as the pod's volume is
TESTS, OTHERS = 100, 30
"""Tests that count for the figure, and those of each kind that stand beside it."""
WARM = 5
"""Tests of each kind that do not count: the first one fills the template."""
SUITE = """
import pathlib, time
import psycopg
import paho.mqtt.client as mqtt
import pytest
from paddock.fixtures.conditions import wait_until

@pytest.fixture
def naive_client(mqtt_broker):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    if mqtt_broker.username:
        client.username_pw_set(mqtt_broker.username, mqtt_broker.password)
    client.connect(mqtt_broker.host, mqtt_broker.port)
    client.loop_start()
    wait_until(client.is_connected)
    yield client
    client.disconnect()
    client.loop_stop()

def use(connection, client):
    time.sleep(0.02)
    connection.execute("INSERT INTO t0 (name) VALUES ('mine')")
    client.subscribe("camera/#", 1)
    client.publish("camera/status", "on", qos=1, retain=True).wait_for_publish()

many = pytest.mark.parametrize("number", range(TESTS))
some = pytest.mark.parametrize("number", range(OTHERS))

@some
def test_without(number):
    time.sleep(0.02)

@many
def test_fresh(database_connection, mqtt_client, number):
    use(database_connection, mqtt_client)

@some
def test_noop(database, mqtt_client, number):
    pass

@some
def test_naive(naive, naive_client, number):
    use(naive, naive_client)

@pytest.fixture(scope="session")
def bare_server(database_server):
    with psycopg.connect(database_server.url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE bare_template")
        with psycopg.connect(database_server.url, dbname="bare_template", autocommit=True) as connection:
            connection.execute(pathlib.Path("schema.sql").read_text())
        yield admin
        admin.execute("DROP DATABASE bare_template")

@pytest.fixture
def bare(bare_server):
    bare_server.execute("CREATE DATABASE bare_copy TEMPLATE bare_template STRATEGY FILE_COPY")
    yield
    bare_server.execute("DROP DATABASE bare_copy")

@some
def test_bare(bare, number):
    time.sleep(0.02)
"""
KINDS = {
    "fresh": "a fresh database and a clean broker space, tests of 20 ms",
    "noop": "the same, tests that do nothing",
    "bare": "a database cloned and dropped by hand, nothing ahead, no connection and no broker",
    "naive": "create, migrate, drop, and new connections to both",
}


def main() -> None:
    """Measure, print the figures and end with the one that counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="kubernetes", choices=["kubernetes", "local"])
    options = parser.parse_args()
    if options.engine == "kubernetes":
        node.up(report=print)
    elif MEMORY.is_dir():
        os.environ["TMPDIR"] = str(MEMORY)  # there the local engine keeps what servers write
    with project() as folder:
        found = measure(folder, options.engine)
    for kind, words in KINDS.items():
        times = found[kind]
        print(
            f"{words}: min {min(times):.1f} ms, median {statistics.median(times):.1f} ms, "
            f"95 of 100 within {statistics.quantiles(times, n=20)[-1]:.1f} ms, max {max(times):.1f} ms"
        )
    figure = statistics.median(found["fresh"])
    print(f"figure: {figure:.1f} ms for a fresh database and a clean broker space ({options.engine})")


def measure(folder: Path, engine: str) -> dict[str, list[float]]:
    """Return, by kind of test, the milliseconds of set-up and tear-down of each."""
    write(folder, SUITE.replace("TESTS", str(TESTS)).replace("OTHERS", str(OTHERS)))
    _, times = run(folder, "-n1", f"--paddock-engine={engine}", "--paddock-order=collected")
    kinds: dict[str, list[float]] = {}
    for node_id, phases in times.items():
        kind = node_id.partition("::test_")[2].partition("[")[0]
        kinds.setdefault(kind, []).append(1000 * (phases["setup"] + phases["teardown"]))
    nothing = statistics.median(kinds["without"])
    return {kind: [max(0.0, one - nothing) for one in found[WARM:]] for kind, found in kinds.items()}


if __name__ == "__main__":
    main()
