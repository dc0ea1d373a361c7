"""A real Mosquitto for each test that asks for one, configured as Paddock's own brokers are."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.deadlines import Deadline
from paddock.fixtures import waiting
from paddock.fixtures.services import connect_to_broker
from paddock.services import broker
from paddock.specs import ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGURATION = """
allow_anonymous true
persistence false
log_dest stderr
log_dest topic
log_type error
log_type warning
log_type notice
connection_messages true
max_inflight_messages 1000
max_queued_messages 100000
set_tcp_nodelay true
"""
"""What bears on tests in the image's own configuration; a test holds the two together."""

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
START_SECONDS = 20.0


class Mosquitto:
    """One broker process, which can be ended and started again at the same port."""

    def __init__(self, folder: Path, more: str = "") -> None:
        if PROGRAM is None:
            pytest.fail("These tests need a broker: apt-get install mosquitto", pytrace=False)
        self._log = folder / "mosquitto.log"
        self.configuration = folder / "mosquitto.conf"
        self.facts = ServiceFacts(kind=broker.NAME, host="127.0.0.1", port=free_port())
        self.configuration.write_text(f"listener {self.facts.port} 127.0.0.1\n{CONFIGURATION}{more}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Mosquitto:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self.command, stderr=log, stdout=log)
        deadline = Deadline(START_SECONDS)
        while not self._answers():
            if deadline.passed or self._process.poll() is not None:
                self.stop()
                pytest.fail(self.log, pytrace=False)
        return self

    def _answers(self) -> bool:
        try:
            connect_to_broker(self.facts)
        except OSError:
            return False
        return True

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return [str(PROGRAM), "-c", str(self.configuration)]

    @property
    def process_id(self) -> int:
        """Of the running process."""
        assert self._process
        return self._process.pid

    def adopt(self) -> None:
        """End a process that a suite has started in place of ours."""
        self.stop()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (folder / "cmdline").read_bytes().decode().split("\0")[:-1] == self.command:
                    os.kill(int(folder.name), signal.SIGKILL)

    def stop(self) -> None:
        """End it at once, as a crash does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text(errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a worker learns of it."""
        return {"PADDOCK_BROKER_HOST": self.facts.host, "PADDOCK_BROKER_PORT": str(self.facts.port)}


def free_port() -> int:
    """Return a port that nobody listens on, out of those that the kernel gives to no outgoing connection."""
    while True:
        port = random.randrange(10000, 20000)  # noqa: S311 - any will do
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@pytest.fixture(scope="session")
def session_mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker that tests of several modules share: they keep to what they can clean up."""
    found = Mosquitto(tmp_path_factory.mktemp("mosquitto")).start()
    yield found
    found.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of the test's own, which it may stop and start."""
    found = Mosquitto(tmp_path).start()
    yield found
    found.stop()


@pytest.fixture
def in_worker(monkeypatch: pytest.MonkeyPatch, mosquitto: Mosquitto) -> Mosquitto:
    """A broker of the test's own, known to the fixtures by the variables of a worker."""
    for name, value in {**mosquitto.environment, waiting.SECONDS_VARIABLE: "5"}.items():
        monkeypatch.setenv(name, value)
    return mosquitto
