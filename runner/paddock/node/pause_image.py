"""The image of the process that holds a pod's namespaces: one static program, pushed to the node's registry."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import NodeError

if TYPE_CHECKING:
    from paddock.node.layout import NodeLayout

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NO_ONE = 65535  # as upstream's pause image: it needs no rights at all


def reference(registry: str, program: Path) -> str:
    """Return the image's reference: its tag is a hash of the program, so a new program is a new image."""
    return f"{registry}/paddock/pause:{hashlib.sha256(program.read_bytes()).hexdigest()[:16]}"


def push(layout: NodeLayout, program: Path, crane: Path) -> None:
    """Push the image unless the registry has it already.

    Raises:
        NodeError: the registry refused it.
    """
    if _exists(layout):
        return
    with tempfile.TemporaryDirectory() as temporary:
        archive = _archive(Path(temporary), layout.pause_image, program)
        command = [str(crane), "push", "--insecure", str(archive), layout.pause_image]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise NodeError(
            f"Pushing {layout.pause_image} failed: {outcome.stderr.strip()}. See {layout.logs}/registry.log."
        )


def _exists(layout: NodeLayout) -> bool:
    name, _, tag = layout.pause_image.partition("/")[2].rpartition(":")
    url = f"http://127.0.0.1:{layout.ports.registry}/v2/{name}/manifests/{tag}"
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5):
            return True
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False


def _archive(folder: Path, name: str, program: Path) -> Path:
    """Write the image in the form of ``docker save``: a layer, a configuration that names it, a list of both."""
    layer = folder / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as file:
            tar.addfile(entry, file)
    (folder / "config.json").write_text(json.dumps(_configuration(hashlib.sha256(layer.read_bytes()).hexdigest())))
    contents = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    (folder / "manifest.json").write_text(json.dumps(contents))
    with tarfile.open(folder / "image.tar", "w") as tar:
        for part in ("manifest.json", "config.json", "layer.tar"):
            tar.add(folder / part, part)
    return folder / "image.tar"


def _configuration(layer_digest: str) -> dict[str, object]:
    machine = os.uname().machine
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": f"{_NO_ONE}:{_NO_ONE}"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
    }
