"""Images made on this machine, pushed to a scratch registry, unpacked again and started as a pod would start them.

Started in private mount and network namespaces: nothing stays mounted and no port of this machine is taken.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from paddock import images, node, specs
from tests.plugins.images import answered, asked, in_network, inside, serving, started, unpacked

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="base images are installed as root"),
]

INPOD = {"paddock_probe.py": b"print('in-pod half')\n"}
PASSWORD = "p:w'x $y\"z"  # noqa: S105 - every character that a shell, SQL or a password file could stumble on


def ensure(
    registry: str, said: list[str], uid: int = specs.DEFAULT_UID
) -> tuple[specs.Images, specs.PythonEnvironment]:
    return images.ensure(registry, crane=lambda: node.tool("crane"), inpod=INPOD, uid=uid, report=said.append)


@pytest.fixture(scope="session")
def made(registry: str) -> tuple[specs.Images, specs.PythonEnvironment]:
    """The images of the environment that runs this."""
    return ensure(registry, [])


@pytest.fixture(scope="session")
def worker(made: tuple[specs.Images, specs.PythonEnvironment], scratch: Path) -> Path:
    """Root file system of the worker image."""
    return unpacked(made[0].worker, scratch / "worker")


@pytest.fixture(scope="session")
def broker(made: tuple[specs.Images, specs.PythonEnvironment], scratch: Path) -> Path:
    """Root file system of the broker image."""
    return unpacked(made[0].broker, scratch / "broker")


@pytest.fixture(scope="session")
def database(made: tuple[specs.Images, specs.PythonEnvironment], scratch: Path) -> Path:
    """Root file system of the database image."""
    return unpacked(made[0].database, scratch / "database")


# -- making ------------------------------------------------------------------------------------------------------------


def test_nothing_changed_means_nothing_done(registry: str, made: tuple[specs.Images, specs.PythonEnvironment]) -> None:
    """A second run finds its images and says nothing."""
    said: list[str] = []
    assert ensure(registry, said) == made
    assert said == []


def test_another_user_only_needs_an_uppermost_layer(
    registry: str, made: tuple[specs.Images, specs.PythonEnvironment], scratch: Path
) -> None:
    """Everything below is the same, so it is neither made nor sent again."""
    said: list[str] = []
    other, _ = ensure(registry, said, uid=4321)
    assert (other.broker, other.database) == (made[0].broker, made[0].database)
    assert not [line for line in said if "layer" in line]
    root = unpacked(other.worker, scratch / "other")
    assert answered(root, 4321, "id", "--user", "--name") == "paddock\n"


def test_an_empty_registry_is_filled_from_the_cache(
    made: tuple[specs.Images, specs.PythonEnvironment], scratch: Path
) -> None:
    """A node that was removed loses its registry, not the layers that took a minute to make."""
    said: list[str] = []
    with serving(scratch / "second") as host:
        again, _ = ensure(host, said)
    assert again.worker.partition("/")[2] == made[0].worker.partition("/")[2]
    assert not [line for line in said if "layer" in line]


def test_nothing_is_mounted_or_left_after_making(made: tuple[specs.Images, specs.PythonEnvironment]) -> None:
    """Builds happen in a folder that is gone afterwards."""
    from paddock.images import places  # noqa: PLC0415 - not part of what other layers use

    assert made
    assert str(places.folder()) not in Path("/proc/self/mountinfo").read_text()
    assert list((places.folder() / "work").glob("*")) == []


# -- worker ------------------------------------------------------------------------------------------------------------


def test_the_environment_of_this_run_runs_in_the_image(
    worker: Path, made: tuple[specs.Images, specs.PythonEnvironment]
) -> None:
    """Same interpreter, same prefix, same distributions, libraries and certificates, for a user that owns nothing."""
    script = """
        import bz2, ctypes, json, lzma, os, pwd, socket, sqlite3, ssl, sys, zoneinfo
        import psycopg, pytest, yaml
        zoneinfo.ZoneInfo("Europe/Berlin")
        print(json.dumps({
            "prefix": sys.prefix, "base": sys.base_prefix, "version": sys.version, "pytest": pytest.__version__,
            "certificates": len(ssl.create_default_context().get_ca_certs()) > 0,
            "port": socket.getservbyname("https"), "user": pwd.getpwuid(os.getuid()).pw_name,
        }))
    """
    found = json.loads(answered(worker, 1000, str(made[1].executable), "-c", textwrap.dedent(script)))
    assert found == {
        "prefix": sys.prefix,
        "base": sys.base_prefix,
        "version": sys.version,
        "pytest": pytest.__version__,
        "certificates": True,
        "port": 443,
        "user": "paddock",
    }


def test_console_scripts_work_through_the_link(
    worker: Path, made: tuple[specs.Images, specs.PythonEnvironment]
) -> None:
    """Their first line names the environment's own path."""
    assert answered(worker, 1000, str(made[1].executable.with_name("pytest")), "--version").startswith("pytest ")


def test_modules_are_imported_from_bytecode(worker: Path, made: tuple[specs.Images, specs.PythonEnvironment]) -> None:
    """A worker imports hundreds of modules before its first test and could not keep what it compiles."""
    command = [str(made[1].executable), "-v", "-c", "import _pytest.config, json, xml.dom.minidom, psycopg"]
    done = subprocess.run(inside(worker, 1000, *command), capture_output=True, text=True, check=True)
    assert "__pycache__" in done.stderr
    assert re.findall(r"# code object from (\S+\.py)$", done.stderr, re.MULTILINE) == []


def test_the_in_pod_half_lies_at_its_place(worker: Path, made: tuple[specs.Images, specs.PythonEnvironment]) -> None:
    """Its files were given by path."""
    said = answered(worker, 1000, str(made[1].executable), "/opt/paddock/lib/paddock_probe.py")
    assert said == "in-pod half\n"


# -- services ----------------------------------------------------------------------------------------------------------

START = "exec /opt/paddock/bin/start"

CONNACK = f"""
    import json, socket, time
    import paho.mqtt.client as mqtt

    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", 1883), 1).close()
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.01)

    def code(username, password):
        found = []
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.username_pw_set(username, password)
        client.on_connect = lambda client, data, flags, reason, properties: found.append(str(reason))
        client.connect("127.0.0.1", 1883)
        while not found:
            client.loop(0.1)
        client.disconnect()
        return found[0]

    print(json.dumps([code("tester", {PASSWORD!r}), code("tester", "wrong"), code(None, None)]))
"""


@pytest.mark.parametrize("uid", [1000, 54321])
def test_the_broker_answers_its_account_and_nobody_else(broker: Path, uid: int) -> None:
    """It runs as any number; another password and no account are refused."""
    with started(broker, uid, START, USERNAME="tester", PASSWORD=PASSWORD) as pid:
        assert asked(pid, CONNACK) == ["Success", "Not authorized", "Not authorized"]


SELECT = f"""
    import json, time
    import psycopg

    def answer(**other):
        facts = dict(host="127.0.0.1", user="postgres", password={PASSWORD!r}, dbname="of tests") | other
        with psycopg.connect(**facts, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone()[0]

    def refusal(**other):
        try:
            return answer(**other)
        except psycopg.OperationalError as error:
            return str(error).rsplit("FATAL: ", 1)[-1].strip()

    end = time.monotonic() + 20
    while (said := refusal()) != 1:
        assert time.monotonic() < end and "password" not in said, said  # never a wrong answer, only none yet
        time.sleep(0.01)
    print(json.dumps([answer(), answer(dbname="postgres"), refusal(password="wrong")]))
"""
FACTS = {"USERNAME": "postgres", "PASSWORD": PASSWORD, "DATABASE": "of tests"}
EXPECTED = [1, 1, 'password authentication failed for user "postgres"']


@pytest.mark.parametrize("uid", [1000, 54321])
def test_the_database_answers_its_account_and_nobody_else(database: Path, uid: int) -> None:
    """It runs as any number; the first connection over TCP finds account and database."""
    with started(database, uid, START, **FACTS) as pid:
        assert asked(pid, SELECT) == EXPECTED


def test_a_database_that_is_started_again_keeps_what_it_holds(database: Path) -> None:
    """A restarted container finds its volume: it must not be initialised over what is there."""
    again = '/opt/paddock/bin/start & server=$!; while [ -d "/proc/$server" ]; do wait "$server"; done; ' + START
    with started(database, 1000, again, **FACTS) as pid:
        assert asked(pid, SELECT) == EXPECTED
        in_network(pid, MARK_AND_END)
        assert asked(pid, SELECT) == EXPECTED
        assert asked(pid, MARK) == [1]


CONNECT = f"""
    import json, psycopg
    connection = psycopg.connect(host="127.0.0.1", user="postgres", password={PASSWORD!r}, autocommit=True)
"""
MARK_AND_END = (
    CONNECT
    + """
    connection.execute("CREATE TABLE mark AS SELECT 1 AS id")
    connection.execute("CHECKPOINT")
    connection.execute("COPY (SELECT 1) TO PROGRAM 'kill -QUIT $(head -n 1 $PGDATA/postmaster.pid)'")
"""
)
MARK = (
    CONNECT
    + """
    print(json.dumps(connection.execute("TABLE mark").fetchone()))
"""
)
