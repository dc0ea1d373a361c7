"""The node after all of it was killed, and after a reboot: `up` makes it anew, and nothing of the old one stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from paddock import node
from paddock.node import cgroups, firewall, mounts
from paddock.node.layout import from_json
from paddock.node.places import ACCESS_FILE, LAYOUT_FILE, MACHINE_FILE, STATUS_FILE
from paddock.node.preparing import write_setting
from paddock.node.processes import ProcessIdentity, identify
from tests.cluster.own_node import (
    NEEDS_ROOT,
    assert_nothing_left,
    can_exec,
    command,
    eventually,
    in_use,
    kubectl,
    namespace,
    paddock_node,
    start_pod,
)

if TYPE_CHECKING:
    from pathlib import Path

    from paddock.node.layout import NodeLayout

pytestmark = [pytest.mark.cluster, NEEDS_ROOT, pytest.mark.usefixtures("as_it_was_found")]

ANOTHER_BOOT = "00000000-0000-4000-8000-000000000000"
SAID = "Only remains of a node are here"


def own_processes() -> list[ProcessIdentity]:
    """Return every process of the node: supervisor, components, shims and what runs in pods."""
    found = map(identify, cgroups.processes("paddock"))
    return [process for process in found if process is not None]


def kill_everything() -> None:
    """Kill every process of the node at once, as the kernel would that has no memory left, until none is born."""
    while processes := own_processes():
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(seconds=10)


def kill_what_is_recorded() -> None:
    """Kill the supervisor and the components; shims and pods live on."""
    status = node.status()
    for process in [status.supervisor, *(each.process for each in status.components)]:
        assert process is not None
        process.kill()
        process.wait(seconds=10)
    assert own_processes(), "shims and pods live on"


def write_boot(file: Path) -> None:
    """Make a record of this boot one of another boot."""
    values = json.loads(file.read_bytes())
    assert values["boot"] != ANOTHER_BOOT
    file.write_text(json.dumps(values | {"boot": ANOTHER_BOOT}))


def reboot() -> None:
    """Do to the node what a reboot does: only what lies on a disk stays, and that is of another boot."""
    planned = from_json(LAYOUT_FILE.read_text())
    noted = json.loads(MACHINE_FILE.read_bytes())
    kill_everything()
    lose_kernel_state(planned, noted)
    shutil.rmtree(planned.runtime.parent)
    for file in (STATUS_FILE, ACCESS_FILE, MACHINE_FILE):
        write_boot(file)


def lose_kernel_state(planned: NodeLayout, noted: dict[str, Any]) -> None:
    """Lose mounts (and with them network namespaces and links), packet rules, cgroups and settings."""
    eventually(lambda: mounts.detach_below([planned.state, planned.runtime, planned.kubelet]))
    firewall.remove(planned.binaries.system / "nft")
    eventually(lambda: cgroups.remove(planned.cgroup))
    for setting, value in noted["settings"].items():
        write_setting(setting, value)


FAULTS = {"everything killed": kill_everything, "only pods left": kill_what_is_recorded, "reboot": reboot}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_up_makes_a_lost_node_anew(busy: dict[str, Any], shell: str, fault: Any) -> None:
    """It says so, the node is Ready, of namespaces and pods none is left, new ones run, and down leaves nothing."""
    fault()
    assert node.access() is None
    assert node.status().state == "broken"
    outcome = subprocess.run(command("up"), capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert SAID in outcome.stderr
    assert node.status().state == "up"
    assert "Ready" in kubectl("get", "nodes", "--no-headers").split()
    assert in_use() == set()
    assert not [pid for pid in cgroups.processes("paddock") if program(pid) == "/bin/sleep"]
    with namespace("node-again") as where:
        start_pod(where, shell)
        eventually(lambda: can_exec(where))
    paddock_node("down")
    assert_nothing_left(busy)


def program(pid: int) -> str:
    """Return the program of a process, nothing when it is gone."""
    try:
        return os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115 - a path in another mount namespace
    except OSError:
        return ""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_down_removes_a_lost_node(busy: dict[str, Any], fault: Any) -> None:
    """Without an `up` in between it goes as completely."""
    fault()
    paddock_node("down")
    assert_nothing_left(busy)


@pytest.mark.usefixtures("busy")
def test_after_a_reboot_only_the_disk_is_cleaned() -> None:
    """Packet rules of the same name are another's by then: they were made since."""
    reboot()
    nft = [str(from_json(LAYOUT_FILE.read_text()).binaries.system / "nft")]
    subprocess.run([*nft, "add", "table", "ip", "kube-proxy"], check=True)
    try:
        paddock_node("down")
        tables = subprocess.run([*nft, "list", "tables"], capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run([*nft, "delete", "table", "ip", "kube-proxy"], check=False)
    assert "table ip kube-proxy" in tables
