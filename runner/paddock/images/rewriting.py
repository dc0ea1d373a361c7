"""Program: rewrite the assertions of pytest's plugins among the modules named on standard input.

A line holds the path of a module and, after tabs, the names of the bytecode that is there already.
pytest rewrites every module of a distribution that has a plugin, and keeps the result beside the module; a worker
cannot keep anything, and would do it again for each run (1.8 s for a large plugin). The result goes into the folder
given as argument; the tag of its file names is printed, nothing where there is no pytest. Run by path with the
interpreter it is for: it imports pytest, of which it needs the rewriter and its writer, which have no public names.
Before version 9.2 pytest checks the source's time, which an image does not keep; then the worker rewrites as ever.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import distributions
from pathlib import Path

_CHUNK = 10


def rewritten_path(folder: str, source: str) -> str:
    """Return where the rewritten module ``source`` lies below ``folder``."""
    return f"{folder}{source}.rewritten"


def plugin_roots() -> tuple[str, ...]:
    """Return the files and folders of the distributions that have a plugin, as pytest chooses them."""
    found = set()
    for distribution in distributions():
        if any(entry.group == "pytest11" for entry in distribution.entry_points):
            for file in distribution.files or ():
                found.add(str(distribution.locate_file(file.parts[0])))
    return tuple(root if root.endswith(".py") else f"{root}/" for root in found)


def _provide(folder: str, source: str) -> None:
    from _pytest.assertion.rewrite import _rewrite_test, _write_pyc_fp  # noqa: PLC0415 - see the module's docstring

    try:
        stamp, code = _rewrite_test(Path(source), None)  # type: ignore[arg-type] # it asks a configuration for one hook
    except (SyntaxError, ValueError, RecursionError, OSError):
        return  # a template, or code of another version: nobody can import it
    target = Path(rewritten_path(folder, source))
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        _write_pyc_fp(file, stamp, code)


def _main() -> None:
    try:
        from _pytest.assertion.rewrite import PYTEST_TAG  # noqa: PLC0415 - a worker's environment may lack pytest
    except ImportError:
        return
    roots = plugin_roots()
    split = (line.split("\t") for line in sys.stdin.read().splitlines())
    wanted = [
        source
        for source, *there in split
        if source.startswith(roots) and f"{Path(source).stem}.{PYTEST_TAG}.pyc" not in there
    ]
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_provide, sys.argv[1]), wanted, chunksize=_CHUNK))
    sys.stdout.write(PYTEST_TAG)


if __name__ == "__main__":
    _main()
