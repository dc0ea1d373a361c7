"""Configuration and manifest of the three images, as a container runtime reads them.

Run with ``PADDOCK_UPDATE_GOLDEN=1`` after a change that is meant, and read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from paddock.images import definitions, layout
from paddock.images.archive import Blob
from paddock.images.environment import Environment

LAYERS = [Blob(digest=f"sha256:{digit * 64}", size=1024 * int(digit)) for digit in "123"]
VENV = Environment(
    executable=Path("/project/.venv/bin/python"),
    base_executable=Path("/usr/bin/python3.11"),
    prefix=Path("/project/.venv"),
    base_prefix=Path("/usr"),
    version="3.11.2",
    stdlib=(Path("/usr/lib/python3.11"),),
    sites=(Path("/project/.venv/lib/python3.11/site-packages"),),
)
IMAGES = {
    "worker": definitions.worker(LAYERS, architecture="amd64", environment=VENV, uid=1234),
    "broker": definitions.broker(LAYERS, architecture="amd64"),
    "database": definitions.database(LAYERS, architecture="arm64"),
}


def written(image: layout.Image) -> str:
    """Return both documents of an image."""
    documents = {
        "configuration": json.loads(layout.configuration(image)),
        "manifest": json.loads(layout.manifest(image)),
    }
    return json.dumps(documents, indent=2) + "\n"


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_described_as_reviewed(name: str) -> None:
    """A change of user, command, environment or document format shows in a review."""
    golden = Path(__file__).with_name(f"{name}.golden.json")
    if os.environ.get("PADDOCK_UPDATE_GOLDEN"):
        golden.write_text(written(IMAGES[name]), encoding="utf-8")
    assert written(IMAGES[name]) == golden.read_text(encoding="utf-8")


def test_a_layout_is_complete_and_names_its_layers_by_digest(tmp_path: Path) -> None:
    """The client that pushes finds every blob that the manifest names, and needs nothing else."""
    store = tmp_path / "store"
    image = layout.Image(architecture="amd64", layers=[layout.described(b"layer")] * 2, user="1000")
    for digest in {blob.digest for blob in image.layers}:
        layout.blob_path(store, digest).parent.mkdir(parents=True)
        layout.blob_path(store, digest).write_bytes(b"layer")
    layout.write(image, tmp_path / "layout", store)
    (described,) = json.loads((tmp_path / "layout" / "index.json").read_bytes())["manifests"]
    manifest = json.loads(layout.blob_path(tmp_path / "layout", described["digest"]).read_bytes())
    for blob in (manifest["config"], *manifest["layers"]):
        assert layout.blob_path(tmp_path / "layout", blob["digest"]).stat().st_size == blob["size"]
