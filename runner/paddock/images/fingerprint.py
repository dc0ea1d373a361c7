"""The content key of an environment: equal for equal distributions, whenever and however often they were installed.

Times and bytecode stay out of it, so that a virtual environment that is made anew gives the same image. It reads the
records that installers leave, not the files themselves: it stands on the start path of every run.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from paddock.images.environment import Environment

_KEY_LENGTH = 32  # hexadecimal digits; 128 bits, and a tag that fits a terminal line
_IGNORED = frozenset({"__pycache__"})
_LARGE = 1 << 16
"""Bytes above which a file outside all records is told apart by size and time instead of content."""


def key_of(*parts: str | bytes) -> str:
    """Return the key of several parts; their boundaries count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:_KEY_LENGTH]


def interpreter(environment: Environment) -> str:
    """Return the key of the interpreter: where it lies, its version and build, and the file itself by size and time."""
    real = environment.base_executable.resolve()
    status = real.stat()
    identity = f"{real} {environment.base_prefix} {environment.version} {status.st_size} {status.st_mtime_ns}"
    return key_of("interpreter", identity, *_names(environment.base_prefix / "conda-meta", ".json"))


def packages(environment: Environment) -> str:
    """Return the key of the installed distributions and the files beside them."""
    parts = [str(environment.executable), str(environment.prefix), _content(environment.prefix / "pyvenv.cfg")]
    for site in environment.sites:
        parts += [str(site), *site_folder(site)]
    return key_of("packages", *parts)


def site_folder(site: Path) -> Iterator[str]:
    """Yield what decides the content of one folder of distributions, in a stable order."""
    owned: set[str] = set()
    for name in _names(site, ".dist-info"):
        try:
            lines = (site / name / "RECORD").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            continue
        owned.add(name)
        owned.update(line.split("/", 1)[0].split(",", 1)[0] for line in lines)
        yield name
        yield record_key(lines)
    yield from _loose(site, owned)


def record_key(lines: Iterable[str]) -> str:
    """Return the key of a distribution's RECORD; bytecode is not part of it, nor is the order of lines."""
    return key_of(*sorted(line for line in lines if ".pyc," not in line))


def _loose(site: Path, owned: set[str]) -> Iterator[str]:
    """Yield the files of ``site`` that no record names: by content if small, as installers leave on each creation."""
    for entry in sorted(os.scandir(site), key=lambda entry: entry.name):
        if entry.name in owned or entry.name in _IGNORED:
            continue
        yield from _tree(entry) if entry.is_dir(follow_symlinks=False) else (f"{entry.path} {_file(entry)}",)


def _tree(folder: os.DirEntry[str]) -> Iterator[str]:
    """Yield size and time of the files below ``folder``: there may be many, so their content is not read."""
    for entry in sorted(os.scandir(folder.path), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from () if entry.name in _IGNORED else _tree(entry)
        elif not entry.name.endswith(".pyc"):
            yield f"{entry.path} {_stamp(entry)}"


def _file(entry: os.DirEntry[str]) -> str:
    if not entry.is_file() or entry.stat().st_size > _LARGE:
        return _stamp(entry)
    with open(entry.path, "rb") as file:  # noqa: PTH123 - the path comes from a scan
        return hashlib.sha256(file.read()).hexdigest()


def _stamp(entry: os.DirEntry[str]) -> str:
    status = entry.stat(follow_symlinks=False)
    return f"{status.st_size} {status.st_mtime_ns}"


def _names(folder: Path, ending: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(ending))  # noqa: PTH208 - names, not paths
    except (FileNotFoundError, NotADirectoryError):
        return []


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
