"""Where the files of ``k8s/`` are found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paddock import resources

if TYPE_CHECKING:
    import pytest


def test_a_checkout_finds_them_beside_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a checkout ``k8s/`` is the one that is edited."""
    package = tmp_path / "runner" / "paddock"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.k8s_folder() == tmp_path / "k8s"


def test_a_wheel_finds_them_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package does not look outside of itself, whatever lies there."""
    package = tmp_path / "site-packages" / "paddock"
    (package / "_k8s").mkdir(parents=True)
    (tmp_path / "k8s").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.k8s_folder() == package / "_k8s"


def test_they_are_there() -> None:
    """However Paddock was installed for this run, its manifests and the node's pins came with it."""
    assert {path.name for path in resources.k8s_folder().iterdir()} >= {"images", "namespace", "node"}


def test_the_folder_is_absolute() -> None:
    """It is handed to processes that run elsewhere."""
    assert resources.k8s_folder() == Path(resources.k8s_folder()).resolve()
