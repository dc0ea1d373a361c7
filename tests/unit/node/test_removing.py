"""What a removal plans from the kernel's tables, without a node."""

from __future__ import annotations

import ipaddress
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from paddock.errors import NodeError
from paddock.node import cgroups, firewall, links, mounts, preparing, processes, removing
from tests.unit.node.layouts import layout

if TYPE_CHECKING:
    from pathlib import Path

MOUNTS = """22 1 254:0 / / rw - ext4 /dev/vda rw
40 22 0:30 / {root}/kubelet rw shared:1 - ext4 /dev/vda rw
41 40 0:31 / {root}/kubelet/pods/p/volumes/a\\040b rw - tmpfs tmpfs rw
42 22 0:32 / {root}/kubelet-of-another rw - tmpfs tmpfs rw
43 22 0:4 net:[4026532] {root}/run/netns/cni-1 rw - nsfs nsfs rw
44 22 0:33 / {root}/run/task/rootfs//deleted rw - overlay overlay rw
"""


def test_mounts_below_our_folders_are_found_innermost_first(tmp_path: Path) -> None:
    """What was mounted last goes first, spaces are read back, and a name that only begins alike is not ours."""
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS.format(root=tmp_path))
    found = mounts.below([tmp_path / "kubelet", tmp_path / "run"], table)
    expected = ["run/task/rootfs/deleted", "run/netns/cni-1", "kubelet/pods/p/volumes/a b", "kubelet"]
    assert found == [tmp_path / path for path in expected]


def test_links_of_pods_are_known_by_their_routes() -> None:
    """Neither the default route nor a network around the pods' makes an interface a pod's."""
    table = [
        ("eth0", ipaddress.IPv4Network("0.0.0.0/0")),
        ("vpn", ipaddress.IPv4Network("10.0.0.0/8")),
        ("veth1", ipaddress.IPv4Network("10.244.0.2/32")),
        ("veth1", ipaddress.IPv4Network("10.244.0.0/16")),
    ]
    assert links.into("10.244.0.0/16", table) == ["veth1"]
    assert links.into("10.245.0.0/16", table) == []


def test_only_tables_of_a_node_are_ours() -> None:
    """A firewall of the machine stays."""
    listing = "table inet filter\ntable ip kube-proxy\ntable ip6 kube-proxy\ntable inet paddock-policy\ntable ip nat\n"
    assert firewall.ours(listing) == ["ip kube-proxy", "ip6 kube-proxy", "inet paddock-policy"]


@pytest.fixture
def cgroup_tree(tmp_path: Path) -> Path:
    """A made-up cgroup version 1 tree: two hierarchies, a process of the node in each."""
    for number, name in enumerate(("cpuset", "pids")):
        for folder in ("", "paddock", "paddock/node", "paddock/kubepods/pod1", "other"):
            (tmp_path / name / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / folder / "cgroup.procs").touch()
        (tmp_path / name / "paddock/kubepods/pod1/cgroup.procs").write_text(f"{100 + number}\n")
        (tmp_path / name / "other/cgroup.procs").write_text("1\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "cgroup.procs").touch()
    return tmp_path


def test_processes_of_every_hierarchy_are_found(cgroup_tree: Path) -> None:
    """Wherever below the node's cgroup a process is, it is ours; elsewhere it is not."""
    assert cgroups.processes("paddock", cgroup_tree) == {100, 101}


def test_a_new_cgroup_may_be_entered(cgroup_tree: Path) -> None:
    """Version 1: the processors and memory nodes of the root are copied, for without them no process may enter."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        (cgroup_tree / "cpuset" / name).write_text("0-1")
        (cgroup_tree / "cpuset" / "paddock" / name).touch()
    cgroups.make("paddock", cgroup_tree)
    assert (cgroup_tree / "cpuset" / "paddock" / "cpuset.cpus").read_text() == "0-1"
    assert (cgroup_tree / "pids" / "paddock" / "node").is_dir()


def test_controllers_are_handed_down_and_taken_back(tmp_path: Path) -> None:
    """Version 2: those kubelet insists on and the kernel has are enabled; what was enabled before stays so."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids rdma\n")
    (tmp_path / "cgroup.procs").touch()
    control = tmp_path / "cgroup.subtree_control"
    control.write_text("cpu io memory\n")
    before = cgroups.delegated(tmp_path)
    cgroups.make("paddock", tmp_path)
    assert control.read_text() == "+cpuset +pids"
    control.write_text("cpu cpuset io memory\n")
    cgroups.take_back(before, tmp_path)
    assert control.read_text() == "-cpuset"


def test_controllers_that_cannot_be_handed_down_are_named(tmp_path: Path) -> None:
    """As in a container whose processes sit in the root: the message says how to start it."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "cgroup.subtree_control").mkdir()  # cannot be written, whoever we are
    with pytest.raises(NodeError, match=r"controllers cpu, memory cannot be used.*--cgroupns=host"):
        cgroups.make("paddock", tmp_path)


def test_removing_cgroups_tells_whether_any_is_left(tmp_path: Path) -> None:
    """A cgroup that is still busy is left and said to be; the others go."""
    for folder in ("paddock/busy", "paddock/idle"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "paddock/busy/still-there").touch()
    assert cgroups.remove("paddock", tmp_path) is False
    assert [path.name for path in (tmp_path / "paddock").iterdir()] == ["busy"]
    (tmp_path / "paddock/busy/still-there").unlink()
    assert cgroups.remove("paddock", tmp_path) is True
    assert not (tmp_path / "paddock").exists()


def test_the_marker_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off in the middle, the folder still says whose it is."""
    folder = tmp_path / "kubelet"
    (folder / "pods" / "p").mkdir(parents=True)
    (folder / preparing.MARKER).touch()
    (folder / "state").touch()
    remove_tree = shutil.rmtree

    def cut_off_at_the_end(path: Path) -> None:
        assert path != folder, "cut off here"
        remove_tree(path)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_off_at_the_end)
        with pytest.raises(AssertionError, match="cut off"):
            removing._remove_marked(folder)
    assert list(folder.iterdir()) == [folder / preparing.MARKER]
    removing._remove_marked(folder)
    assert not folder.exists()


def test_settings_that_differ_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those are written and no others."""
    written: dict[str, str] = {}
    present = {"kernel/panic": "10", "net/ipv4/ip_forward": "1"}
    monkeypatch.setattr(preparing, "read_setting", present.get)
    monkeypatch.setattr(preparing, "write_setting", written.__setitem__)
    removing._restore_settings({"kernel/panic": "1", "net/ipv4/ip_forward": "1"})
    assert written == {"kernel/panic": "1"}


@pytest.mark.parametrize(("noted", "expected"), [("this", ["kernel", "files"]), ("earlier", ["files"])])
def test_after_a_reboot_the_kernels_tables_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noted: str, expected: list[str]
) -> None:
    """Links, packet rules and settings of the same name are somebody else's then; files are still ours."""
    done: list[str] = []
    (tmp_path / "machine.json").write_text(json.dumps({"boot": noted, "absent": []}))
    monkeypatch.setattr(removing, "MACHINE_FILE", tmp_path / "machine.json")
    monkeypatch.setattr(processes, "boot", lambda: "this")
    monkeypatch.setattr(removing, "_end_processes", lambda _layout: None)
    monkeypatch.setattr(removing, "_take_from_kernel", lambda _layout, _noted: done.append("kernel"))
    monkeypatch.setattr(removing, "_remove_files", lambda _layout, _absent: done.append("files"))
    monkeypatch.setattr(cgroups, "remove", lambda _name: True)
    here = {"state": tmp_path / "state", "runtime": tmp_path / "run", "kubelet": tmp_path / "kubelet"}
    removing._remove_from_machine(layout(**here))
    assert done == expected


def test_files_of_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of folders that others use as well only our entries go, and the folder only when it is empty."""
    ours = layout(state=tmp_path / "state", runtime=tmp_path / "run" / "node", kubelet=tmp_path / "kubelet")
    results, logs = tmp_path / "cni" / "results", tmp_path / "containers"
    monkeypatch.setattr(removing, "_CNI_RESULTS", results)
    monkeypatch.setattr(removing, "_CONTAINER_LOGS", logs)
    for folder in (results, logs, ours.runtime, ours.kubelet):
        folder.mkdir(parents=True)
    (results / "paddock-1-eth0").touch()
    (results / "podman-1-eth0").touch()
    (logs / "ours.log").symlink_to(ours.state / "pod-logs" / "0.log")
    (logs / "theirs.log").symlink_to("/elsewhere/0.log")
    removing._remove_files(ours, [str(results), str(tmp_path / "absent")])
    assert [path.name for path in results.iterdir()] == ["podman-1-eth0"]
    assert [path.name for path in logs.iterdir()] == ["theirs.log"]
    assert ours.kubelet.exists(), "no marker of ours was in it"
    assert not ours.runtime.parent.exists()


@pytest.mark.parametrize("gone", ["machine.json", "layout.json"])
def test_a_removal_cut_off_among_its_own_records_is_carried_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """They go last and in any order; with one of them missing nothing but files is left."""
    (tmp_path / "node").mkdir()
    monkeypatch.setattr(removing, "STATE", tmp_path / "node")
    for constant, name in (("LAYOUT_FILE", "layout.json"), ("MACHINE_FILE", "machine.json")):
        monkeypatch.setattr(removing, constant, tmp_path / "node" / name)
        if name != gone:
            (tmp_path / "node" / name).write_text("{}")
    removing.remove(lambda _line: None)
    assert not (tmp_path / "node").exists()


def test_nothing_to_remove_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No state folder, nothing said, nothing done; a state folder without a layout is only files."""
    said: list[str] = []
    state = tmp_path / "node"
    monkeypatch.setattr(removing, "STATE", state)
    monkeypatch.setattr(removing, "LAYOUT_FILE", state / "layout.json")
    removing.remove(said.append)
    assert said == []
    state.mkdir()
    (state / "machine.json").write_text(json.dumps({}))
    removing.remove(said.append)
    assert said == ["removing the node"]
    assert not state.exists()
