"""What the benchmarks of databases share: a schema of ordinary size, the naive fixture, runs whose reports are kept.

The naive way is what suites do by themselves: connect, create a database, run the migrations, drop it afterwards.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks._shared import user_environment

if TYPE_CHECKING:
    from pathlib import Path

TABLES = 40
_TABLE = """\
CREATE TABLE tN (id serial PRIMARY KEY, name text NOT NULL, other int, made timestamptz DEFAULT now());
CREATE INDEX ON tN (name);
INSERT INTO tN (name) SELECT 'row' FROM generate_series(1, 20);
"""
SCHEMA = "".join(_TABLE.replace("tN", f"t{number}") for number in range(TABLES))
"""40 tables with a key, an index and 20 rows each: as many as a middling application has."""
PROJECT = '[tool.paddock.database]\nschema = "schema.sql"\n'
CONFTEST = """
import json, pathlib, psycopg, pytest

TIMES = {}

def pytest_runtest_logreport(report):
    TIMES.setdefault(report.nodeid, {})[report.when] = report.duration

def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        pathlib.Path("times.json").write_text(json.dumps(TIMES))

@pytest.fixture
def naive(database_server, unique_name):
    name = unique_name("naive")
    with psycopg.connect(database_server.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        with psycopg.connect(database_server.url, dbname=name, autocommit=True) as connection:
            for statement in pathlib.Path("schema.sql").read_text().split(";"):
                connection.execute(statement)
            yield connection
        admin.execute(f"DROP DATABASE {name}")
"""


def write(folder: Path, suite: str) -> None:
    """Make the project."""
    files = {"pyproject.toml": PROJECT, "schema.sql": SCHEMA, "conftest.py": CONFTEST, "test_suite.py": suite}
    for name, text in files.items():
        (folder / name).write_text(text)


def run(folder: Path, *arguments: str) -> tuple[float, dict[str, dict[str, float]]]:
    """Run the suite and return the seconds of the whole command and, by test, those of its phases."""
    argv = [sys.executable, "-m", "pytest", "-q", "--paddock", "-p", "no:cacheprovider", *arguments]
    begin = time.monotonic()
    done = subprocess.run(argv, cwd=folder, env=user_environment(), capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"the suite failed:\n{done.stdout}{done.stderr}")
    return seconds, json.loads((folder / "times.json").read_text())
