"""Program: compile the modules named on standard input into the folder given as argument.

Run by path with the interpreter the bytecode is for, so it imports the standard library only. Modules that are not
valid for that interpreter (templates, code of other versions) are passed over: they cannot be imported anyway.
"""

from __future__ import annotations

import os
import py_compile
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

_CHUNK = 40


def compiled_path(folder: str, source: str) -> str:
    """Return where the bytecode of the module ``source`` lies below ``folder``."""
    return f"{folder}{source}c"


def _compile(folder: str, source: str) -> None:
    target = compiled_path(folder, source)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    try:
        py_compile.compile(source, cfile=target, doraise=True, invalidation_mode=mode, quiet=2)
    except (py_compile.PyCompileError, ValueError, RecursionError):
        return


def _main() -> None:
    sources = sys.stdin.read().splitlines()
    for parent in {os.path.dirname(compiled_path(sys.argv[1], source)) for source in sources}:  # noqa: PTH120 - thousands
        os.makedirs(parent, exist_ok=True)  # noqa: PTH103 - see above
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_compile, sys.argv[1]), sources, chunksize=_CHUNK))


if __name__ == "__main__":
    _main()
