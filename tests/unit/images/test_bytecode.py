"""Bytecode of a layer."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import py_compile
import sys
from pathlib import Path

import pytest

from paddock.images import bytecode
from paddock.images.environment import Environment
from paddock.images.layers import Entry, File

UNCHECKED_HASH = b"\x01\0\0\0"


@pytest.fixture
def here() -> Environment:
    """The running interpreter, whose files lie at their own path."""
    current = Environment.current()
    return dataclasses.replace(current, prefix=current.base_prefix)


def compiled(folder: Path, here: Environment) -> dict[str, bytes]:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    sources: dict[str, Entry] = {str(path).strip("/"): File(path) for path in sorted(folder.glob("*.py"))}
    made = bytecode.entries(sources, here, scratch)
    assert all(isinstance(entry, File) for entry in made.values())
    return {Path(place).name: entry.source.read_bytes() for place, entry in made.items() if isinstance(entry, File)}


def test_bytecode_is_never_checked_against_its_source(tmp_path: Path, here: Environment) -> None:
    """All times in an image are the same: bytecode by time would be taken for stale, or worse, for fresh."""
    (tmp_path / "module.py").write_text("value = {1, 2, 'three'}\n")
    made = compiled(tmp_path, here)[f"module.{sys.implementation.cache_tag}.pyc"]
    assert made[:8] == importlib.util.MAGIC_NUMBER + UNCHECKED_HASH
    assert made[8:16] == importlib.util.source_hash((tmp_path / "module.py").read_bytes())


def test_valid_bytecode_is_taken_over(tmp_path: Path, here: Environment) -> None:
    """Installers have compiled most modules already: compiling again would be most of the time."""
    source = tmp_path / "module.py"
    source.write_text("value = 1\n")
    left = py_compile.compile(str(source), doraise=True)
    assert left is not None
    marked = Path(left).read_bytes()[:-1] + b"!"  # told apart from what the compiler would write
    Path(left).write_bytes(marked)
    assert compiled(tmp_path, here)[Path(left).name][16:] == marked[16:]


def test_stale_bytecode_is_not_taken_over(tmp_path: Path, here: Environment) -> None:
    """The source was changed after it had been compiled."""
    source = tmp_path / "module.py"
    source.write_text("value = 1\n")
    left = py_compile.compile(str(source), doraise=True)
    assert left is not None
    stale = Path(left).read_bytes()[:-1] + b"!"
    Path(left).write_bytes(stale)
    os.utime(source, (1, 1))
    assert compiled(tmp_path, here)[Path(left).name][16:] != stale[16:]


def test_modules_of_other_versions_are_passed_over(tmp_path: Path, here: Environment) -> None:
    """Distributions carry templates and code for other releases: the image is made without their bytecode."""
    (tmp_path / "old.py").write_text("print 'hello'\n")
    (tmp_path / "null.py").write_bytes(b"\0")
    (tmp_path / "good.py").write_text("")
    assert list(compiled(tmp_path, here)) == [f"good.{sys.implementation.cache_tag}.pyc"]


@pytest.mark.parametrize(
    ("place", "is_compiled"),
    [
        ("venv/lib/python3.11/site-packages/numpy/core/tests/test_numeric.py", False),
        ("venv/lib/python3.11/site-packages/django/test/client.py", True),
        ("venv/lib/python3.11/site-packages/numpy/tests/support.py", True),
        ("root/python/lib/python3.11/tests/test_it.py", True),
        ("venv/lib/python3.11/site-packages/data.txt", False),
    ],
)
def test_suites_of_distributions_are_not_compiled(place: str, is_compiled: bool) -> None:  # noqa: FBT001 - a column of the table
    """They can be half of a distribution, and a worker imports none of them; what others import they keep."""
    assert bytecode.is_module(place, File(Path())) is is_compiled
