"""Where finished images go, and under which names pods find them there."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from paddock import specs
from paddock.errors import ImageError
from paddock.images import registry
from paddock.images.destinations import AnyRegistry, LocalCluster, NodeRegistry

if TYPE_CHECKING:
    from pathlib import Path


def images(prefix: str) -> specs.Images:
    return specs.Images(worker=f"{prefix}/worker:w", broker=f"{prefix}/broker:b", database=f"{prefix}/database:d")


class Maker:
    """Keeps what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def push(self, *arguments: object) -> None:
        self.asked.append(("push", *arguments[1:]))

    def load(self, *arguments: object) -> None:
        self.asked.append(("load", *arguments[1:]))


def test_pods_pull_from_the_name_that_nodes_know(tmp_path: Path) -> None:
    """It stands in place of the one that images were pushed to, path and all."""
    to = AnyRegistry("localhost:5000/team", lambda: tmp_path, "registry.k3d:5000/team")
    assert to.in_pods(images(to.prefix)) == images("registry.k3d:5000/team")
    to = AnyRegistry("registry.example.org", lambda: tmp_path)
    assert to.in_pods(images(to.prefix)) == images("registry.example.org")


def test_loaded_images_are_never_pulled() -> None:
    """Their name is nobody's registry, so a pull could only fail, later and in other words."""
    to = LocalCluster("kind-dev", set)
    assert to.in_pods(images(to.prefix)).pull == "Never"
    assert AnyRegistry("r.example.org", lambda: pytest.fail("asked")).in_pods(images("r.example.org")).pull != "Never"
    assert NodeRegistry("r:5", lambda: pytest.fail("asked")).in_pods(images("r:5/paddock")).pull != "Never"


def test_only_what_a_cluster_lacks_is_brought() -> None:
    """Loading a gigabyte for nothing takes half a minute."""
    made, maker = images(LocalCluster.prefix), Maker()
    to = LocalCluster("kind-dev", lambda: {made.broker, made.database, "registry.k8s.io/pause:3.10"})
    missing = to.missing((made.worker, made.broker, made.database))
    assert missing == [made.worker]
    to.bring(maker, made, missing)  # type: ignore[arg-type] # it is only handed on
    assert maker.asked == [("load", "kind-dev", [made.worker])]


def client(folder: Path, text: str) -> Path:
    """Write an image client that answers by ``text``, a shell script with the reference in ``$2``."""
    program = folder / "crane"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


def test_any_registry_is_asked_by_its_client(tmp_path: Path) -> None:
    """What it does not have is missing, and what it refuses to tell of too: some do so for what is not there yet."""
    script = """case "$1 $2" in
        'digest '*worker*) echo sha256:1;;
        'digest '*broker*) echo 'MANIFEST_UNKNOWN: manifest unknown' >&2; exit 1;;
        *) echo 'DENIED: permission denied' >&2; exit 1;;
    esac"""
    to = AnyRegistry("registry.example.org/team", lambda: client(tmp_path, script))
    made, maker = images(to.prefix), Maker()
    missing = to.missing((made.worker, made.broker, made.database))
    assert missing == [made.broker, made.database]
    to.bring(maker, made, missing)  # type: ignore[arg-type] # it is only handed on
    assert maker.asked == [("push", tmp_path / "crane", missing)]


def test_a_registry_that_does_not_answer_is_told(tmp_path: Path) -> None:
    """Its client's words say why; nothing is made for a registry that cannot take it."""
    crane = client(tmp_path, "echo 'dial tcp: lookup nowhere: no such host' >&2; exit 1")
    with pytest.raises(ImageError, match=r"registry of nowhere\.example/worker:w cannot be asked: dial tcp"):
        registry.missing_anywhere(crane, ["nowhere.example/worker:w"])


def test_a_registry_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client tries again and again."""

    def run(command: list[str], **arguments: Any) -> Any:
        raise subprocess.TimeoutExpired(command, arguments["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ImageError, match=r"Asking the registry for r/worker:w took longer than 60 s"):
        registry.missing_anywhere(tmp_path, ["r/worker:w"])
