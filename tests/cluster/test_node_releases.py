"""A node from release archives: made of this machine's own builds, in the form of the projects' releases."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import subprocess
import sys
import tarfile
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock import node
from paddock.node.building import tool
from paddock.node.layout import from_json
from paddock.node.places import LAYOUT_FILE
from tests.cluster.own_node import NEEDS_ROOT, can_exec, eventually, kubectl, namespace, paddock_node, start_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, NEEDS_ROOT, pytest.mark.usefixtures("as_it_was_found")]

RELEASED = {
    "kubernetes": ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
    "etcd": ("etcd",),
    "coredns": ("coredns",),
    "containerd": ("containerd", "containerd-shim-runc-v2"),
    "plugins": ("ptp", "host-local"),
    "registry": ("registry",),
    "crane": ("crane",),
}
"""Archive -> its programs; those of Kubernetes are files of their own, as in the release."""
MODULES = {"etcd": "kubernetes", "coredns": "kubernetes", "plugins": "cni", "crane": "registry"}
UP = """
import sys
from pathlib import Path
from paddock.node import commands, releases
releases._file = lambda: Path(sys.argv[1])
sys.exit(commands.main(["up", "--source=release", f"--mirror={sys.argv[2]}"]))
"""
"""Starts the node with another list of archives than Paddock's own."""


def pack(name: str, folder: Path) -> str:
    """Write an archive and return the lines that pin it."""
    file = folder / "releases.example" / f"{name}.tar"
    file.parent.mkdir(exist_ok=True)
    with tarfile.open(file, "w", dereference=True) as tar:  # each a file of its own, as in a release
        for program in RELEASED[name]:
            tar.add(tool(program).resolve(), f"bin/{program}")
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    programs = ", ".join(f'{program} = "bin/{program}"' for program in RELEASED[name])
    place = f'{{ url = "https://releases.example/{name}.tar", sha256 = "{digest}" }}'
    module = MODULES.get(name, name)
    return f'[[{module}]]\nversion = "1.36.4"\nprograms = {{ {programs} }}\nx86_64 = {place}\naarch64 = {place}\n'


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A server on loopback that has the archives."""
    handler = partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def released(mirror: str, tmp_path: Path) -> Iterator[set[Path]]:
    """A node from the archives; the value is the folders of its programs."""
    pins = tmp_path / "releases.toml"
    pins.write_text("".join(pack(name, tmp_path) for name in RELEASED))
    paddock_node("down")
    subprocess.run([sys.executable, "-c", UP, str(pins), mirror], check=True, capture_output=True)
    shutil.rmtree(tmp_path / "releases.example")
    binaries = from_json(LAYOUT_FILE.read_text()).binaries
    folders = {binaries.kubernetes, binaries.containerd, binaries.cni, binaries.registry}
    yield folders
    paddock_node("down")
    for folder in folders:
        shutil.rmtree(folder)


def test_a_node_from_release_archives_runs_pods(released: set[Path], pushed_shell: str) -> None:
    """Each component is the file out of its archive, and a pod with a network answers."""
    built = {tool(program).parent for program in ("kubectl", "containerd", "ptp", "crane")}
    assert not released & built
    ran = {executable(each) for each in node.status().components if each.essential}  # the rest is Paddock's own
    assert {path.parent for path in ran} <= released
    assert {"kube-apiserver", "kubelet", "etcd", "coredns", "containerd", "registry"} <= {path.name for path in ran}
    with namespace("node-release") as where:
        start_pod(where, pushed_shell)
        eventually(lambda: can_exec(where))
        assert kubectl("-n", where, "logs", "server") == "started\n"


def executable(component: Any) -> Path:
    """Return the file that a component's process runs."""
    return Path(f"/proc/{component.process.pid}/exe").readlink()
