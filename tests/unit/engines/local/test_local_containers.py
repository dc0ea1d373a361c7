"""Services that a test starts for itself, as the keeper starts them: real processes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock.declared_services import DeclaredService
from paddock.engines.local.containers import Containers
from paddock.engines.local.places import Place
from paddock.services import orders
from paddock.services.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator

READY = {"exec": {"command": ["true"]}}


@pytest.fixture
def containers() -> Iterator[Containers]:
    """Those of a run whose first worker has a single port."""
    with tempfile.TemporaryDirectory() as folder:
        ports = Ports(65535)
        made = Containers(Place(Path(folder)), ports)
        yield made
        for server in made.servers():
            server.end()
        ports.close()


def start(containers: Containers, *command: str, port: int = 80, **more: Any) -> dict[str, Any]:
    service = DeclaredService(name="web", port=port, readiness=READY, command=command, **more)
    return containers.do({**orders.to_start(service, 10.0), "worker": "gw0"})


def test_a_stopped_container_gives_its_port_back(containers: Containers) -> None:
    """A worker has a hundred, and a suite may start more containers than that."""
    first = start(containers, "sh", "-c", "echo {web.port} in {web.folder}; exec sleep 600")
    assert (first["failure"], first["port"]) == ("", 65535), first
    assert "are all taken" in start(containers, "sleep", "{web.port}")["failure"]
    words = {"name": first["name"], "worker": "gw0"}
    assert containers.do({orders.DO: orders.STOP, **words}) == {"failure": ""}
    assert start(containers, "sleep", "{web.port}")["port"] == 65535


def test_a_command_that_takes_too_long_is_told_and_ended(containers: Containers) -> None:
    """The container stays; its folder is where commands run, and its variables are theirs."""
    web = start(containers, "sleep", "600", port=42871, environment={"LEVEL": "3"})
    words = {orders.DO: orders.EXEC, "name": web["name"], "worker": "gw0"}
    done = containers.do({**words, "command": ["sh", "-c", "pwd; echo $LEVEL; exit 7"], "seconds": 10})
    assert (done["code"], done["text"].split()[1:]) == (7, ["3"])
    assert done["text"].split()[0].endswith(f"/gw0/{web['name']}")
    late = containers.do({**words, "command": ["sleep", "600"], "seconds": 0.1})
    assert late["failure"] == (
        f"The command 'sleep 600' in the container {web['name']} took longer than 0.1 s: allow more with timeout=."
    )
    assert "nothing-here" in containers.do({**words, "command": ["nothing-here"], "seconds": 1})["failure"]


def test_a_fixed_port_that_is_taken_is_told(containers: Containers) -> None:
    """With what to write."""
    assert start(containers, "sleep", "600", port=42872)["failure"] == ""
    assert "write {web.port} there" in start(containers, "sleep", "600", port=42872)["failure"]
