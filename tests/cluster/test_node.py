"""The embedded node on this machine: up, supervised, and gone without a trace.

These tests take the node down and up again; at the end it is as it was found.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock import node
from paddock.node.components import components
from paddock.node.layout import from_json
from paddock.node.places import LAYOUT_FILE, STATE, cache_folder
from paddock.node.processes import identify
from tests.unit.node.layouts import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="the embedded node needs Linux and root"),
]

COMPONENTS = [each.name for each in components(layout())]
MEMORY_LIMIT = 950e6
IMAGE = "paddock/test-shell:1"
PROGRAMS = ("/bin/sh", "/bin/sleep", "/usr/bin/getent", "/usr/bin/stat")
NAME_SERVICE = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "paddock.node", *arguments]


def paddock_node(*arguments: str) -> str:
    """Run a command as a user does and return what it prints; it must succeed."""
    outcome = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def kubectl(*arguments: str, given: str | None = None) -> str:
    access = node.access()
    assert access is not None, "the node is not up"
    call = [str(node.tool("kubectl")), f"--kubeconfig={access.kubeconfig}", *arguments]
    outcome = subprocess.run(call, input=given, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def eventually(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def in_use() -> set[str]:
    """Return the namespaces on the node that are neither Kubernetes' own nor only a record of runs."""
    found = kubectl("get", "namespaces", "-o", "name").split()
    own = ("default", "kube-node-lease", "kube-public", "kube-system", "paddock-system")
    return {name.removeprefix("namespace/") for name in found} - set(own)


@pytest.fixture(scope="module", autouse=True)
def as_it_was_found() -> Iterator[None]:
    """Leave the node up if it was up, and down if it was down; leave it alone while others use it."""
    was_up = node.access() is not None
    if was_up and (others := in_use()):
        pytest.skip(f"the node is in use: namespaces {', '.join(sorted(others))}; run these tests without other runs")
    yield
    paddock_node("up" if was_up else "down")


@pytest.fixture
def up() -> node.NodeAccess:
    """A node that is up, started by another process, as a user's is."""
    paddock_node("up")
    found = node.access()
    assert found is not None
    return found


@pytest.fixture
def shell(up: node.NodeAccess, tmp_path: Path) -> str:
    """An image with a shell, made of this machine's own programs and pushed to the node's registry."""
    libraries = "".join(subprocess.run(["ldd", *PROGRAMS], capture_output=True, text=True, check=True).stdout)
    paths = {word for word in libraries.split() if word.startswith("/") and not word.endswith(":")}
    folder = next(Path(path).parent for path in paths if path.endswith("/libc.so.6"))
    layer = tmp_path / "layer.tar"
    with tarfile.open(layer, "w", dereference=True) as tar:
        for path in sorted({*PROGRAMS, *paths, *(str(folder / name) for name in NAME_SERVICE)}):
            tar.add(path)
    reference = f"{up.registry}/{IMAGE}"
    crane = [str(node.tool("crane")), "append", "--oci-empty-base", "-f", str(layer), "-t", reference]
    subprocess.run(crane, check=True, capture_output=True)
    return reference


def pod(name: str, image: str) -> str:
    """Return a pod under the restricted level, with a volume of every kind that is a mount."""
    closed: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "main",
        "image": image,
        "command": ["/bin/sh", "-c", "echo started; exec sleep 100000"],
        "securityContext": closed,
        "volumeMounts": [{"name": each, "mountPath": f"/{each}"} for each in ("memory", "disk", "map")],
    }
    volumes = [
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
        {"name": "disk", "emptyDir": {}},
        {"name": "map", "configMap": {"name": "kube-root-ca.crt"}},
    ]
    user = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "securityContext": user,
        "containers": [container],
        "volumes": volumes,
    }
    return json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
    )


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """Hold a namespace of the restricted level."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    kubectl("apply", "-f", "-", given=json.dumps(manifest))
    eventually(lambda: "kube-root-ca.crt" in kubectl("-n", name, "get", "configmaps", "-o", "name"))
    try:
        yield name
    finally:
        if node.access() is not None:
            kubectl("delete", "namespace", name, "--wait=false")


def start_pod(where: str, image: str) -> dict[str, Any]:
    """Start a pod with a Service before it, and return what runs."""
    kubectl("-n", where, "apply", "-f", "-", given=pod("server", image))
    kubectl("-n", where, "expose", "pod", "server", "--name=broker", "--port=1883")
    kubectl("-n", where, "wait", "--for=condition=Ready", "pod/server", "--timeout=60s")
    return running(where)


def running(where: str) -> dict[str, Any]:
    status = json.loads(kubectl("-n", where, "get", "pod", "server", "-o", "json"))["status"]
    return {"container": status["containerStatuses"][0]["containerID"], "address": status["podIP"]}


def can_exec(where: str) -> bool:
    """Tell whether a command runs in the pod; a kubelet that has just started must first hear of its pods."""
    access = node.access()
    assert access is not None
    kubectl = [str(node.tool("kubectl")), f"--kubeconfig={access.kubeconfig}"]
    command = [*kubectl, "-n", where, "exec", "server", "--", "/bin/sh", "-c", "exit 0"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


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


def component(name: str) -> node.ComponentStatus:
    return next(each for each in node.status().components if each.name == name)


def kill(name: str) -> node.ComponentStatus:
    """Kill a component as the kernel would and wait until another process of it is ready."""
    before = component(name)
    assert before.process is not None
    before.process.kill()

    def replaced() -> bool:
        now = component(name)
        return now.ready and now.process != before.process

    eventually(replaced)
    return component(name)


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

LISTED_SETTINGS = ("net/ipv4", "net/ipv6/conf", "net/netfilter", "kernel", "vm", "fs/inotify")
CHANGING_SETTINGS = ("kernel/random/", "kernel/ns_last_pid", "net/netfilter/nf_conntrack_count", "kernel/pty/nr")
LISTED_FOLDERS = ("/etc", "/opt", "/run", "/usr/libexec", "/var/lib", "/var/log")


def settings() -> dict[str, str]:
    found = {}
    for folder in LISTED_SETTINGS:
        for path in Path("/proc/sys", folder).rglob("*"):
            name = str(path.relative_to("/proc/sys"))
            if path.is_file() and os.access(path, os.R_OK) and not name.startswith(CHANGING_SETTINGS):
                found[name] = _read(path)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def entries(root: str, depth: int) -> set[str]:
    """Return the paths below ``root`` down to ``depth``."""
    patterns = ["/".join(["*"] * level) for level in range(1, depth + 1)]
    return {str(path) for pattern in patterns for path in Path(root).glob(pattern)}


def cgroup_folders() -> set[str]:
    """Return the cgroups of the first level, and all that are called as Kubernetes' or ours."""
    names = ("kubepods", "paddock", "k8s.io")
    return {str(path) for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir() and set(names) & set(path.parts)}


def rules() -> str:
    """Return the whole packet filter; the node's own nft may be the only one there is."""
    program = shutil.which("nft") or str(cache_folder() / "node" / "system" / "nft")
    return subprocess.run([program, "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def programs() -> set[str]:
    """Return the programs of the node that run, in whatever process."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/exe"):
        with suppress(OSError):  # a kernel thread, or gone meanwhile
            found.add(str(path.readlink()))
    return {path for path in found if path.startswith(str(cache_folder())) or path == "/pause"}


def listing() -> dict[str, Any]:
    """Return everything that a node could leave behind on this machine."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return {
        "mounts": sorted(mounts),
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "sockets": sorted(
            {line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if "paddock" in line}
        ),
        "cgroups": cgroup_folders(),
        "rules": rules(),
        "programs": programs(),
        "files": set().union(*(entries(folder, 2) for folder in LISTED_FOLDERS)),
        "settings": settings(),
    }


@pytest.fixture
def before() -> dict[str, Any]:
    """What is on the machine without a node."""
    paddock_node("up")  # so that what only the first node ever makes, such as the kernel's own tables, is there
    paddock_node("down")
    return listing()


def assert_nothing_left(before: dict[str, Any]) -> None:
    after = listing()
    for kind, value in before.items():
        assert after[kind] == value, kind
    assert node.status().state == "down"
    assert not STATE.parent.exists()


@pytest.fixture
def busy(before: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """A node with pods on it; the value is the listing of the machine without."""
    shell = request.getfixturevalue("shell")
    kubectl("create", "namespace", "node-busy")
    eventually(lambda: "kube-root-ca.crt" in kubectl("-n", "node-busy", "get", "configmaps", "-o", "name"))
    start_pod("node-busy", shell)
    during = listing()
    assert {kind for kind in before if during[kind] != before[kind]} == set(before), "the listing sees every kind"
    return before


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
