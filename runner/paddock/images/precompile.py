"""Program: compile the modules named on standard input into the folder given as argument.

A line holds the path of a module and, after tabs, the names of the bytecode that is there already.
Run by path with the interpreter the bytecode is for, so it imports the standard library only. Modules that are not
valid for that interpreter (templates, code of other versions) are passed over: they cannot be imported anyway.
"""

from __future__ import annotations

import os
import py_compile
import struct
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CHUNK = 40
_HEADER = 16  # PEP 552: magic number, flags, then either time and size of the source or its hash
_BY_TIME = struct.pack("<L", 0b00)
_UNCHECKED_HASH = struct.pack("<L", 0b01)


def compiled_path(folder: str, source: str) -> str:
    """Return where the bytecode of the module ``source`` lies below ``folder``."""
    return f"{folder}{source}c"


def _provide(folder: str, source: str) -> None:
    if not _reuse(folder, source):
        _compile(folder, source)


def _reuse(folder: str, source: str) -> bool:
    """Take over the bytecode that the installer or an earlier import has left, if it is of this very source."""
    try:
        content, compiled = Path(source).read_bytes(), Path(cache_from_source(source)).read_bytes()
        status = os.stat(source)  # noqa: PTH116 - thousands of files
    except (OSError, ValueError):
        return False
    stamp = struct.pack("<LL", int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
    if compiled[:_HEADER] != MAGIC_NUMBER + _BY_TIME + stamp:
        return False
    Path(compiled_path(folder, source)).write_bytes(
        MAGIC_NUMBER + _UNCHECKED_HASH + source_hash(content) + compiled[_HEADER:]
    )
    return True


def _compile(folder: str, source: str) -> None:
    target, mode = compiled_path(folder, source), py_compile.PycInvalidationMode.UNCHECKED_HASH
    try:
        py_compile.compile(source, cfile=target, doraise=True, invalidation_mode=mode, quiet=2)
    except (py_compile.PyCompileError, ValueError, RecursionError):
        return


def lacking(lines: Iterable[str], name: Callable[[str], str]) -> list[str]:
    """Return the modules of ``lines`` that do not have the bytecode that ``name`` says."""
    split = (line.split("\t") for line in lines)
    return [source for source, *there in split if name(source) not in there]


def _main() -> None:
    sources = lacking(sys.stdin.read().splitlines(), lambda source: os.path.basename(cache_from_source(source)))  # noqa: PTH119 - thousands
    for parent in {os.path.dirname(compiled_path(sys.argv[1], source)) for source in sources}:  # noqa: PTH120 - thousands
        os.makedirs(parent, exist_ok=True)  # noqa: PTH103 - see above
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_provide, sys.argv[1]), sources, chunksize=_CHUNK))


if __name__ == "__main__":
    _main()
