"""Layers of packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from paddock.errors import UsageError
from paddock.images import distribution, release
from paddock.images.layers import Directory, File, Link

BOOKWORM = release.Release(distribution="debian", codename="bookworm", machine="x86_64")


def test_dropped_paths_do_not_get_into_the_layer(tmp_path: Path) -> None:
    """Documentation and lists are half of a distribution; the folder itself may stay."""
    for name in ("usr/share/doc/bash/README", "usr/bin/bash"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert set(distribution.tree(tmp_path, ["/usr/share/doc/*"])) == {
        "usr",
        "usr/bin",
        "usr/bin/bash",
        "usr/share",
        "usr/share/doc",
    }


def test_modes_are_kept_but_for_those_that_change_the_user(tmp_path: Path) -> None:
    """``/tmp`` is writable for everyone, and no program runs as somebody else."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    (tmp_path / "su").touch()
    (tmp_path / "su").chmod(0o4755)
    (tmp_path / "bin").symlink_to("usr/bin")
    assert distribution.tree(tmp_path) == {
        "bin": Link("usr/bin"),
        "su": File(tmp_path / "su", 0o755),
        "tmp": Directory(0o1777),
    }


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="builds a package with dpkg-deb")
def test_a_package_is_unpacked_through_the_links_of_the_base(tmp_path: Path) -> None:
    """A package with a real ``lib`` does not replace the link, and leaves a note for image scanners."""
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "DEBIAN" / "control").write_text(
        "Package: demo\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: demo\n",
    )
    (source / "lib").mkdir()
    (source / "lib" / "libdemo.so").touch()
    (target / "usr" / "lib").mkdir(parents=True)
    (target / "lib").symlink_to("usr/lib")
    package = tmp_path / "demo_1_all.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", source, package], check=True, stdout=subprocess.DEVNULL
    )
    distribution._extract(package, target)
    assert (target / "lib").is_symlink()
    assert (target / "usr" / "lib" / "libdemo.so").is_file()
    assert "Package: demo" in (target / "var/lib/dpkg/status.d/demo").read_text()


def test_whoever_is_not_root_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sentence says what would help, before anything is downloaded."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="root"):
        distribution.build(BOOKWORM, tmp_path, tmp_path, print)


def test_all_layers_have_a_recipe() -> None:
    """The file that names the packages is read as it is shipped."""
    path = Path(__file__).parents[3] / "k8s" / "images" / "packages.yaml"
    assert set(distribution._read(path)) == {"base", "broker", "database"}
