"""Bad input as users have it, the same in both engines: who needs what is wrong has one sentence, the others run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.contract.brokers.suite import HEARING
from tests.contract.fixtures.database_suites import PROJECT, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

USERS = """\
def test_one(database): pass
def test_two(database_url): pass
def test_three(database_factory): pass
def test_without(): pass
"""
REFUSED = """\
import pytest, types

@pytest.fixture(scope="session")
def database_server(database_server):
    names = ("host", "port", "username", "database")
    return types.SimpleNamespace(password="hunter2", **{name: getattr(database_server, name) for name in names})
"""
INTRUDER = """\
import psycopg, pytest
KEPT = []

@pytest.fixture
def intruder(paddock_filled_databases, database_server):
    paddock_filled_databases.begun("here")
    with psycopg.connect(database_server.url, autocommit=True) as admin:
        (name,) = admin.execute("SELECT datname FROM pg_database WHERE datistemplate AND datname LIKE 'paddock%'"
                                " ORDER BY oid DESC LIMIT 1").fetchone()
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    KEPT.append(psycopg.connect(database_server.url, dbname=name, application_name="intruder"))
"""
NEVER_READY = """\
[tool.paddock.services.slow]
port = 8080
readiness = "tcp"
command = ["sleep", "600"]
"""
TWO_PORTS = "def test_it(flask_test_port, mock_http_port): pass\ndef test_other(): pass\n"


@dataclass(frozen=True)
class Wrong:
    """A project with something wrong in it, and what its user reads."""

    files: Mapping[str, str]
    counts: Mapping[str, int]
    told: str
    """A pattern; it is there once."""
    options: tuple[str, ...] = ()
    never: str = "Traceback"


WRONG = {
    "a schema that fails": Wrong(
        {"pyproject.toml": PROJECT, "schema.sql": f"{SCHEMA}CREATE TABL oops;\n", "test_w.py": USERS},
        {"passed": 1, "error": 3},
        r"schema\.sql:3: .*syntax error",
    ),
    "a template in use": Wrong(
        {
            "pyproject.toml": PROJECT,
            "schema.sql": SCHEMA,
            "conftest.py": INTRUDER,
            "test_w.py": "def test_it(intruder, database): pass\ndef test_other(): pass\n",
        },
        {"passed": 1, "error": 1},
        r"The template \S+ is in use \(intruder, ",
    ),
    "credentials refused": Wrong(
        {"pyproject.toml": PROJECT, "schema.sql": SCHEMA, "conftest.py": REFUSED, "test_w.py": USERS},
        {"passed": 1, "error": 3},
        r"refuses to be connected to: .*password authentication failed",
        never="hunter2",
    ),
    "a service that never becomes ready": Wrong(
        {"pyproject.toml": NEVER_READY, "test_w.py": "def test_it(slow_service): pass\ndef test_other(): pass\n"},
        {"passed": 1, "error": 1},
        r"slow .*gave no .* within 5 s",
        options=("--paddock-service-limit=5",),
    ),
    "a port range that is exhausted": Wrong(
        {
            "pyproject.toml": "",
            "test_w.py": "def test_it(flask_test_port, mock_http_port): pass\ndef test_other(): pass\n",
        },
        {"passed": 1, "error": 1},
        r"has no port: ports 65535 to 65535 are all taken",
        options=("--paddock-worker-port-base=65535",),
    ),
}
BROKER_KILLED = (
    HEARING
    + """
import pytest
from kill import kill_the_broker


def test_before(mqtt_client):
    assert everything(mqtt_client) == []


def test_kills(mqtt_client):
    kill_the_broker()
    wait_until(lambda: not mqtt_client.is_connected(), 120)


def test_does_not_need_it():
    pass


@pytest.mark.parametrize("number", range(3))
def test_after(mqtt_client, number):
    assert everything(mqtt_client) == []
    mqtt_client.publish("kept", "x", qos=1, retain=True).wait_for_publish(10)
"""
)
"""With a module ``kill`` of the engine's own; all six pass, since the broker comes back by itself."""
LEFT_OPEN = {
    "pyproject.toml": f"[tool.paddock]\nsafe-executors = true\n{PROJECT}",
    "schema.sql": SCHEMA,
    "test_leak.py": """\
import psycopg
KEPT = []
def test_leaks(database):
    KEPT.append(psycopg.connect(database.url, application_name="the-app"))
""",
    "test_l.py": """\
from concurrent.futures import ThreadPoolExecutor

def test_r2_late_submission():
    with ThreadPoolExecutor() as pool: pass
    assert pool.submit(print).cancelled()
""",
}
"""What two tests leave behind, which fails neither and is told of both."""
TOLD_OF_THEM = ("still open after its test, and was closed: the-app", "to an executor that was shut down")
