"""The scheme of ports, and their reserving."""

from __future__ import annotations

import socket

import pytest

from paddock.errors import LeaseError
from paddock.services.ports import HOST, Ports, block, is_free


def free_base() -> int:
    """Return a port from which on some are free."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("worker", "first"), [("gw0", 20000), ("gw1", 20100), ("gw11", 21100), ("master", 19900)], ids=str
)
def test_every_worker_has_a_hundred_ports_of_its_own(worker: str, first: int) -> None:
    """By its number; a run without workers does not share gw0's."""
    assert block(worker, 20000) == range(first, first + 100)


def test_blocks_end_where_ports_end() -> None:
    """None above 65535, none that only root may have."""
    assert block("gw0", 65500) == range(65500, 65536)
    assert not block("gw1", 65500)
    assert block("master", 1024) == range(1024, 1024)


def test_two_runs_never_get_the_same_port() -> None:
    """Though nobody listens yet; and once the first has ended, its ports are there again."""
    base = free_base()
    first, second = Ports(base), Ports(base)
    chosen = first.reserve("gw0", ["broker", "database"])
    others = second.reserve("gw0", ["broker", "database"])
    assert not set(chosen.values()) & set(others.values())
    assert list(chosen) == ["broker", "database"]
    first.close()
    third = Ports(base)
    assert third.reserve("gw0", ["broker", "database"]) == chosen
    second.close()
    third.close()


def test_who_listens_on_all_addresses_has_the_port_too() -> None:
    """A port is free only if a server of ours could have it."""
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104 - that is the law
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        ports = Ports(port)
        assert ports.reserve("gw0", ["broker"])["broker"] > port
        assert not ports.take(port)
        ports.close()


def test_a_block_without_free_ports_is_told_in_one_sentence() -> None:
    """With the ports, and the setting that moves them."""
    ports = Ports(65535)
    with pytest.raises(LeaseError, match=r"no port is left above 65535.*--paddock-port-base, which is 65535 now"):
        ports.reserve("gw1", ["broker"])
    ports.close()
