"""A node made of an older pin becomes what this version makes, with what it holds wherever that is possible."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock import node
from paddock.node.building import tool
from paddock.node.layout import from_json
from paddock.node.places import ADMIN_KUBECONFIG, LAYOUT_FILE, PIN_FILE
from paddock.node.recipes import KUBERNETES_VERSION
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
    running,
    start_pod,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, NEEDS_ROOT, pytest.mark.usefixtures("as_it_was_found")]

OLDER_VERSION = "1.36.3"
OLDER = f"""
import sys
from dataclasses import replace
from paddock.node import commands, pins, recipes

def older(text):
    return text.replace("{KUBERNETES_VERSION}", "{OLDER_VERSION}")

newer, version_of = recipes.KUBERNETES, pins._version
recipes.KUBERNETES = replace(newer, linker_flags=older(newer.linker_flags))
recipes.OF_VERSION[recipes.NEWEST] = recipes.KUBERNETES
recipes.RECIPES = tuple(recipes.KUBERNETES if each is newer else each for each in recipes.RECIPES)
pins._version = lambda program, supply: older(version_of(program, supply))
sys.exit(commands.main(["up"]))
"""
"""Starts a node as a version of Paddock would whose Kubernetes calls itself older; only that stamp is linked anew."""


@pytest.fixture(scope="module")
def linked() -> Iterator[set[Path]]:
    """Folders of programs that only these tests use; linking them takes half a minute, so they are kept meanwhile."""
    folders: set[Path] = set()
    yield folders
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture
def older(before: dict[str, Any], linked: set[Path]) -> dict[str, Any]:
    """A node of an older pin; the value is the listing of the machine without."""
    subprocess.run([sys.executable, "-c", OLDER], check=True, capture_output=True)
    programs = from_json(LAYOUT_FILE.read_text()).binaries.kubernetes
    assert programs != tool("kubectl").parent, "these are everybody's"
    linked.add(programs)
    return before


def server_version() -> str:
    return str(json.loads(kubectl("version", "--output=json"))["serverVersion"]["gitVersion"])


def upgraded() -> str:
    """Run `paddock node up` and return what it says about it."""
    outcome = subprocess.run(command("up"), capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stderr


def programs_in(folder: Path) -> list[str]:
    """Return the programs in a folder that run now, in whatever process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/exe"):
        try:
            found.append(str(path.readlink()))
        except OSError:
            continue  # a kernel thread, or gone meanwhile
    return [program for program in found if program.startswith(f"{folder}/")]


def test_up_upgrades_a_node_under_living_pods(older: dict[str, Any], pushed_shell: str) -> None:
    """Another version reports, on the same objects, keys and containers; nothing of the old one runs on."""
    old = from_json(LAYOUT_FILE.read_text()).binaries.kubernetes
    kubeconfig = ADMIN_KUBECONFIG.read_bytes()
    assert server_version() == f"v{OLDER_VERSION}"
    change = f"kube-apiserver {OLDER_VERSION} becomes {KUBERNETES_VERSION}"
    assert paddock_node("status").splitlines()[1].endswith(f"`paddock node up` upgrades it: {change}.")
    assert node.up(report=pytest.fail) == node.access(), "a test run leaves the node of others alone"
    assert programs_in(old)
    with namespace("node-upgrade") as where:
        pod = start_pod(where, pushed_shell)
        assert f"Upgrading the node: {change}. Its objects, keys and pods stay." in upgraded()
        assert server_version() == f"v{KUBERNETES_VERSION}"
        assert running(where) == pod
        eventually(lambda: can_exec(where))
        assert programs_in(old) == []
    assert ADMIN_KUBECONFIG.read_bytes() == kubeconfig
    eventually(lambda: kubectl("get", "nodes", "--no-headers").split()[-1] == f"v{KUBERNETES_VERSION}")
    status = paddock_node("status").splitlines()
    assert status[0].startswith(f"node up, Kubernetes {KUBERNETES_VERSION}, ")
    assert status[1].startswith("COMPONENT")
    assert "node already up" in paddock_node("up")
    paddock_node("down")
    assert_nothing_left(older)


@pytest.mark.parametrize("moment", [0.0, 0.2, 0.5, 1.5])
def test_an_upgrade_that_was_killed_is_carried_on(older: dict[str, Any], moment: float) -> None:
    """Wherever it was cut off, the next `up` ends with the wanted node, and down leaves nothing."""
    old = from_json(LAYOUT_FILE.read_text()).binaries.kubernetes
    upgrade = subprocess.Popen(command("up"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert upgrade.stderr is not None
    assert upgrade.stderr.readline().startswith("Upgrading the node: ")
    try:
        upgrade.wait(moment)
    except subprocess.TimeoutExpired:
        upgrade.send_signal(signal.SIGKILL)
    upgrade.communicate()
    paddock_node("up")
    assert node.status().state == "up"
    assert server_version() == f"v{KUBERNETES_VERSION}"
    assert programs_in(old) == []
    paddock_node("down")
    assert_nothing_left(older)


def test_up_makes_a_node_anew_that_it_knows_nothing_of(before: dict[str, Any], shell: str) -> None:
    """As one of a version that kept no record: it says why, and what was there is gone."""
    with namespace("node-unknown") as where:
        start_pod(where, shell)
    PIN_FILE.unlink()
    assert "makes it anew: an earlier version of Paddock made it" in paddock_node("status")
    kubeconfig = ADMIN_KUBECONFIG.read_bytes()
    assert "The node is made anew: an earlier version of Paddock" in upgraded()
    assert in_use() == set()
    assert ADMIN_KUBECONFIG.read_bytes() != kubeconfig
    assert node.status().state == "up"
    paddock_node("down")
    assert_nothing_left(before)
