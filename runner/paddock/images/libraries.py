"""Shared libraries: which ones the interpreter and its extension modules load that the base layer does not have.

Asks ``ldd``, since only the loader knows its own search. Libraries opened by name while running are not seen.
"""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.images.layers import Entry, File, Link, canonical, readable_mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_RESOLVED = re.compile(r"^\t(?:(?P<name>\S+) => )?(?P<path>/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_OBJECT = re.compile(r"\.so(\.\d+)*$")
_BATCH = 100
"""Files per call: a call costs more than a file, and a command line has a limit."""
_LIBC = "libc.so.6"


def parse(output: str) -> dict[str, Path]:
    """Return the libraries that ``ldd`` found: name as asked for -> path as found.

    Its lines for the kernel's own object, for what is not found and for files that are not dynamic are left out.
    """
    found = ((match["name"], match["path"]) for match in _RESOLVED.finditer(output))
    return {posixpath.basename(name or path): Path(path) for name, path in found}


def needed(binaries: Iterable[Path]) -> dict[str, Path]:
    """Return the libraries that ``binaries`` load, with all that those load: name -> path on this machine."""
    paths = [str(path) for path in binaries]
    batches = (paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH))
    return {name: path for batch in batches for name, path in parse(_ldd(batch)).items()}


def extensions(selected: Mapping[str, Entry]) -> list[Path]:
    """Return the files among ``selected`` that can be shared objects, by their names."""
    return [entry.source for place, entry in selected.items() if isinstance(entry, File) and _OBJECT.search(place)]


def entries(libraries: Mapping[str, Path], below: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the entries for those of ``libraries`` that are not in the image yet, of which ``below`` is the listing.

    A library from a folder that is only in this machine's loader cache also gets a link in the standard folder,
    where the loader looks without a cache.
    """
    links = {path: entry.target for path, entry in below.items() if isinstance(entry, Link)}
    standard = canonical(str(libraries[_LIBC].parent), links) if _LIBC in libraries else "usr/lib"
    result: dict[str, Entry] = {}
    for name, path in libraries.items():
        place = canonical(str(path), links)
        if place in below or canonical(str(path.resolve()), links) in below:
            continue
        result |= _library(path, place, links)
        if f"{standard}/{name}" not in below and f"{standard}/{name}" not in result:
            result[f"{standard}/{name}"] = Link(f"/{place}")
    return result


def _library(path: Path, place: str, links: Mapping[str, str]) -> dict[str, Entry]:
    real = path.resolve()
    real_place = canonical(str(real), links)
    file = File(real, readable_mode(real.stat().st_mode))
    return {real_place: file} if real_place == place else {real_place: file, place: Link(f"/{real_place}")}


def _ldd(paths: list[str]) -> str:
    # ldd exits with 1 when one of the files is not dynamic, which is no fault here.
    done = subprocess.run(
        ["ldd", "--", *paths], capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"}
    )
    return done.stdout
