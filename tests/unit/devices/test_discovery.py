"""Which devices are found, on file systems that are made for it: no machine has all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.devices.discovery import Machine, is_device, without_claimed
from paddock.devices.resources import Device, Hardware

if TYPE_CHECKING:
    from pathlib import Path

NODES = Hardware(kind="coral", resource="paddock.dev/coral", paths=("/dev/apex_*", "/dev/by-id/coral-*"))
USB = Hardware(kind="coral", resource="paddock.dev/coral", usb=("1a6e:089a", "18d1:9302"))


def machine(root: Path) -> Machine:
    """A machine whose device nodes are plain files: making real ones is root's."""
    return Machine(str(root), is_device=lambda path: not path.endswith("no-device"))


def node(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).touch()


def usb(root: Path, port: str, identity: str, number: int, serial: str = "") -> None:
    folder = root / "sys/bus/usb/devices" / port
    folder.mkdir(parents=True, exist_ok=True)
    vendor, product = identity.split(":")
    facts = {"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": str(number), "serial": serial}
    for name, value in {**facts, "numa_node": "-1"}.items():
        (folder / name).write_text(f"{value}\n")
    node(root, f"dev/bus/usb/001/{number:03}")


def test_nodes_are_found_by_pattern_each_once(tmp_path: Path) -> None:
    """Under the first of their names; what is no device is passed over."""
    for path in ("dev/apex_0", "dev/apex_1", "dev/other", "dev/apex_no-device"):
        node(tmp_path, path)
    (tmp_path / "dev/by-id").mkdir()
    (tmp_path / "dev/by-id/coral-x").symlink_to("../apex_1")
    found = machine(tmp_path).devices(NODES)
    assert [(one.id, one.paths) for one in found] == [("apex_0", ("/dev/apex_0",)), ("apex_1", ("/dev/apex_1",))]


def test_a_link_names_its_device_for_good(tmp_path: Path) -> None:
    """Whatever number the node behind it has this time."""
    by_id = Hardware(kind="coral", resource="paddock.dev/coral", paths=("/dev/by-id/coral-*",))
    node(tmp_path, "dev/apex_4")
    (tmp_path / "dev/by-id").mkdir()
    (tmp_path / "dev/by-id/coral-x").symlink_to("../apex_4")
    (found,) = machine(tmp_path).devices(by_id)
    assert (found.id, found.paths) == ("by-id-coral-x", ("/dev/apex_4",))


def test_a_usb_device_is_the_same_after_it_has_changed_its_product(tmp_path: Path) -> None:
    """A Coral gets another product, number and serial when its firmware is loaded; its port stays."""
    usb(tmp_path, "1-1.4", "1a6e:089a", 5)
    usb(tmp_path, "1-1.3", "046d:c31c", 4)
    assert machine(tmp_path).devices(USB) == [Device(id="usb-1-1.4", paths=("/dev/bus/usb/001/005",))]
    usb(tmp_path, "1-1.4", "18d1:9302", 6, "abc")
    assert machine(tmp_path).devices(USB) == [Device(id="usb-1-1.4", paths=("/dev/bus/usb/001/006",), serial="abc")]


def test_a_usb_device_that_goes_while_it_is_looked_at_is_not_there(tmp_path: Path) -> None:
    """Its files vanish one by one."""
    usb(tmp_path, "1-1.4", "1a6e:089a", 5)
    (tmp_path / "sys/bus/usb/devices/1-1.4/devnum").unlink()
    assert machine(tmp_path).devices(USB) == []


def test_only_devices_are_devices(tmp_path: Path) -> None:
    """Neither files, nor folders, nor what is not there."""
    node(tmp_path, "file")
    assert [is_device(str(path)) for path in (tmp_path, tmp_path / "file", tmp_path / "absent")] == [False] * 3
    assert is_device("/dev/null")


def test_the_numa_node_is_told_where_the_machine_has_several() -> None:
    """A character device without one has none."""
    null = Hardware(kind="null", resource="paddock.dev/null", paths=("/dev/null",))
    assert Machine().devices(null) == [Device(id="null", paths=("/dev/null",))]


def test_a_device_that_two_resources_claim_is_the_firsts() -> None:
    """And that is told."""
    one, other = Device(id="a", paths=("/dev/a",)), Device(id="x-a", paths=("/dev/a",))
    assert without_claimed({"r/one": [one], "r/other": [other]}) == (
        {"r/one": [one], "r/other": []},
        ["r/other: /dev/a is handed out as r/one already; two patterns overlap"],
    )
