"""Redis' own programs for tests on this machine: those that are installed, or else Debian's package, unpacked."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1")
"""With the libraries that a small system lacks; Debian and Ubuntu call them the same."""


@pytest.fixture(scope="session")
def redis_programs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables of an environment in which redis-server and redis-cli are found."""
    if shutil.which("redis-server"):
        return {}
    folder = tmp_path_factory.mktemp("redis")
    _fetch(folder)
    for archive in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)
    libraries = {str(path.parent) for path in folder.rglob("*.so*")}
    return {
        "PATH": os.pathsep.join([str(folder / "usr" / "bin"), os.environ["PATH"]]),
        "LD_LIBRARY_PATH": os.pathsep.join(sorted(libraries)),
    }


def _fetch(folder: Path) -> None:
    """Download the packages; without lists of packages on this machine, those first."""
    command = ["apt-get", "-qq", "download", "-o", "APT::Sandbox::User=root", *_PACKAGES]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
        subprocess.run(["apt-get", "-qq", "update"], capture_output=True, check=True)
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
