"""Which files go into which layer."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from paddock.images import selection, trees
from paddock.images.environment import Environment
from paddock.images.layers import File, Link

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def venv(tmp_path: Path) -> Environment:
    """A virtual environment without distributions, made by the standard library."""
    root = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    site = root / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    current = Environment.current()
    return dataclasses.replace(current, executable=root / "bin/python", prefix=root, sites=(site,))


def test_a_venv_lies_apart_and_is_linked_at_its_own_path(venv: Environment) -> None:
    """The sources' volume hides what lies below the project, so the environment lies elsewhere."""
    made = selection.packages(venv)
    assert isinstance(made["opt/paddock/venv/pyvenv.cfg"], File)
    assert isinstance(made["opt/paddock/venv/bin/python"], Link)
    assert made[str(venv.prefix).strip("/")] == Link("/opt/paddock/venv")
    assert venv.in_pod().links[str(venv.prefix)] == "/opt/paddock/venv"
    assert venv.in_pod().executable == venv.executable


def test_a_venv_reached_through_a_link_is_linked_at_both_paths(venv: Environment, tmp_path: Path) -> None:
    """Scripts name the path of either."""
    (tmp_path / "alias").symlink_to(venv.prefix)
    aliased = dataclasses.replace(venv, prefix=tmp_path / "alias")
    assert set(aliased.links()) == {str(tmp_path / "alias"), os.path.realpath(venv.prefix)}


def test_bytecode_of_this_machine_stays_out(venv: Environment) -> None:
    """It names times of this machine; the image gets bytecode of its own."""
    cached = venv.sites[0] / "__pycache__"
    cached.mkdir()
    (cached / "module.cpython-311.pyc").write_bytes(b"")
    (venv.sites[0] / "orphan.pyc").write_bytes(b"")
    assert not [path for path in selection.packages(venv) if "pyc" in path]


def test_a_file_that_is_a_link_into_an_installer_cache_becomes_a_file(venv: Environment, tmp_path: Path) -> None:
    """The cache is not in the image."""
    (tmp_path / "cached.py").write_text("a = 1\n")
    (venv.sites[0] / "linked.py").symlink_to(tmp_path / "cached.py")
    place = venv.sites[0].relative_to(venv.prefix) / "linked.py"
    assert selection.packages(venv)[f"opt/paddock/venv/{place}"] == File(tmp_path / "cached.py")


def test_editable_installs_stay_references(venv: Environment) -> None:
    """Their target comes with the sources: only the path file is in the image."""
    (venv.sites[0] / "__editable__.demo-1.0.pth").write_text("/project/src\n")
    assert any(path.endswith("__editable__.demo-1.0.pth") for path in selection.packages(venv))


def test_the_interpreter_comes_with_its_library_and_without_its_tests() -> None:
    """The suites of the standard library are a third of it, and nobody runs them in a pod."""
    made = selection.interpreter(Environment.current())
    assert any(path.endswith("/json/decoder.py") for path in made)
    assert any(path.endswith("/test/support/__init__.py") for path in made)
    assert not [path for path in made if path.endswith(("/test/test_json", "/test/test_os.py", ".a", ".pyc"))]
    assert not [path for path in made if "/site-packages/" in path]


def test_every_link_on_the_way_to_a_folder_is_found(tmp_path: Path) -> None:
    """Interpreters are often named through a link that leaves out the patch release."""
    (tmp_path / "cpython-3.11.7" / "bin").mkdir(parents=True)
    (tmp_path / "cpython-3.11").symlink_to("cpython-3.11.7")
    (tmp_path / "python").symlink_to(tmp_path / "cpython-3.11")
    found = trees.links_on_the_way(tmp_path / "python" / "bin")
    place = str(tmp_path).strip("/")
    assert found == {
        f"{place}/python": Link(str(tmp_path / "cpython-3.11")),
        f"{place}/cpython-3.11": Link("cpython-3.11.7"),
    }


def test_sockets_and_pipes_are_left_behind(tmp_path: Path) -> None:
    """A program that runs in the environment may have left one: it cannot be packed, and the build goes on."""
    os.mkfifo(tmp_path / "pipe")
    assert list(trees.entries(tmp_path, "x", selection.skipping(()), ())) == ["x"]
