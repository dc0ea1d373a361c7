"""Drives the embedded node in tests as a user would, and lists all that it could leave on the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names, node
from paddock.node.components import components
from paddock.node.places import STATE, cache_folder
from tests.unit.node.layouts import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEEDS_ROOT = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="the embedded node needs Linux and root"
)
"""The mark of a module that starts the node."""

COMPONENTS = [each.name for each in components(layout())]
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
    """Return the namespaces that stay on the node and are neither Kubernetes' own nor those of all runs."""
    own = {"default", "kube-node-lease", "kube-public", "kube-system", names.RUN_RECORDS_NAMESPACE}
    found = json.loads(kubectl("get", "namespaces", "-o", "json"))["items"]
    staying = {one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"]}
    return {name for name in staying - own if not name.startswith(names.TRIALS_NAMESPACE)}


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


def difference(before: Any, after: Any) -> str:
    """Return what one listing has and the other has not."""
    if not isinstance(before, (list, set)):
        return f"{before!r} became {after!r}"
    return f"gone {sorted(set(before) - set(after))}, left {sorted(set(after) - set(before))}"


def assert_nothing_left(before: dict[str, Any]) -> None:
    after = listing()
    for kind, value in before.items():
        assert after[kind] == value, f"{kind}: {difference(value, after[kind])}"
    assert node.status().state == "down"
    assert not STATE.parent.exists()
