"""Bytecode for the modules of a layer, so that a worker does not compile what it imports.

A worker cannot keep what it compiles (its image is read-only) and imports a few hundred modules before its first test.
The bytecode carries no time and is not checked against its source: both come from the same image. Modules of pytest's
plugins have a second one, with their assertions rewritten.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from paddock.errors import ImageError
from paddock.images import precompile, rewriting
from paddock.images.layers import Entry, File

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.images.environment import Environment


_TAG = str(sys.implementation.cache_tag)


def entries(sources: Mapping[str, Entry], environment: Environment, scratch: Path) -> dict[str, Entry]:
    """Compile the modules among ``sources`` into the folder ``scratch`` and return the entries of the bytecode.

    Raises:
        ImageError: the compiler could not run.
    """
    modules = {place: environment.here(place) for place, entry in sources.items() if _is_module(place, entry)}
    listed = "\n".join(map(str, modules.values()))
    _run(precompile.__file__, environment.executable, listed, scratch)
    pytest_tag = _run(rewriting.__file__, environment.executable, listed, scratch)
    compiled: dict[str, Path] = {}
    for place, path in modules.items():
        compiled[_place(place, _TAG)] = Path(precompile.compiled_path(str(scratch), str(path)))
        compiled[_place(place, pytest_tag)] = Path(rewriting.rewritten_path(str(scratch), str(path)))
    return {place: File(path) for place, path in compiled.items() if path.is_file()}


def _run(program: str, executable: Path, sources: str, scratch: Path) -> str:
    # The same hash seed each time: sets among a module's constants are written in the order of their hashes.
    command = [str(executable), "-P", program, str(scratch)]
    others = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = others | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, input=sources, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise ImageError(f"Compiling the modules of {executable} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def _is_module(place: str, entry: Entry) -> bool:
    return isinstance(entry, File) and place.endswith(".py")


def _place(module: str, tag: str) -> str:
    path = PurePosixPath(module)
    return str(path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc")
