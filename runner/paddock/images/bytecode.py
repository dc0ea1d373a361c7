"""Bytecode for the modules of a layer, so that a worker does not compile what it imports.

A worker cannot keep what it compiles (its image is read-only) and imports a few hundred modules before its first test.
The bytecode carries no time and is not checked against its source: both come from the same image. Modules of pytest's
plugins have a second one, with their assertions rewritten.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from paddock.errors import ImageError
from paddock.images import precompile, rewriting
from paddock.images.layers import Entry, File, Slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from paddock.images.environment import Environment


_SUITES = re.compile(r"/(site|dist)-packages/.*/tests/test_[^/]*$")
"""Suites that distributions bring along: half of the modules of numpy, and no project imports them."""
_TAG = str(sys.implementation.cache_tag)


def entries(
    sources: Mapping[str, Entry], environment: Environment, scratch: Path, earlier: Mapping[str, Entry] | None = None,
) -> dict[str, Entry]:  # fmt: skip
    """Compile the modules among ``sources`` into the folder ``scratch`` and return the entries of the bytecode.

    A module that is a slice of an ``earlier`` layer is unchanged since, so its bytecode is taken from there as well.

    Raises:
        ImageError: the compiler could not run.
    """
    modules = {place: environment.here(place) for place, entry in sources.items() if is_module(place, entry)}
    there = _there(earlier or {}, (place for place in modules if isinstance(sources[place], Slice)))
    listed = "\n".join("\t".join((str(path), *there.get(place, ()))) for place, path in modules.items())
    _run(precompile.__file__, environment.executable, listed, scratch)
    pytest_tag = _run(rewriting.__file__, environment.executable, listed, scratch)
    found: dict[str, Entry] = {}
    for place, path in modules.items():
        here = there.get(place, {})
        for tag, made in ((_TAG, precompile.compiled_path), (pytest_tag, rewriting.rewritten_path)):
            target, file = _place(place, tag), Path(made(str(scratch), str(path)))
            if kept := here.get(PurePosixPath(target).name):
                found[target] = kept
            elif file.is_file():
                found[target] = File(file)
    return found


def anywhere(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the bytecode among ``entries`` that serves at another path too: what the interpreter itself compiles."""
    return {place: entry for place, entry in entries.items() if place.endswith(f".{_TAG}.pyc")}


def _there(earlier: Mapping[str, Entry], modules: Iterable[str]) -> dict[str, dict[str, Entry]]:
    """Return the bytecode that ``earlier`` has of ``modules``: place of the module -> name -> entry."""
    found: dict[str, dict[str, Entry]] = {module: {} for module in modules}
    for place, entry in earlier.items():
        folder, _, name = place.rpartition("/__pycache__/")
        module = f"{folder}/{name.partition('.')[0]}.py"
        if folder and module in found:
            found[module][name] = entry
    return found


def _run(program: str, executable: Path, sources: str, scratch: Path) -> str:
    # The same hash seed each time: sets among a module's constants are written in the order of their hashes.
    command = [str(executable), "-P", program, str(scratch)]
    others = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = others | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, input=sources, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise ImageError(f"Compiling the modules of {executable} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def is_module(place: str, entry: Entry) -> bool:
    """Tell whether an entry is a module of Python that somebody may import."""
    return isinstance(entry, File | Slice) and place.endswith(".py") and not _SUITES.search(place)


def _place(module: str, tag: str) -> str:
    path = PurePosixPath(module)
    return str(path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc")
