"""A PostgreSQL server on this machine for tests: its own data directory in memory, gone with the session.

It stands where the worker's own server stands for the fixtures: its facts are given as environment variables.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.fixtures import drivers
from paddock.services.environment import to_environment
from paddock.specs import ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIGURATION = Path(__file__).parents[2] / "k8s" / "images" / "database" / "postgresql.conf"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs, as the pod's volume is
_NOBODY = 65534
_START_SECONDS = 60.0
PASSWORD = "not-a-secret"  # noqa: S105 - of a server on loopback that lives for one session


@dataclass
class PostgresServer:
    """A running server; ``kill`` and ``start`` do what a container's restart does."""

    folder: Path
    programs: Path
    facts: ServiceFacts
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What an engine gives a worker."""
        return to_environment(self.facts)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Return the rows of one statement."""
        connection = drivers.find().connect(self.facts, database)
        try:
            return connection.run(statement)
        finally:
            connection.close()

    def databases(self) -> set[str]:
        """Return the names of all databases but the server's own."""
        names = {str(name) for (name,) in self.run("SELECT datname FROM pg_database")}
        return names - {"postgres", "template0", "template1"}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = [*_as_other(), str(self.programs / "postgres"), "-D", str(self.folder / "data")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.run("SELECT 1")
            except drivers.ServerError:
                assert time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once, with all its connections."""
        assert self.process
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()


def _as_other() -> list[str]:
    """Begin a command line: PostgreSQL refuses to run for root."""
    return ["setpriv", f"--reuid={_NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []


def _programs() -> Path | None:
    """Return where initdb and postgres lie: Debian keeps them off PATH."""
    found = shutil.which("initdb")
    return Path(found).parent if found else max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _initialised(folder: Path, programs: Path, port: int) -> None:
    folder.chmod(0o755)
    (folder / "data").mkdir(mode=0o700)
    (folder / "password").write_text(PASSWORD)
    if os.geteuid() == 0:
        os.chown(folder / "data", _NOBODY, -1)
    options = ["--username=postgres", "--auth=scram-sha-256", "--wal-segsize=1", "--no-sync"]
    pgdata, password = f"--pgdata={folder / 'data'}", f"--pwfile={folder / 'password'}"
    argv = [*_as_other(), str(programs / "initdb"), pgdata, *options, password]
    subprocess.run(argv, check=True, capture_output=True)
    text = _CONFIGURATION.read_text().replace("'/run/paddock'", "''").replace("'*'", "'127.0.0.1'")
    (folder / "data" / "postgresql.conf").write_text(f"{text}\nport = {port}\n")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a server of the session's own."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(dir=_MEMORY if _MEMORY.is_dir() else None))
    facts = ServiceFacts(
        kind="database",
        host="127.0.0.1",
        port=_free_port(),
        username="postgres",
        password=PASSWORD,
        database="postgres",
    )
    _initialised(folder, programs, facts.port)
    server = PostgresServer(folder, programs, facts)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(folder)
