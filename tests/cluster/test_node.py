"""The embedded node on this machine: up, supervised, and gone without a trace.

These tests take the node down and up again; at the end it is as it was found.
"""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from paddock import node
from paddock.node.layout import from_json
from paddock.node.places import LAYOUT_FILE, STATE
from paddock.node.processes import identify
from tests.cluster.own_node import (
    COMPONENTS,
    NEEDS_ROOT,
    assert_nothing_left,
    can_exec,
    command,
    component,
    eventually,
    kill,
    kubectl,
    namespace,
    paddock_node,
    running,
    start_pod,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.cluster, NEEDS_ROOT, pytest.mark.usefixtures("as_it_was_found")]

MEMORY_LIMIT = 950e6


# ---------------------------------------------------------------------------------------------------------------- up


def test_up_makes_a_ready_node_and_again_changes_nothing(up: node.NodeAccess) -> None:
    """The second call returns at once, with the same node."""
    before = node.status()
    assert before.state == "up"
    assert "Ready" in kubectl("get", "nodes", "--no-headers").split()
    started = time.monotonic()
    assert node.up(report=pytest.fail) == up
    assert time.monotonic() - started < 0.3
    assert [each.process for each in node.status().components] == [each.process for each in before.components]


def test_two_at_once_start_one_node() -> None:
    """The second waits for the first and says so; there is one supervisor and one of each component."""
    paddock_node("down")
    both = [
        subprocess.Popen(command("up"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=180) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("waiting for another process" in errors for _, errors in said) == 1
    status = node.status()
    assert status.state == "up"
    assert [each.restarts for each in status.components] == [0] * len(COMPONENTS)


def test_the_node_fits_into_a_small_machine(up: node.NodeAccess) -> None:
    """All parts together, shared pages counted once."""
    del up
    assert 100e6 < sum(each.memory for each in node.status().components) < MEMORY_LIMIT


def test_pods_find_services_by_name_and_reach_the_api_server(shell: str) -> None:
    """Short and long names resolve to the Service's address, inside a pod of the restricted level."""
    with namespace("node-names") as where:
        start_pod(where, shell)
        address = kubectl("-n", where, "get", "service", "broker", "-o", "jsonpath={.spec.clusterIP}")
        for name in ("broker", f"broker.{where}", f"broker.{where}.svc.cluster.local"):
            found = kubectl("-n", where, "exec", "server", "--", "/usr/bin/getent", "hosts", name)
            assert found.split()[0] == address
        assert kubectl("-n", where, "logs", "server") == "started\n"


def test_cluster_names_are_answered_over_the_service_address(up: node.NodeAccess) -> None:
    """The DNS Service answers a query for the API server's name with its Service's address."""
    del up
    planned = from_json(LAYOUT_FILE.read_text())
    name = b"".join(bytes([len(part)]) + part.encode() for part in ["kubernetes", "default", "svc", "cluster", "local"])
    query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + name + b"\0" + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.settimeout(5)
        endpoint.sendto(query, (planned.dns_service, 53))
        answer = endpoint.recv(512)
    assert socket.inet_ntoa(answer[-4:]) == planned.kubernetes_service


def test_strangers_get_nothing(up: node.NodeAccess) -> None:
    """Keys and kubeconfig are root's; without a certificate the API server answers 401; etcd has no port at all."""
    assert up.kubeconfig.stat().st_mode & 0o077 == 0
    assert STATE.stat().st_mode & 0o077 == 0
    context = ssl.create_default_context(cafile=STATE / "keys" / "ca.crt")
    for path in ("/api/v1/secrets", "/version", "/readyz"):
        with pytest.raises(urllib.error.HTTPError, match="401") as refusal:
            urllib.request.urlopen(f"{up.server}{path}", context=context)  # noqa: S310 - an https URL of our own
        refusal.value.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 2379), timeout=5)


# --------------------------------------------------------------------------------------------------------- supervised
@pytest.mark.parametrize("name", COMPONENTS)
def test_a_killed_component_comes_back_and_pods_live_on(shell: str, name: str) -> None:
    """Containers belong to their shims: whichever component dies, they neither stop nor restart."""
    with namespace(f"node-kill-{name}") as where:
        before = start_pod(where, shell)
        restarts = component(name).restarts
        assert kill(name).restarts == restarts + 1
        eventually(lambda: running(where) == before)
        eventually(lambda: can_exec(where))
    assert node.access() is not None


def test_a_killed_supervisor_is_replaced_by_up(up: node.NodeAccess) -> None:
    """Nothing stops meanwhile; the new supervisor adopts the processes and restarts what dies later."""
    before = node.status()
    assert before.supervisor is not None
    before.supervisor.kill()
    eventually(lambda: node.status().state == "unsupervised")
    assert node.access() is None
    paddock_node("up")
    after = node.status()
    assert node.access() == up
    assert after.supervisor != before.supervisor
    assert [each.process for each in after.components] == [each.process for each in before.components]
    assert kill("kube-scheduler").restarts == 1


# --------------------------------------------------------------------------------------------------------------- down


def test_down_leaves_nothing(busy: dict[str, Any]) -> None:
    """Mounts, links, sockets, cgroups, packet rules, processes, files and kernel settings are as they were."""
    paddock_node("down")
    assert_nothing_left(busy)


def test_down_removes_a_node_that_is_half_dead(busy: dict[str, Any]) -> None:
    """Without supervisor, containerd and kubelet it goes as completely."""
    status = node.status()
    for process in [status.supervisor, component("containerd").process, component("kubelet").process]:
        assert process is not None
        process.kill()
    paddock_node("down")
    assert_nothing_left(busy)


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3, 0.8])
def test_a_removal_that_was_killed_is_carried_on(busy: dict[str, Any], moment: float) -> None:
    """Wherever it was cut off, the next one finishes."""
    removal = subprocess.Popen(command("down"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert removal.stderr is not None
    assert removal.stderr.readline() == "removing the node\n"
    try:
        removal.wait(moment)
    except subprocess.TimeoutExpired:
        removal.send_signal(signal.SIGKILL)
    removal.communicate()
    paddock_node("down")
    assert_nothing_left(busy)


def test_a_component_killed_during_the_removal_changes_nothing(busy: dict[str, Any]) -> None:
    """Processes that vanish under its hands are what a removal wants."""
    victims = [each.process for each in node.status().components]
    removal = subprocess.Popen(command("down"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for process in victims:
        if process is not None:
            process.kill()
    _, errors = removal.communicate(timeout=60)
    assert removal.returncode == 0, errors
    assert_nothing_left(busy)


@pytest.mark.parametrize("moment", [0.1, 0.6, 2.0])
def test_a_start_that_was_killed_is_carried_on(before: dict[str, Any], moment: float) -> None:
    """Whether nothing, the configuration or half of the components were there: up makes a node, down leaves nothing."""
    start = subprocess.Popen(command("up"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        start.wait(moment)
    except subprocess.TimeoutExpired:
        start.send_signal(signal.SIGKILL)
        start.wait()
    paddock_node("up")
    assert node.status().state == "up"
    paddock_node("down")
    assert_nothing_left(before)


def test_down_twice_is_no_error() -> None:
    """There is nothing to remove, and it says so."""
    paddock_node("down")
    assert paddock_node("down") == "no node to remove\n"


def test_ports_in_use_are_avoided() -> None:
    """Another registry on our port: the node takes the next one and says which."""
    paddock_node("down")
    with socket.create_server(("127.0.0.1", 5055)):
        paddock_node("up")
        found = node.access()
        assert found is not None
        assert found.registry == "localhost:5056"
        paddock_node("down")


def test_a_foreign_kubelet_stops_up_before_anything_is_changed(before: dict[str, Any], tmp_path: Path) -> None:
    """A process called kubelet that is not ours is named, and nothing has been touched."""
    foreign = tmp_path / "kubelet"
    shutil.copy("/bin/sleep", foreign)
    with subprocess.Popen([str(foreign), "600"]) as process:
        try:
            eventually(lambda: identify(process.pid) is not None)
            outcome = subprocess.run(command("up"), capture_output=True, text=True, check=False)
        finally:
            process.kill()
    assert outcome.returncode == 3
    assert f"process {process.pid}" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert_nothing_left(before)
