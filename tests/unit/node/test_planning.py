"""Choosing ports and networks for a node."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import NodeError
from paddock.node import machine, planning
from paddock.node.layout import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=[socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def taken_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port that somebody else uses."""
    with socket.socket(socket.AF_INET, request.param) as endpoint:
        endpoint.bind(("127.0.0.1", 0))
        if request.param is socket.SOCK_STREAM:
            endpoint.listen()
        yield endpoint.getsockname()[1]


def test_a_port_in_use_is_seen(taken_port: int) -> None:
    """Whatever the protocol and the address, a used port is not free, and others may be."""
    assert not planning.port_is_free(taken_port)


@given(st.sets(st.integers(5050, 5090)))
def test_chosen_ports_are_free_and_differ(used: set[int]) -> None:
    """Whichever ports are in use, the chosen ones are not, and none is chosen twice."""
    wanted = Ports(api_server=5050, kubelet=5051, registry=5052, dns=5053, dns_ready=5053)
    chosen = planning.free_ports(wanted, lambda port: port not in used)
    values = [chosen.api_server, chosen.kubelet, chosen.registry, chosen.dns, chosen.dns_ready]
    assert len(set(values)) == len(values)
    assert not used & set(values)


def test_default_ports_are_kept_where_they_are_free() -> None:
    """Image references begin with the registry's port: it changes only when it must."""
    assert planning.free_ports(Ports(), lambda _port: True) == Ports()


def test_no_free_port_is_a_sentence_with_the_remedy() -> None:
    """The message names the use, the range and how to find who listens."""
    with pytest.raises(NodeError, match=r"api server.* 6443 to 6492 .*ss -ltnp"):
        planning.free_ports(Ports(), lambda _port: False)


def test_networks_in_use_are_avoided() -> None:
    """The pods' network overlaps with none that the machine routes to, in either direction."""
    inside, around = ipaddress.IPv4Network("10.244.7.0/24"), ipaddress.IPv4Network("10.0.0.0/8")
    assert planning.free_network(planning.POD_NETWORKS, []) == "10.244.0.0/16"
    assert planning.free_network(planning.POD_NETWORKS, [inside]) == "10.245.0.0/16"
    assert planning.free_network(planning.POD_NETWORKS, [around]) == "172.30.0.0/16"


def test_no_free_network_is_a_sentence_with_the_remedy() -> None:
    """The message names what was tried and what may be in the way."""
    everything = ipaddress.IPv4Network("0.0.0.0/1")
    with pytest.raises(NodeError, match=r"10\.96\.0\.0/16.*VPN"):
        planning.free_network(planning.SERVICE_NETWORKS[:2], [everything])


def test_no_address_is_a_sentence_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a network is told how to get one."""
    monkeypatch.setattr(machine, "address", lambda: None)
    with pytest.raises(NodeError, match="ip link add paddock0 type dummy"):
        planning._address()
