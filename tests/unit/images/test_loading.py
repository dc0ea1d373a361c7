"""Images for local clusters."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from paddock.errors import ImageError, UsageError
from paddock.images import layout, loading

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = {name: layout.described(name.encode()) for name in ("shared", "one", "two")}


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    """A store with three layers."""
    for name, blob in LAYERS.items():
        path = layout.blob_path(tmp_path / "store", blob.digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "store"


def images() -> dict[str, layout.Image]:
    return {
        f"paddock/{name}:1": layout.Image(architecture="amd64", layers=[LAYERS["shared"], LAYERS[name]], user="1000")
        for name in ("one", "two")
    }


def test_the_archive_names_its_images_and_holds_shared_layers_once(blobs: Path, tmp_path: Path) -> None:
    """As ``docker save`` writes it: by that a node knows under which name a pod asks for an image."""
    loading.write_archive(images(), blobs, tmp_path / "images.tar")
    with tarfile.open(tmp_path / "images.tar") as archive:
        names = archive.getnames()
        contents = {name: file.read() for name in names if (file := archive.extractfile(name))}
    manifest = json.loads(contents["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [["paddock/one:1"], ["paddock/two:1"]]
    assert [[contents[layer] for layer in entry["Layers"]] for entry in manifest] == [
        [b"shared", b"one"],
        [b"shared", b"two"],
    ]
    for entry in manifest:
        diff_ids = json.loads(contents[entry["Config"]])["rootfs"]["diff_ids"]
        assert [f"blobs/{digest.replace(':', '/')}" for digest in diff_ids] == entry["Layers"]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("context", ["kind-", "k3d", "minikube-2", "production", "docker-desktop"])
def test_a_context_that_loads_nothing_is_told_the_other_way(context: str, tmp_path: Path) -> None:
    """A registry serves every cluster."""
    with pytest.raises(UsageError, match="--paddock-registry=REGISTRY/PATH"):
        loading.command(context, tmp_path)


def program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program named ``kind`` on the search path."""
    (folder / "bin").mkdir()
    (folder / "bin" / "kind").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bin" / "kind").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def test_the_archive_is_there_when_the_program_runs(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets its path, and the cluster's name."""
    program(tmp_path, f'echo "$5" > {tmp_path}/name; tar -tf "$3" > {tmp_path}/listed', monkeypatch)
    loading.load(images(), blobs, "kind-dev", tmp_path)
    assert (tmp_path / "name").read_text() == "dev\n"
    assert "manifest.json" in (tmp_path / "listed").read_text().split()


def test_a_failure_is_told_in_the_programs_words(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that failed."""
    program(tmp_path, "echo 'no nodes found for cluster' >&2; exit 1", monkeypatch)
    with pytest.raises(ImageError, match=r"`kind load image-archive .* --name dev` failed: no nodes found for cluster"):
        loading.load(images(), blobs, "kind-dev", tmp_path)


def test_a_missing_program_is_named(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the user's to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs the program 'k3d'"):
        loading.load(images(), blobs, "k3d-dev", tmp_path)
