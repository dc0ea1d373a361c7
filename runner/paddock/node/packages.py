"""Takes the distribution's programs that the node needs: from PATH, else from Debian packages unpacked into the cache.

Packages are downloaded and unpacked, never installed: a machine's services and package list stay as they are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import NodeError
from paddock.node.locking import locked
from paddock.node.places import cache_folder
from paddock.resources import k8s_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PROGRAMS = ("runc", "nft")
_NEW_PACKAGE = re.compile(r"^Inst (\S+)", re.MULTILINE)


def system_programs(report: Callable[[str], None]) -> Path:
    """Return a folder with ``runc`` and ``nft``.

    Raises:
        NodeError: they are not on PATH and this is no system with apt-get, or the download failed.
    """
    folder = system_folder()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.parent / "system.lock"), tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            if not folder.is_dir():
                _collect(Path(temporary), report).rename(folder)
    return folder


def system_folder() -> Path:
    """Return where the distribution's programs lie once they are there."""
    return cache_folder() / "node" / "system"


def purposes(text: str) -> dict[str, str]:
    """Return package -> what it is for, from the text of a package list: ``name  # purpose`` per line."""
    lines = (line.partition("#") for line in text.splitlines())
    return {name.strip(): purpose.strip() for name, _, purpose in lines if name.strip()}


def _collect(temporary: Path, report: Callable[[str], None]) -> Path:
    """Fill a folder with the programs; the packages' own files lie in ``files`` beside them."""
    folder = temporary / "system"
    folder.mkdir()
    if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
        _unpack_packages(missing, folder / "files", report)
    for program in _PROGRAMS:
        _provide(program, folder)
    return folder


def _provide(program: str, folder: Path) -> None:
    """Link to the system's program, or start the unpacked one with the libraries that were unpacked with it."""
    if on_path := shutil.which(program):
        (folder / program).symlink_to(on_path)
        return
    unpacked = next(path for path in sorted((folder / "files").glob(f"usr/*bin/{program}")) if path.is_file())
    relative = unpacked.relative_to(folder)
    if "not found" not in subprocess.run(["ldd", unpacked], capture_output=True, text=True, check=False).stdout:
        (folder / program).symlink_to(relative)
        return
    libraries = "$here/files/usr/lib/$(uname -m)-linux-gnu"
    script = f'#!/bin/sh\nhere=$(dirname "$0")\nLD_LIBRARY_PATH={libraries} exec "$here/{relative}" "$@"\n'
    (folder / program).write_text(script)
    (folder / program).chmod(0o755)


def _unpack_packages(missing: Sequence[str], folder: Path, report: Callable[[str], None]) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NodeError(
            f"The node needs {' and '.join(missing)}, not found on PATH, and without apt-get it cannot fetch them. "
            "Install them with the system's package manager (the packages are called runc and nftables).",
        )
    wanted = purposes((k8s_folder() / "node" / "packages.debian").read_text())
    _announce(wanted, report)
    with tempfile.TemporaryDirectory() as downloads:
        Path(downloads).chmod(0o755)  # apt downloads as a user of its own
        _run(["apt-get", "download", *_closure(list(wanted))], downloads)
        for package in Path(downloads).glob("*.deb"):
            _run(["dpkg-deb", "--extract", str(package), str(folder)], downloads)


def _announce(wanted: Mapping[str, str], report: Callable[[str], None]) -> None:
    for package, purpose in wanted.items():
        report(f"fetching the package {package}: {purpose}")


def _closure(wanted: Sequence[str]) -> list[str]:
    """Return the packages with everything they need that this machine lacks, by asking apt what it would install."""
    simulate = ["apt-get", "--simulate", "--no-install-recommends", "install", *wanted]
    try:
        plan = _run(simulate, "/")
    except NodeError:
        _run(["apt-get", "update"], "/")  # a fresh container image has no package lists
        plan = _run(simulate, "/")
    return _NEW_PACKAGE.findall(plan)


def _run(command: Sequence[str], folder: str) -> str:
    outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise NodeError(f"{' '.join(command[:3])} failed: {outcome.stderr.strip() or outcome.returncode}.")
    return outcome.stdout
