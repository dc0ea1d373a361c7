"""Installs into a session's virtual environment only when something it depends on has changed.

A reused environment makes the second run start at once; what decides is the content of every input, never a time stamp.
It must not know what the session does afterwards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import nox

_STAMP = "paddock-install.sha256"
_FILE_OPTIONS = {"-r", "--requirement", "-c", "--constraint"}
_BUILD_FILES = ("pyproject.toml", "setup.cfg", "setup.py")
"""An editable install follows its sources by itself; only these decide what is installed beside them."""


def install_when_changed(session: nox.Session, *arguments: str) -> None:
    """Run ``session.install`` unless the environment already holds exactly this.

    The stamp is removed before and written after, so that an interrupted install is done again. Both pip and uv build
    a local folder named on their command line anew, also when its version number stayed the same.
    """
    location = getattr(session.virtualenv, "location", None)
    if location is None:  # `nox --no-venv`: the environment is the user's affair, and nox allows no install into it
        return
    stamp = Path(location) / _STAMP
    wanted = fingerprint(arguments, Path.cwd())
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return
    stamp.unlink(missing_ok=True)
    session.install(*arguments)
    stamp.write_text(wanted, encoding="ascii")


def fingerprint(arguments: Sequence[str], folder: Path) -> str:
    """Return a hash of the arguments and of every local file that they name, directly or through requirement files."""
    digest = hashlib.sha256("\0".join(arguments).encode())
    for path in sorted(set(_inputs(arguments, folder))):
        digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _inputs(arguments: Sequence[str], folder: Path) -> Iterator[Path]:
    for option, value in zip(("", *arguments), arguments, strict=False):
        path = folder / value.partition("[")[0]
        if option in _FILE_OPTIONS and path.is_file():
            yield from _requirement_file(path)
        elif option in {"-e", "--editable"}:
            yield from (path / name for name in _BUILD_FILES if (path / name).is_file())
        elif _is_local_folder(value, folder):
            yield from _sources(path)
        elif path.is_file():
            yield path


def _requirement_file(path: Path) -> Iterator[Path]:
    yield path
    lines = path.read_text(encoding="utf-8").splitlines()
    yield from _inputs([word for line in lines for word in line.partition("#")[0].split()], path.parent)


def _is_local_folder(value: str, folder: Path) -> bool:
    """Tell a path from a distribution's name as pip does: by its separator, or by being a dot."""
    path = value.partition("[")[0]
    return (os.sep in path or path in {".", ".."}) and (folder / path).is_dir()


def _sources(project: Path) -> Iterable[Path]:
    """Return the files a build of ``project`` may read: what git knows or would add, else all that is not hidden."""
    listed = _listed_by_git(project)
    if listed is None:
        visible = (path for top in project.glob("[!.]*") for path in (top, *top.rglob("*")))
        return (path for path in visible if path.is_file() and "__pycache__" not in path.parts)
    return (path for name in listed if name and (path := project / name).is_file())


def _listed_by_git(project: Path) -> list[str] | None:
    """Return ``None`` outside of a work tree, and on a machine without git."""
    if not shutil.which("git"):
        return None
    listed = subprocess.run(
        ["git", "-C", str(project), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    return None if listed.returncode else listed.stdout.decode().split("\0")
