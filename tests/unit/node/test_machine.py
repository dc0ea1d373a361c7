"""Reading facts from made-up ``/proc`` and ``/sys`` trees."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest

from paddock.node import machine

if TYPE_CHECKING:
    from pathlib import Path

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up ``/proc``."""
    monkeypatch.setattr(machine, "PROC", tmp_path)
    (tmp_path / "net").mkdir()
    (tmp_path / "self").mkdir()
    (tmp_path / "net/route").write_text(ROUTES)
    return tmp_path


@pytest.mark.usefixtures("proc")
def test_routes_are_read_in_network_byte_order() -> None:
    """The kernel writes addresses in the machine's byte order; the default route is no network of its own."""
    expected = [ipaddress.IPv4Network("172.17.0.0/16"), ipaddress.IPv4Network("192.0.2.0/24")]
    assert machine.routed_networks() == expected


@pytest.mark.usefixtures("proc")
def test_the_interface_of_the_default_route_gives_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge of some other program must not become the node's address although it stands first."""
    monkeypatch.setattr(machine, "interface_address", {"docker0": "172.17.0.1", "eth0": "192.0.2.2"}.get)
    assert machine.address() == "192.0.2.2"
    monkeypatch.setattr(machine, "interface_address", {"docker0": "172.17.0.1"}.get)
    assert machine.address() == "172.17.0.1"
    monkeypatch.setattr(machine, "interface_address", lambda _interface: None)
    assert machine.address() is None


def test_loopback_has_its_address() -> None:
    """The kernel is asked in the form it understands."""
    assert machine.interface_address("lo") == "127.0.0.1"
    assert machine.interface_address("no-such-link") is None


@pytest.mark.parametrize(("bits", "expected"), [("000001fffeffffff", False), ("000001ffffffffff", True)])
def test_the_right_to_raise_limits_is_read_from_the_effective_set(proc: Path, bits: str, *, expected: bool) -> None:
    """CAP_SYS_RESOURCE is bit 24 of the effective set, whatever the permitted set holds."""
    (proc / "self/status").write_text(f"Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t{bits}\nCapBnd:\t0\n")
    assert machine.may_raise_limits() is expected


def test_cgroup_versions_are_told_apart(tmp_path: Path) -> None:
    """Unified is 2; controllers mounted one by one are 1, hybrid included; nothing is 0."""
    assert machine.cgroup_version(tmp_path) == 0
    for name in ("memory", "unified", "pids"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "unified" / "cgroup.controllers").touch()
    assert machine.cgroup_version(tmp_path) == 1
    assert [path.name for path in machine.hierarchies(tmp_path)] == ["memory", "pids", "unified"]
    (tmp_path / "cgroup.controllers").touch()
    assert machine.cgroup_version(tmp_path) == 2
    assert machine.hierarchies(tmp_path) == [tmp_path]


def test_name_servers_are_those_of_version_four(tmp_path: Path) -> None:
    """At most three, in order, comments and IPv6 left out; no file, none."""
    resolv = tmp_path / "resolv.conf"
    assert machine.name_servers(resolv) == ()
    resolv.write_text("# x\nnameserver 192.0.2.1\nnameserver fd00::1\noptions ndots:1\nnameserver 127.0.0.53\n")
    assert machine.name_servers(resolv) == ("192.0.2.1", "127.0.0.53")


@pytest.mark.parametrize(("state", "expected"), [("S", [4711]), ("Z", []), ("X", [])])
def test_only_processes_that_still_run_are_found_by_name(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    state: str,
    expected: list[int],
) -> None:
    """One that has ended and waits to be reaped runs nothing any more."""
    (tmp_path / "4711").mkdir()
    (tmp_path / "4711" / "comm").write_text("kubelet\n")
    (tmp_path / "4711" / "stat").write_text(f"4711 (kube (let)) {state} 1 4711 4711 0 -1\n")
    monkeypatch.setattr(machine, "PROC", tmp_path)
    assert machine.processes_called("kubelet") == expected
