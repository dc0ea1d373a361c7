"""Worker images of the kinds of Python that people have, with compiled extensions and an editable install.

Each is made for a real interpreter, unpacked, and started as a pod would. Where the distributor's own build cannot be
had, as from a package registry alone, a copy of this machine's interpreter lies in the folders that the distributor
uses: what is shown is the layout, not that build.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock import node
from paddock.images.environment import Environment
from tests.plugins.images import answered, linked_cache, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="base images are installed as root"),
]

RUNNER = Path(__file__).resolve().parents[2] / "runner"
DISTRIBUTIONS = ["pytest", "pytest-xdist", "psycopg[binary]", "numpy"]
ENSURE = """
import json, sys
from pathlib import Path
from paddock import images
host, cache, crane, root = sys.argv[1:]
made, python = images.ensure(
    host, crane=lambda: Path(crane), inpod={}, uid=1000, report=lambda line: None, roots=[Path(root)], cache=Path(cache)
)
print(json.dumps([made.worker, str(python.executable), sys.prefix]))
"""
LOOK = """
import json, sqlite3, ssl, sys
import numpy, psycopg, pytest, xdist
import editable_project
print(json.dumps({
    "prefix": sys.prefix,
    "version": sys.version,
    "sum": int(numpy.arange(4).sum()),
    "libpq": psycopg.pq.__impl__,
    "project": editable_project.__file__,
}))
"""


@dataclass(frozen=True)
class Python:
    """An interpreter with room for distributions of its own."""

    executable: Path
    prefix: Path


def uv(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *map(str, arguments)], check=True)


def environment(folder: Path, interpreter: Path) -> Python:
    """Make a virtual environment of an interpreter."""
    uv("venv", "--python", interpreter, folder / "venv")
    return Python(folder / "venv" / "bin" / "python", folder / "venv")


def copied(prefix: Path) -> Python:
    """Copy the running interpreter, with its standard library only, to a prefix of its own."""
    running = Environment.current()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = ("__pycache__", "test", "site-packages", "dist-packages", "config-*", "idlelib")
    unwanted = shutil.ignore_patterns(*folders, "EXTERNALLY-MANAGED")  # which the distribution says of its own place
    for library in running.stdlib:
        place = prefix / "lib" / version / ("lib-dynload" if library.name == "lib-dynload" else "")
        shutil.copytree(library, place, ignore=unwanted, dirs_exist_ok=True)
    (prefix / "lib" / version / "site-packages").mkdir()
    (prefix / "bin").mkdir()
    shutil.copy2(running.base_executable.resolve(), prefix / "bin" / version)
    for library in (running.base_prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, prefix / "lib", follow_symlinks=False)
    for name in ("python", "python3"):
        (prefix / "bin" / name).symlink_to(version)
    return Python(prefix / "bin" / "python", prefix)


def in_a_virtual_environment(folder: Path) -> Python:
    """As pyenv's, or whichever runs the tests: a virtual environment of the interpreter that runs this."""
    return environment(folder, Environment.current().base_executable)


def of_another_pyenv(folder: Path) -> Python:
    """Another release that pyenv built, so nothing can come from the interpreter that runs this."""
    versions = sorted(Path.home().glob(".pyenv/versions/3.1[2-9]*/bin/python"))
    if not versions:
        pytest.skip("this machine has no second Python of pyenv's")
    return environment(folder, versions[-1])


def of_debian(folder: Path) -> Python:
    """The distribution's Python, whose prefix /usr it shares with everything else."""
    found = Path("/usr/bin/python3")
    if (
        not found.exists()
        or subprocess.run([found, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False).returncode
    ):
        pytest.skip("this machine has no Python 3.11 of its distribution")
    return environment(folder, found)


def in_uvs_folders(folder: Path) -> Python:
    """As uv installs: a prefix of its own, through a link that names only the minor version, below a hidden folder."""
    real = folder / "home" / ".local" / "share" / "uv" / "python" / "cpython-3.99.1-linux-x86_64-gnu"
    link = real.with_name("cpython-3.99-linux-x86_64-gnu")
    name = copied(real).executable.name
    link.symlink_to(real.name)
    return environment(folder, link / "bin" / name)


def in_condas_folders(folder: Path) -> Python:
    """As conda makes environments: no virtual environment, everything in one prefix, and records of its own."""
    made = copied(folder / "conda" / "envs" / "suite")
    (made.prefix / "conda-meta").mkdir()
    (made.prefix / "conda-meta" / "python-3.99.1-0_cpython.json").write_text('{"name": "python"}')
    return made


KINDS = [in_a_virtual_environment, of_another_pyenv, of_debian, in_uvs_folders, in_condas_folders]


def editable_project(folder: Path) -> Path:
    """Make a project with its sources in a folder of their own."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "editable_project.py").write_text("value = 1\n")
    (folder / "pyproject.toml").write_text('[project]\nname = "editable-project"\nversion = "1"\n')
    return folder


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_image_of_each_kind_of_python_works(
    kind: Callable[[Path], Python], registry: str, scratch: Path, tmp_path: Path
) -> None:
    """The same interpreter at the same prefix, compiled distributions, and the editable project beside its sources."""
    python = kind(tmp_path)
    project = editable_project(tmp_path / "project")
    uv("pip", "install", "--python", python.executable, "--link-mode=copy", *DISTRIBUTIONS, "-e", project)
    crane, cache = node.tool("crane"), linked_cache(scratch / "python-cache")
    command = [str(part) for part in (python.executable, "-c", ENSURE, registry, cache, crane, project)]
    said = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(RUNNER)}
    )
    reference, executable, prefix = json.loads(said.stdout)
    assert (Path(executable), Path(prefix)) == (python.executable, python.prefix)
    root = unpacked(reference, scratch / f"root-{kind.__name__}")
    shutil.copytree(project, root / str(project).lstrip("/"), dirs_exist_ok=True)  # as the sources of a run
    found = json.loads(answered(root, 1000, executable, "-c", textwrap.dedent(LOOK)))
    assert found == {
        "prefix": prefix,
        "version": subprocess.check_output([executable, "-c", "import sys; print(sys.version)"], text=True).rstrip(),
        "sum": 6,
        "libpq": "binary",
        "project": str(project / "src" / "editable_project.py"),
    }
