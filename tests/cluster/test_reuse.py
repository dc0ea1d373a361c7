"""Namespaces that are handed from run to run on the node: warm, for one run, and without a trace of the one before."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names
from tests.cluster.on_the_node import project_folder
from tests.contract.plugin.running import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

SUITE = '''\
"""Finds nothing of a run before, and leaves a trace of everything a test can leave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

FOLDERS = ["/tmp", "/dev/shm", "/var/tmp", "/run/paddock", ".", os.environ["HOME"]]
PLACES = [f"{folder}/trace" for folder in FOLDERS]
MARK = "leftover-of-a-test"


def processes():
    own = {str(os.getpid())}
    files = [one / "cmdline" for one in Path("/proc").iterdir() if one.name.isdecimal() and one.name not in own]
    return [file.parent.name for file in files if file.exists() and MARK.encode() in file.read_bytes()]


def talk(broker, act, end):
    """Connect with a session that stays, act until its end, and return what came and whether a session was there."""
    came, sessions, done = [], [], []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="trace", clean_session=False)
    client.username_pw_set(broker.username, broker.password)
    client.on_connect = lambda _c, _d, flags, *_: sessions.append(flags.session_present)
    client.on_message = lambda _c, _d, message: came.append(message.topic)
    client.on_publish = lambda *_: done.append("published")
    client.connect(broker.host, broker.port)
    while not sessions:
        client.loop(0.1)
    act(client)
    while end not in done + came:
        client.loop(0.1)
    client.disconnect()
    return came, sessions


def listen(client):
    client.subscribe("#", qos=1)
    client.publish("end", b"", qos=0)  # retained messages come before what is published after the subscription


def test_finds_nothing_and_leaves_everything(mqtt_broker, database_server):
    assert [place for place in PLACES if Path(place).exists()] == []
    assert processes() == []
    assert "TRACE" not in os.environ
    assert talk(mqtt_broker, listen, "end") == (["end"], [False])
    with psycopg.connect(database_server.url, autocommit=True) as connection:
        for catalog, column in (("pg_tables", "tablename"), ("pg_database", "datname"), ("pg_roles", "rolname")):
            assert connection.execute(f"SELECT 1 FROM {catalog} WHERE {column} = 'trace'").fetchall() == []
        connection.execute("CREATE TABLE trace (a int)")
        connection.execute("CREATE ROLE trace")
        connection.execute("CREATE DATABASE trace")
    talk(mqtt_broker, lambda client: client.publish("trace", b"x", qos=1, retain=True), "published")
    for place in PLACES:
        Path(place).write_text("x")
    os.environ["TRACE"] = "x"
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", MARK], start_new_session=True)
    seen = {name: os.environ[name] for name in ("PADDOCK_NAMESPACE", "PADDOCK_RUN", "PYTHONHASHSEED")}
    seen["hash"] = hash("a text")
    Path("seen.json").write_text(json.dumps(seen))
'''
CRASHES = "import os\n\ndef test_crashes():\n    os._exit(9)\n"


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    run_id: str
    code: int
    output: str
    seen: list[dict[str, Any]]
    """What each worker's test wrote down."""

    @property
    def namespaces(self) -> set[str]:
        """Where its tests ran."""
        return {one["PADDOCK_NAMESPACE"] for one in self.seen}


class Project:
    """A project with runs that hand their namespaces on."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder = folder
        self.environment = {**clean_environment(), "XDG_STATE_HOME": str(state)}
        self.begun: list[str] = []
        (folder / "test_a.py").write_text(SUITE, encoding="utf-8")

    def begin(self, *options: str) -> tuple[str, subprocess.Popen[str]]:
        """Start a run."""
        run_id = names.new_run_id()
        self.begun.append(run_id)
        own = ["--paddock-reuse", f"--paddock-run-id={run_id}", "--paddock-artifacts=seen.json"]
        folder = f"--paddock-artifacts-folder=seen-{run_id}"
        command = [sys.executable, "-m", "pytest", "--paddock", "-p", "no:cacheprovider", *own, folder, *options]
        pipe = subprocess.PIPE
        return run_id, subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def end(self, run_id: str, process: subprocess.Popen[str]) -> Run:
        """Wait for its end."""
        output, _ = process.communicate()
        files = sorted((self.folder / f"seen-{run_id}").glob("*/seen.json"))
        return Run(run_id, process.returncode, output, [json.loads(file.read_text()) for file in files])

    def run(self, *options: str) -> Run:
        """Run to the end."""
        return self.end(*self.begin(*options))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project; what waits for its next run is ended."""
    with project_folder("paddock-reuse") as folder:
        made = Project(folder, tmp_path)
        yield made
        for run_id in made.begun:
            paddock("reap", "--run", run_id)


def paddock(*arguments: str) -> str:
    command = [sys.executable, "-m", "paddock", *arguments]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def uids(node: EmbeddedNode, namespace: str) -> tuple[str, set[str]]:
    """Return the identity of a namespace and of its pods."""
    pods = node.kubectl("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].metadata.uid}")
    return node.kubectl("get", "namespace", namespace, "-o", "jsonpath={.metadata.uid}"), set(pods.split())


def test_the_next_run_gets_the_namespace_and_nothing_that_tests_left(
    project: Project, embedded_node: EmbeddedNode
) -> None:
    """Neither file, process, variable, message, session, table, role nor database; its pods are new."""
    first = project.run("-n1")
    assert first.code == 0, first.output
    assert "namespaces: created 1, deleted 0, kept 1, left 0" in first.output
    (namespace,) = first.namespaces
    listed = paddock("ls", first.run_id)
    assert " warm " in listed
    between, pods = uids(embedded_node, namespace)
    second = project.run("-n1")
    assert second.code == 0, second.output
    assert "namespaces: created 0, reused 1, deleted 0, kept 1, left 0" in second.output
    assert second.namespaces == {namespace}
    after, later_pods = uids(embedded_node, namespace)
    assert between == after
    assert not pods & later_pods
    (before,), (now,) = first.seen, second.seen
    assert (before["PADDOCK_RUN"], now["PADDOCK_RUN"]) == (first.run_id, second.run_id)
    assert (before["hash"], before["PYTHONHASHSEED"]) == (now["hash"], now["PYTHONHASHSEED"])


def test_two_runs_at_once_share_nothing(project: Project) -> None:
    """One of them takes what waits, the other makes its own."""
    (only,) = project.run("-n1").namespaces
    both = [project.begin("-n1") for _ in range(2)]
    ended = [project.end(*one) for one in both]
    assert [one.code for one in ended] == [0, 0], ended
    (one,), (other,) = (run.namespaces for run in ended)
    assert one != other
    assert only in {one, other}


def test_what_is_not_the_same_or_not_sound_is_not_reused(project: Project, embedded_node: EmbeddedNode) -> None:
    """Another limit means other pods; a worker that crashed may have left anything."""
    first = project.run("-n1")
    other = project.run("-n1", "--paddock-worker-memory=900Mi")
    assert (first.code, other.code) == (0, 0), (first.output, other.output)
    assert not first.namespaces & other.namespaces
    (project.folder / "test_a.py").write_text(CRASHES, encoding="utf-8")
    crashed = project.run("-n1")
    assert crashed.code == 1, crashed.output
    assert "namespaces: created 1, reused 1, deleted 2, left 0" in crashed.output  # one in the place of the crashed
    embedded_node.wait_until_gone(other.namespaces)
    assert not embedded_node.namespaces() & first.namespaces


def test_what_waits_ends_when_its_time_is_over(project: Project, embedded_node: EmbeddedNode) -> None:
    """And is not taken then, whether or not a reaper has come by."""
    first = project.run("-n1", "--paddock-reuse-ttl=1")
    second = project.run("-n1", "--paddock-reuse-ttl=1")
    assert (first.code, second.code) == (0, 0), (first.output, second.output)
    assert not first.namespaces & second.namespaces
    paddock("reap")
    paddock("reap")
    assert embedded_node.wait_until_gone(embedded_node.namespaces() - first.namespaces - second.namespaces) == set()
