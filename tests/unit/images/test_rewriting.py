"""Modules of pytest's plugins, rewritten before a worker needs them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from _pytest.assertion.rewrite import PYTEST_TAG, _read_pyc

from paddock.images import rewriting


def place_of(module: str) -> Path:
    """Return the source file of an installed module."""
    found = importlib.util.find_spec(module)
    assert found
    assert found.origin
    return Path(found.origin)


def rewrite(folder: Path, *sources: Path) -> str:
    """Run the program as the image builder does and return what it prints."""
    command = [sys.executable, "-P", rewriting.__file__, str(folder)]
    listed = "\n".join(map(str, sources))
    return subprocess.run(command, input=listed, capture_output=True, text=True, check=True).stdout


def test_pytest_accepts_what_was_rewritten_for_it(tmp_path: Path) -> None:
    """A worker then reads its plugins instead of rewriting them in each run."""
    source = place_of("pytest_timeout")
    assert rewrite(tmp_path, source) == PYTEST_TAG
    assert _read_pyc(source, Path(rewriting.rewritten_path(str(tmp_path), str(source)))) is not None


def test_modules_that_pytest_would_not_rewrite_are_left_alone(tmp_path: Path) -> None:
    """Only distributions with a plugin are rewritten; all others would be made in vain."""
    source = place_of("yaml")
    rewrite(tmp_path, source)
    assert not Path(rewriting.rewritten_path(str(tmp_path), str(source))).exists()


def test_what_cannot_be_parsed_is_passed_over(tmp_path: Path) -> None:
    """Templates among a plugin's files are no modules, and stop nobody."""
    broken = tmp_path / "broken.py"
    broken.write_text("{{ template }} =")
    rewriting._provide(str(tmp_path), str(broken))
    assert not Path(rewriting.rewritten_path(str(tmp_path), str(broken))).exists()
