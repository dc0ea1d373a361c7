"""Images without a node, for tests: a registry and a cache of their own, and a pod's way of starting.

Commands run in private mount and network namespaces: nothing stays mounted and no port of this machine is taken.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock import node
from paddock.images import places

if TYPE_CHECKING:
    from collections.abc import Iterator

INSIDE = """
set -eu
root=$1 uid=$2
shift 2
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
for folder in run/paddock var/lib/paddock; do mount -t tmpfs -o mode=0777 tmpfs "$root/$folder"; done
mount -o remount,bind,ro "$root"
ip link set lo up
exec chroot "$root" setpriv --reuid="$uid" --regid="$uid" --clear-groups --bounding-set=-all --no-new-privs "$@"
"""
"""Runs a command as a pod does: read-only root, a number as user, no capabilities, nothing of this machine mounted."""


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for a gigabyte of images, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="paddock-images-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run a registry of its own on a free port of the loopback address."""
    configuration = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder)}},
        "http": {"addr": "127.0.0.1:0", "secret": "one process"},
    }
    folder.mkdir()
    path = folder / "registry.yaml"
    path.write_text(json.dumps(configuration))  # JSON is YAML
    command = [str(node.tool("registry")), "serve", str(path)]
    log = folder / "log"
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield f"localhost:{port_in(log)}"
        finally:
            process.kill()


def port_in(log: Path) -> str:
    """Return the port that a registry says it listens on."""
    end, pause = time.monotonic() + 20, threading.Event()
    while not (found := re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())):
        assert time.monotonic() < end, log.read_text()
        pause.wait(0.02)
    return found[1]


@pytest.fixture(scope="session")
def registry(scratch: Path) -> Iterator[str]:
    """An empty registry."""
    with serving(scratch / "registry") as host:
        yield host


def linked_cache(folder: Path, kinds: tuple[str, ...] = ("base-", "broker", "database")) -> Path:
    """Return a cache in ``folder`` that has the layers of these ``kinds`` of this machine's cache."""
    cache, real = folder / "images", places.folder()
    for record in real.glob("layers/*.json"):
        if record.name.startswith(kinds):
            blob = Path("blobs", json.loads(record.read_bytes())["digest"].replace(":", "/"))
            for path in (record.relative_to(real), blob):
                if (real / path).exists() and not (cache / path).exists():
                    (cache / path).parent.mkdir(parents=True, exist_ok=True)
                    link_or_copy(real / path, cache / path)
    return cache


def link_or_copy(source: Path, target: Path) -> None:
    """Link a file, or copy it where the two places are on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def unpacked(reference: str, folder: Path) -> Path:
    """Unpack the root file system of an image."""
    for path in ("run/paddock", "var/lib/paddock"):  # where a pod mounts its volumes
        (folder / path).mkdir(parents=True)
    export = [str(node.tool("crane")), "export", "--insecure", reference, "-"]
    with subprocess.Popen(export, stdout=subprocess.PIPE) as source:
        subprocess.run(["tar", "-x", "-C", str(folder)], stdin=source.stdout, check=True)
    assert source.returncode == 0
    return folder


def inside(root: Path, uid: int, *command: str) -> list[str]:
    """Return the command line that runs ``command`` as a pod of the image at ``root`` would."""
    namespaces = ["--mount", "--net", "--pid", "--fork", "--propagation=private"]
    return ["unshare", *namespaces, "sh", "-c", INSIDE, "sh", str(root), str(uid), *command]


def answered(root: Path, uid: int, *command: str) -> str:
    """Return what a command inside the image prints."""
    done = subprocess.run(inside(root, uid, *command), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def started(root: Path, uid: int, command: str, **environment: str) -> Iterator[int]:
    """Run a start script as a pod would and give a process id, the way into its network namespace."""
    path = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(inside(root, uid, "sh", "-c", command), env=path | environment) as process:
        try:
            wait_for_network(process.pid)
            yield process.pid
        finally:
            first = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for pid in first:  # the first of its process namespace: all others end with it
                os.kill(int(pid), signal.SIGKILL)


def wait_for_network(pid: int) -> None:
    """Return when ``pid`` is in a network namespace of its own: before that, ours would be asked."""
    ours, end, pause = os.readlink("/proc/self/ns/net"), time.monotonic() + 20, threading.Event()  # noqa: PTH115 - no file
    while os.readlink(f"/proc/{pid}/ns/net") == ours:  # noqa: PTH115 - not a file either
        assert time.monotonic() < end
        pause.wait(0.005)


def in_network(pid: int, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that talks to the service in the network namespace of ``pid``."""
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def asked(pid: int, script: str) -> object:
    """Return what such a script answers."""
    done = in_network(pid, script)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
