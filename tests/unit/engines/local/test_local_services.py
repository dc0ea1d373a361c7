"""What a declared service, written for a pod, means on this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from paddock.declared_services import DeclaredService, Holding
from paddock.engines.local.devices import Lease
from paddock.engines.local.services import Services
from paddock.engines.request import RunRequest
from paddock.services.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paddock.engines.local.wanted import Wanted

WEB = DeclaredService(
    name="web",
    port=8080,
    readiness={"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5},
    command=("serve", "{web.host}:{web.port}", "{{web.port}}", "{other}"),
    environment={"PORT": "{web.port}"},
    place="pyproject.toml:3",
)


@pytest.fixture
def ports() -> Iterator[Ports]:
    """Ports of one run."""
    made = Ports(42000)
    yield made
    made.close()


def given(folder: Path, ports: Ports, *services: DeclaredService, worker: str = "gw0") -> dict[str, Wanted]:
    """Return what a worker is given, by name."""
    (folder / "facts").mkdir(exist_ok=True)
    request = RunRequest(run_id="any", root=folder, working_directory=folder, services=services)
    return {one.name: one for one in Services(request).give(worker, folder, ports).wanted}


def test_a_service_that_names_its_port_has_another_one_for_each_worker(tmp_path: Path, ports: Ports) -> None:
    """In command, environment and probe; a name in double braces and other braces stay."""
    web, other = (given(tmp_path, ports, WEB, worker=worker)["web"] for worker in ("gw0", "gw1"))
    assert web.port != other.port
    assert web.command == ("serve", f"127.0.0.1:{web.port}", "{{web.port}}", "{other}")
    assert web.environment == {"PORT": str(web.port)}
    assert web.readiness == {"httpGet": {"path": "/", "port": web.port}, "periodSeconds": 5}


def test_a_service_with_hardware_is_only_theirs_who_hold_some(tmp_path: Path, ports: Ports) -> None:
    """Its process is told of the devices."""
    (tmp_path / "facts").mkdir()
    tpu = replace(WEB, name="tpu", hardware=Holding(kind="coral", resource="a.b/coral"))
    request = RunRequest(run_id="any", root=tmp_path, working_directory=tmp_path, services=[WEB, tpu])
    services = Services(request)
    held = {"tpu": Lease({"PADDOCK_DEVICES_CORAL": "{}"})}
    equipped = {one.name: one for one in services.give("gw0", tmp_path, ports, held).wanted}
    assert equipped["tpu"].environment["PADDOCK_DEVICES_CORAL"] == "{}"
    assert "PADDOCK_DEVICES_CORAL" not in equipped["web"].environment
    plain = services.give("gw1", tmp_path, ports)
    assert "web" in {one.name for one in plain.wanted}
    assert "tpu" not in {one.name for one in plain.wanted}
    assert "PADDOCK_TPU_HOST" not in plain.variables


def test_a_fixed_port_is_one_workers_and_the_others_are_told(tmp_path: Path, ports: Ports) -> None:
    """With the place of the declaration, and what to write there."""
    fixed = DeclaredService(name="fixed", port=42999, readiness={}, command=("serve",), place="pyproject.toml:9")
    first, second = (given(tmp_path, ports, fixed, worker=worker)["fixed"] for worker in ("gw0", "gw1"))
    assert (first.port, first.obstacle) == (42999, "")
    assert "write {fixed.port} where it says 42999, at pyproject.toml:9" in second.obstacle


def test_an_image_needs_a_cluster(tmp_path: Path, ports: Ports) -> None:
    """The sentence names it and both ways out."""
    image = DeclaredService(name="cache", port=6379, readiness={}, image="redis:7", place="pyproject.toml:5")
    obstacle = given(tmp_path, ports, image)["cache"].obstacle
    assert "redis:7" in obstacle
    assert "pyproject.toml:5, or run with --paddock-engine=kubernetes" in obstacle
    here = replace(image, local_command=("redis-server", "--dir", "{cache.folder}"), url="redis://{cache.host}")
    wanted = given(tmp_path, ports, here)["cache"]
    assert (wanted.obstacle, wanted.command[2], wanted.url) == ("", str(tmp_path / "cache"), "redis://127.0.0.1")


def test_in_a_pod_a_service_listens_at_its_own_name() -> None:
    """The same declaration; the port is the declared one."""
    there = WEB.listening("web", 8080)
    assert there.command[1] == "web:8080"
    assert there.readiness == WEB.readiness
