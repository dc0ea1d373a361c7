"""The content key of an environment."""

from __future__ import annotations

import dataclasses
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from paddock.images import fingerprint
from paddock.images.environment import Environment

if TYPE_CHECKING:
    from pathlib import Path

RECORD = (
    "demo/__init__.py,sha256=abc,10\n"
    "demo/__pycache__/__init__.cpython-311.pyc,,\n"
    "demo-1.0.dist-info/METADATA,sha256=def,20\n"
    "demo-1.0.dist-info/RECORD,,\n"
)


def make_venv(root: Path) -> Environment:
    site = root / "lib" / "python3.11" / "site-packages"
    (site / "demo").mkdir(parents=True)
    (site / "demo" / "__init__.py").write_text("value = 1\n")
    (site / "demo-1.0.dist-info").mkdir()
    (site / "demo-1.0.dist-info" / "RECORD").write_text(RECORD)
    (site / "_virtualenv.py").write_text("import os\n")
    (root / "pyvenv.cfg").write_text("home = /usr/bin\n")
    return dataclasses.replace(Environment.current(), executable=root / "bin" / "python", prefix=root, sites=(site,))


@pytest.fixture
def venv(tmp_path: Path) -> Environment:
    """A virtual environment with one distribution."""
    return make_venv(tmp_path / "venv")


def test_a_venv_that_is_made_anew_has_the_same_key(venv: Environment) -> None:
    """Session runners recreate environments: the image must not be made again for that."""
    key = fingerprint.packages(venv)
    shutil.rmtree(venv.prefix)
    again = make_venv(venv.prefix)
    for path in venv.prefix.rglob("*"):
        os.utime(path, (1, 1))
    assert fingerprint.packages(again) == key


def test_bytecode_does_not_count(venv: Environment) -> None:
    """Importing a module writes bytecode and some installers record it; neither changes what is installed."""
    key = fingerprint.packages(venv)
    cached = venv.sites[0] / "__pycache__"
    cached.mkdir()
    (cached / "_virtualenv.cpython-311.pyc").write_bytes(b"\0")
    record = venv.sites[0] / "demo-1.0.dist-info" / "RECORD"
    record.write_text("\n".join(reversed([line for line in RECORD.splitlines() if ".pyc" not in line])))
    assert fingerprint.packages(venv) == key


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("lib/python3.11/site-packages/demo-1.0.dist-info/RECORD", RECORD.replace("abc", "changed")),
        ("lib/python3.11/site-packages/__editable__.demo.pth", "/somewhere\n"),
        ("lib/python3.11/site-packages/_virtualenv.py", "import sys\n"),
        ("lib/python3.11/site-packages/bare/module.py", ""),
        ("pyvenv.cfg", "home = /elsewhere/bin\n"),
    ],
)
def test_what_changes_the_environment_changes_the_key(venv: Environment, path: str, text: str) -> None:
    """A distribution, a path file, a file without record and the base interpreter are all in the image."""
    key = fingerprint.packages(venv)
    target = venv.prefix / path
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)
    assert fingerprint.packages(venv) != key


def test_folders_without_record_are_told_apart_by_time(venv: Environment) -> None:
    """They may hold thousands of files, whose content cannot be read on every start."""
    bare = venv.sites[0] / "bare"
    bare.mkdir()
    (bare / "module.py").write_text("a = 1\n")
    key = fingerprint.packages(venv)
    os.utime(bare / "module.py", (1, 1))
    assert fingerprint.packages(venv) != key


def test_parts_are_not_confused_with_one_another() -> None:
    """The boundary between two parts counts."""
    assert fingerprint.key_of("ab", "c") != fingerprint.key_of("a", "bc")


def test_another_interpreter_has_another_key(tmp_path: Path) -> None:
    """A rebuilt interpreter at the same path is another one."""
    executable = tmp_path / "python"
    executable.write_bytes(b"one")
    environment = dataclasses.replace(Environment.current(), base_executable=executable, base_prefix=tmp_path)
    key = fingerprint.interpreter(environment)
    executable.write_bytes(b"another")
    assert fingerprint.interpreter(environment) != key
