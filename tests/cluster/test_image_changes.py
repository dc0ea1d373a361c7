"""A changed environment in a real pod: what was added is there, and what was removed is not."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.plugin.running import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
from importlib.util import find_spec

def test_what_is_installed():
    assert [name for name in ("colorlog", "six") if find_spec(name)] == {expected!r}
"""


@pytest.fixture
def project() -> Iterator[Path]:
    """A project folder with a virtual environment that has Paddock in it."""
    with tempfile.TemporaryDirectory(prefix="paddock-changes-") as folder:
        uv("venv", "--python", sys.executable, f"{folder}/.venv")
        uv("pip", "install", "--python", f"{folder}/.venv/bin/python", str(ROOT), "colorlog")
        yield Path(folder)


def uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *arguments], check=True)


def run(project: Path, *expected: str) -> str:
    """Run a test that finds the ``expected`` distributions in its pod, and return what the run said."""
    (project / "test_changes.py").write_text(SUITE.format(expected=list(expected)))
    command = [str(project / ".venv/bin/python"), "-m", "pytest", "--paddock", "-n", "1", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=project, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_pod_has_what_was_added_and_not_what_was_removed(project: Path) -> None:
    """The container runtime puts the layer with the changes on the earlier one as the image specification says."""
    assert "making the packages layer" in run(project, "colorlog")
    python = str(project / ".venv/bin/python")
    uv("pip", "uninstall", "--python", python, "colorlog")
    uv("pip", "install", "--python", python, "six")
    assert "making the packages layer" in run(project, "six")
