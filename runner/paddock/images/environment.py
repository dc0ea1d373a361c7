"""The running Python environment as a value: which interpreter, which prefix, which folders of distributions.

Owns the questions asked of ``sys`` and ``sysconfig``. It must not read the folders it names.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddock import specs

if TYPE_CHECKING:
    from collections.abc import Sequence

VENV = "/opt/paddock/venv"
"""Where a virtual environment lies in the worker image; a link leads there from its own path."""

_SITE_FOLDERS = frozenset({"site-packages", "dist-packages"})
_SHARED_PREFIXES = frozenset({Path("/"), Path("/usr"), Path("/usr/local")})


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One interpreter with its distributions."""

    executable: Path
    """As it was started, but without ``..``; a virtual environment is recognised by this path."""
    base_executable: Path
    """The interpreter a virtual environment was made from; else the same as ``executable``."""
    prefix: Path
    base_prefix: Path
    """``sys.prefix`` and ``sys.base_prefix``: they differ in a virtual environment."""
    version: str
    """``sys.version``: release, build and compiler."""
    stdlib: Sequence[Path]
    """Folders of the standard library: pure and compiled."""
    sites: Sequence[Path]
    """Folders on the import path that hold installed distributions."""
    user_base: Path | None = None
    """Where ``pip install --user`` puts things, if that is on the import path: a pod's home is another one."""

    @classmethod
    def current(cls) -> Environment:
        """Describe the interpreter that runs this."""
        paths = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
        sites = (path for path in map(Path, sys.path) if path.name in _SITE_FOLDERS and path.is_dir())
        return cls(
            executable=_straight(sys.executable),
            base_executable=_straight(getattr(sys, "_base_executable", sys.executable)),
            prefix=Path(sys.prefix),
            base_prefix=Path(sys.base_prefix),
            version=sys.version,
            stdlib=tuple(dict.fromkeys(_base_folder(Path(path)) for path in paths)),
            sites=tuple(dict.fromkeys(sites)),
            user_base=Path(site.getuserbase()) if site.getusersitepackages() in sys.path else None,
        )

    @property
    def is_venv(self) -> bool:
        """Whether this is a virtual environment."""
        return self.prefix != self.base_prefix

    @property
    def owns_prefix(self) -> bool:
        """Whether the interpreter's prefix holds nothing but the interpreter, unlike ``/usr``."""
        return self.base_prefix.resolve() not in _SHARED_PREFIXES

    def links(self) -> dict[str, str]:
        """Return the links that lead to the virtual environment in the image: path -> target.

        Both the path as started and the real one: scripts name either.
        """
        paths = {str(self.prefix), os.path.realpath(self.prefix)} if self.is_venv else set()
        return {path: VENV for path in sorted(paths) if path != VENV}

    def here(self, place: str) -> Path:
        """Return the path on this machine of what lies at ``place`` in the image."""
        inside = f"/{place}".removeprefix(VENV)
        return Path(f"{self.prefix}{inside}") if self.is_venv and inside != f"/{place}" else Path(f"/{place}")

    def in_pod(self) -> specs.PythonEnvironment:
        """Return what the worker pod needs to know."""
        return specs.PythonEnvironment(executable=self.executable, links=self.links())


def _straight(path: str) -> Path:
    """Return ``path`` without ``..``, which leads through folders that the pod lacks: ``../venv/bin/python`` does."""
    normal = os.path.normpath(path)
    is_same = os.path.exists(normal) and os.path.samefile(normal, path)  # noqa: PTH110, PTH121 - beside normpath, which pathlib lacks
    return Path(normal) if is_same else Path(path).parent.resolve() / Path(path).name  # .. went through a link


def _base_folder(path: Path) -> Path:
    """Return ``path`` in the base interpreter: ``platstdlib`` of a virtual environment names its own folder."""
    return Path(sys.base_prefix, path.relative_to(sys.prefix)) if path.is_relative_to(sys.prefix) else path
