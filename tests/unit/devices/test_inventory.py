"""What kubelet is told of devices, and what containers get of them."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.devices.inventory import TABLE, Event, Inventory, State
from paddock.devices.resources import Command, Device, Hardware, Mount

CORAL = Hardware(kind="coral", resource="paddock.dev/coral", paths=("/dev/apex_*",))
CHECKED = Hardware(
    kind="coral", resource="paddock.dev/coral", paths=("/dev/a*",), health=Command(arguments=("/check",), timeout=1)
)
LINES = "/run/paddock-leases/paddock.dev_coral"
SHARED = Hardware(kind="coral", resource="paddock.dev/coral", paths=("/dev/a*",), shares=2, environment={"MODEL": "m"})


def device(number: int, path: str = "") -> Device:
    return Device(id=f"apex_{number}", paths=(path or f"/dev/apex_{number}",), serial=f"s{number}")


def health(inventory: Inventory) -> dict[str, bool]:
    return {one.id: one.is_healthy for one in inventory.stock().listed}


def test_every_state_knows_every_event() -> None:
    """A table has no holes."""
    assert set(TABLE) == set(itertools.product(State, Event))


@given(st.lists(st.sampled_from(Event)))
def test_a_device_is_healthy_only_while_it_is_there_and_passed_last(events: list[Event]) -> None:
    """Whatever happened before: what was unplugged has to pass again."""
    state, passed = State.GONE, False
    for event in events:
        there = state is not State.GONE
        state = TABLE[state, event]
        passed = {Event.FOUND: passed, Event.LOST: False, Event.PASSED: there, Event.FAILED: False}[event]
        assert (state is State.HEALTHY) == passed


def test_a_device_that_goes_is_listed_as_unhealthy_until_it_is_back() -> None:
    """Kubelet takes it out of what can be asked for, and whoever looks sees that it went."""
    inventory = Inventory(CORAL)
    assert inventory.see([device(0), device(1)]) == [
        "paddock.dev/coral: apex_0 (/dev/apex_0) is healthy",
        "paddock.dev/coral: apex_1 (/dev/apex_1) is healthy",
    ]
    assert inventory.see([device(0), device(1)]) == []
    assert inventory.see([device(1)]) == ["paddock.dev/coral: apex_0 (/dev/apex_0) is unplugged"]
    assert health(inventory) == {"apex_0": False, "apex_1": True}
    assert [one.id for one in inventory.present()] == ["apex_1"]
    inventory.see([device(0, "/dev/other"), device(1)])
    assert health(inventory) == {"apex_0": True, "apex_1": True}
    assert inventory.stock().allocation(["apex_0"]).devices[0].paths == ("/dev/other",)


def test_a_device_with_a_check_is_handed_out_once_it_has_passed() -> None:
    """And no more when it fails, until it passes again; each time with the reason."""
    inventory = Inventory(CHECKED)
    assert inventory.see([device(0)]) == []
    assert health(inventory) == {"apex_0": False}
    assert inventory.judge("apex_0", "") == ["paddock.dev/coral: apex_0 (/dev/apex_0) is healthy"]
    assert inventory.judge("apex_0", "too hot") == ["paddock.dev/coral: apex_0 (/dev/apex_0) is sick: too hot"]
    assert inventory.judge("apex_0", "too hot") == []
    assert health(inventory) == {"apex_0": False}
    inventory.judge("apex_0", "")
    assert health(inventory) == {"apex_0": True}
    inventory.see([])
    inventory.judge("apex_0", "")  # of a check that was under way
    assert health(inventory) == {"apex_0": False}


def test_a_container_is_told_what_it_holds() -> None:
    """By a variable of the kind's name; a share is its device."""
    inventory = Inventory(SHARED)
    inventory.see([device(0), device(1)])
    stock = inventory.stock()
    assert [one.id for one in stock.listed] == ["apex_0::0", "apex_0::1", "apex_1::0", "apex_1::1"]
    got = stock.allocation(["apex_1::0", "apex_1::1", "apex_0::1"])
    assert [one.id for one in got.devices] == ["apex_1", "apex_0"]
    assert json.loads(got.environment["PADDOCK_DEVICES_CORAL"]) == {
        "devices": [
            {"id": "apex_1", "paths": ["/dev/apex_1"], "serial": "s1", "line": f"{LINES}/apex_1.line"},
            {"id": "apex_0", "paths": ["/dev/apex_0"], "serial": "s0", "line": f"{LINES}/apex_0.line"},
        ],
        "variables": ["MODEL"],
    }
    assert got.environment["MODEL"] == "m"
    assert got.mounts == tuple(
        Mount(host=f"{LINES}/{name}.line", container=f"{LINES}/{name}.line", read_only=False)
        for name in ("apex_1", "apex_0")
    )


@pytest.mark.parametrize(("shares", "in_turn"), [(1, True), (2, False)])
def test_who_takes_no_turns_gets_no_line(shares: int, *, in_turn: bool) -> None:
    """One alone has nobody to wait for, and some devices serve several at once."""
    inventory = Inventory(replace(SHARED, shares=shares, in_turn=in_turn))
    inventory.see([device(0)])
    got = inventory.stock().allocation([inventory.stock().listed[0].id])
    assert ("line" in got.environment["PADDOCK_DEVICES_CORAL"], got.mounts) == (False, ())


@pytest.mark.parametrize("name", ["apex_0", "apex_7"])
def test_what_is_not_healthy_is_refused_by_name(name: str) -> None:
    """Kubelet may ask for what it has not heard about yet."""
    inventory = Inventory(CORAL)
    inventory.see([device(0)])
    inventory.see([])
    with pytest.raises(LookupError, match=f"paddock.dev/coral has no healthy device {name}"):
        inventory.stock().allocation([name])


def test_a_container_gets_different_devices_while_there_are_any() -> None:
    """The least shared first; what kubelet needs is among them."""
    inventory = Inventory(SHARED)
    inventory.see([device(0), device(1), device(2)])
    stock = inventory.stock()
    shares = ["apex_0::1", "apex_1::0", "apex_1::1", "apex_2::0", "apex_2::1"]
    assert stock.preferred(shares, [], 1) == ["apex_1::0"]
    assert stock.preferred(shares, [], 3) == ["apex_1::0", "apex_2::0", "apex_0::1"]
    assert stock.preferred(shares, ["apex_2::1"], 2) == ["apex_2::1", "apex_1::0"]
    assert stock.preferred(shares, [], 9) == ["apex_1::0", "apex_2::0", "apex_0::1", "apex_1::1", "apex_2::1"]


def test_arguments_of_a_command_name_the_device() -> None:
    """Each placeholder once: what it stands for is not looked through again."""
    command = Command(arguments=("/bin/check", "{path}:{id}", "{other}"), timeout=1)
    strange = Device(id="{path}", paths=("/dev/{id}",))
    assert command.for_device(strange) == ["/bin/check", "/dev/{id}:{path}", "{other}"]
