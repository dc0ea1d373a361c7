"""Reaching a node, its status, and the commands, with made-up state files."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from paddock import node
from paddock.errors import UsageError
from paddock.node import commands, lifecycle, pins, places, processes, reaching, statuses, supervisor, upgrading
from paddock.node.layout import from_json
from paddock.node.processes import ProcessIdentity, myself
from tests.unit.node.layouts import layout

GONE = ProcessIdentity(2**22 + 1, 1)


class State:
    """The files of a node's state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def write_access(self, supervisor: ProcessIdentity) -> None:
        values = {"kubeconfig": "/k", "context": "paddock", "registry": "localhost:5055", "server": "https://x:6443"}
        (self.folder / "access.json").write_text(json.dumps(values | {"supervisor": astuple(supervisor)}))

    def write_status(self, supervisor: ProcessIdentity, **components: tuple[str, ProcessIdentity]) -> None:
        recorded = {
            name: {"state": state, "process": astuple(process), "restarts": 2}
            for name, (state, process) in components.items()
        }
        values = {"supervisor": astuple(supervisor), "components": recorded}
        (self.folder / "status.json").write_text(json.dumps(values))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """A state folder that is not this machine's."""
    folder = tmp_path / "node"
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setattr(reaching, "ACCESS_FILE", folder / "access.json")
    monkeypatch.setattr(statuses, "STATUS_FILE", folder / "status.json")
    monkeypatch.setattr(statuses, "STATE", folder)
    monkeypatch.setattr(upgrading, "LAYOUT_FILE", folder / "layout.json")
    monkeypatch.setattr(pins, "PIN_FILE", folder / "pin.json")
    monkeypatch.setattr(commands, "STATE", folder)
    monkeypatch.setattr(lifecycle, "LOCK", tmp_path / "node.lock")
    return State(folder)


def test_access_is_none_unless_the_supervisor_lives(state: State) -> None:
    """No file, a dead supervisor's file and a broken file all mean: not up."""
    assert node.access() is None
    state.write_access(GONE)
    assert node.access() is None
    (state.folder / "access.json").write_text("{")
    assert node.access() is None
    state.write_access(myself())
    found = node.access()
    assert found == node.NodeAccess(
        kubeconfig=Path("/k"), context="paddock", registry="localhost:5055", server="https://x:6443"
    )


@pytest.mark.parametrize(("noted", "lives"), [("this", True), ("another", False)])
def test_processes_of_another_boot_are_not_believed(
    state: State, monkeypatch: pytest.MonkeyPatch, noted: str, *, lives: bool
) -> None:
    """After a reboot another process may have the same id and start time: it is neither used nor killed."""
    monkeypatch.setattr(processes, "boot", lambda: "this")
    state.write_access(myself())
    state.write_status(myself(), etcd=("ready", myself()))
    for name in ("access.json", "status.json"):
        file = state.folder / name
        file.write_text(json.dumps(json.loads(file.read_text()) | {"boot": noted}))
    assert (node.access() is not None) is lives
    found = node.status()
    assert found.state == ("up" if lives else "broken")
    assert (found.supervisor == myself()) is lives
    assert bool(supervisor.recorded_processes()) is lives


def test_up_returns_at_once_when_the_node_is_up(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no lock and looks at nothing else, so any number of runs may call it."""
    state.write_access(myself())
    monkeypatch.setattr(lifecycle, "locked", pytest.fail)
    assert node.up(report=pytest.fail) == node.access()


def test_asking_for_access_imports_nothing_heavy() -> None:
    """It stands on the start path of every pytest run."""
    heavy = ["yaml", "cryptography", "asyncio", "subprocess", "http.client", "ssl"]
    program = f"import sys; from paddock import node; node.access(); print([m for m in {heavy} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize(
    ("supervisor", "component", "has_access", "expected"),
    [
        (myself(), ("ready", myself()), True, "up"),
        (myself(), ("ready", myself()), False, "starting"),
        (myself(), ("starting", myself()), True, "starting"),
        (myself(), ("ready", GONE), True, "starting"),
        (GONE, ("ready", myself()), True, "unsupervised"),
        (GONE, ("ready", GONE), True, "broken"),
    ],
)
def test_the_state_of_a_node(
    state: State,
    supervisor: ProcessIdentity,
    component: tuple[str, ProcessIdentity],
    *,
    has_access: bool,
    expected: str,
) -> None:
    """What was written is believed only as far as the kernel confirms the processes."""
    state.write_status(supervisor, etcd=component)
    if has_access:
        state.write_access(supervisor)
    assert node.status().state == expected


def test_no_node_is_down(state: State) -> None:
    """No folder, down; a folder with nothing useful, broken."""
    assert node.status().state == "broken"
    state.folder.rmdir()
    assert node.status().state == "down"


def test_the_table_is_aligned(state: State) -> None:
    """As kubectl's: columns begin below their heads; a component without process shows a dash."""
    state.write_status(myself(), etcd=("ready", myself()), kubelet=("pausing", GONE))
    lines = commands.table(node.status()).splitlines()
    head, etcd, kubelet = lines[1:]
    assert lines[0].startswith("node starting, ")
    for column in ("STATE", "RESTARTS", "MEMORY"):
        assert {line[head.index(column) - 1] for line in (etcd, kubelet)} == {" "}
    assert etcd[head.index("PID") :].split()[:2] == [str(myself().pid), "2"]
    assert kubelet.split() == ["kubelet", "stopped", "-", "2", "-", "0", "MB"]


@pytest.mark.parametrize(("seconds", "expected"), [(0.4, "0s"), (119, "119s"), (120, "2m"), (7200, "2h")])
def test_ages_are_short(seconds: float, expected: str) -> None:
    """As kubectl prints them."""
    assert commands._age(seconds) == expected


def run(*arguments: str) -> int:
    """Run a command as the top-level program does."""
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers())
    chosen = parser.parse_args(["node", *arguments])
    return int(chosen.handler(chosen))


def test_status_tells_by_its_exit_code(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    """0 when up, 3 otherwise, for scripts."""
    assert run("status") == 3
    assert capsys.readouterr().out == "node broken\n"
    state.write_status(myself(), etcd=("ready", myself()))
    state.write_access(myself())
    assert run("status") == 0


def test_status_can_be_read_by_programs(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    """The same facts as in the table, unrounded; the exit code is the same."""
    state.write_status(myself(), etcd=("ready", myself()), kubelet=("pausing", GONE))
    assert run("status", "--json") == 3
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "starting"
    etcd, kubelet = told["components"]
    assert (etcd["name"], etcd["state"], etcd["pid"], etcd["restarts"]) == ("etcd", "ready", os.getpid(), 2)
    assert etcd["memory"] > 1_000_000
    assert etcd["uptime"] > 0
    assert kubelet["pid"] is None


def test_kubeconfig_prints_the_path_alone(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    """What goes into $(…) is the path; the hint goes beside it. No node: the remedy."""
    with pytest.raises(UsageError, match="paddock node up"):
        run("kubeconfig")
    state.write_access(myself())
    assert run("kubeconfig") == 0
    assert capsys.readouterr().out == "/k\n"


@pytest.mark.parametrize("tool", ["kubectl", "helm"])
def test_a_tool_becomes_the_nodes_own(state: State, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    """Every argument is the tool's, options too; without a node the remedy is told."""
    called: list[tuple[object, list[str], str]] = []
    monkeypatch.setattr("paddock.node.building.tool", lambda name, report: f"/built/{name}" if report else "")
    monkeypatch.setattr("os.execve", lambda path, argv, env: called.append((path, argv, env["KUBECONFIG"])))
    with pytest.raises(UsageError, match="paddock node up"):
        run(tool, "get", "pods")
    state.write_access(myself())
    with pytest.raises(TypeError):  # the real execve does not return
        run(tool, "-n", "x", "get", "pods", "--help", "-l", "a=b")
    assert called == [(f"/built/{tool}", [tool, "-n", "x", "get", "pods", "--help", "-l", "a=b"], "/k")]


def test_logs_of_an_unknown_component_are_a_usage_error(state: State, capfd: pytest.CaptureFixture[str]) -> None:
    """The message lists the logs there are; a known one is printed."""
    (state.folder / "logs").mkdir()
    (state.folder / "logs/etcd.log").write_text("a line\n")
    with pytest.raises(UsageError, match="'etcdd'; expected one of etcd"):
        run("logs", "etcdd")
    assert run("logs", "etcd") == 0
    assert run("logs") == 0
    assert capfd.readouterr().out == f"a line\n{state.folder}/logs/etcd.log\n"


def test_mistakes_are_one_line_without_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``python -m paddock.node`` ends with the error's own exit code."""
    monkeypatch.setattr(places, "STATE", Path("/nowhere"))
    assert commands.main(["logs", "nothing"]) == 4
    assert capsys.readouterr().err.count("\n") == 1


def test_every_user_has_a_cache_to_write_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable decides; without it root's is the system's, and another user's is in their home."""
    monkeypatch.setenv("PADDOCK_CACHE", "/elsewhere")
    assert places.cache_folder() == Path("/elsewhere")
    monkeypatch.delenv("PADDOCK_CACHE")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert places.cache_folder() == Path("/var/cache/paddock")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/cache")
    assert places.cache_folder() == Path("/home/me/cache/paddock")


def test_a_layout_survives_its_file() -> None:
    """What the supervisor and ``down`` read is what ``up`` planned."""
    planned: Any = layout(name_servers=("192.0.2.1", "192.0.2.2"), pod_network="10.245.0.0/16")
    assert from_json(planned.to_json()) == planned
