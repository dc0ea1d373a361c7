"""``paddock history``: look at the times of earlier runs, bring several files together, forget what is gone.

Owns the arguments and what is printed. What a history is, and how it lies on disk, is known to ``paddock.scheduling``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import InfrastructureError, UsageError
from paddock.scheduling.sizing import usage
from paddock.settings.table import BY_NAME

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from paddock.scheduling.history import History
    from paddock.scheduling.sizing import Usage

DEFAULT = Path(BY_NAME["history"].default or "")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``history`` and its commands."""
    parser = subparsers.add_parser("history", help="show, merge and prune the times of tests", description=__doc__)
    commands = parser.add_subparsers(dest="history_command", required=True, metavar="COMMAND")
    shown = commands.add_parser("show", help="print the tests and what they are expected to take, longest first")
    shown.add_argument("file", nargs="?", type=Path, default=DEFAULT, help="default: %(default)s")
    shown.set_defaults(handler=_show)
    merged = commands.add_parser("merge", help="bring the files of several runs together")
    merged.add_argument("files", nargs="+", type=Path, metavar="FILE")
    merged.add_argument("-o", "--output", type=Path, default=DEFAULT, help="the result (default: %(default)s)")
    merged.set_defaults(handler=_merge)
    pruned = commands.add_parser("prune", help="forget tests whose file is gone, and those not measured for 90 days")
    pruned.add_argument("file", nargs="?", type=Path, default=DEFAULT, help="default: %(default)s")
    pruned.add_argument("--root", type=Path, default=Path(), help="folder that tests' files are in (default: this one)")
    pruned.set_defaults(handler=_prune)


def _read(path: Path) -> History:
    from paddock.scheduling.history_file import load  # noqa: PLC0415 - a wrong command need not wait for it

    if not path.exists():
        raise UsageError(f"There is no history {path}: a run with --paddock makes one, or name another file.")
    loaded = load(path)
    if not loaded.writable or (loaded.broken and not loaded.history.samples):
        raise UsageError(loaded.complaint)
    if loaded.complaint:
        sys.stderr.write(f"paddock: {loaded.complaint}\n")
    return loaded.history


def _write(path: Path, content: History) -> None:
    from paddock.scheduling.history_file import write  # noqa: PLC0415 - as above

    try:
        write(path, content)
    except OSError as error:
        reason = error.strerror or error
        raise InfrastructureError(f"The history {path} cannot be written ({reason}): nothing was changed.") from None


def _show(options: argparse.Namespace) -> int:
    history = _read(options.file)
    sys.stdout.writelines(f"{line}\n" for line in lines(history))
    return 0


def lines(history: History) -> Iterator[str]:
    """Yield a line for each test, longest first; a file stands for what its tests share."""
    expected = {name: history.expected(name) or 0.0 for name in history.samples if not name.startswith("::")}
    for name, seconds in sorted(expected.items(), key=lambda one: (-one[1], one[0])):
        runs = len(history.samples[name])
        yield f"{seconds:9.3f} s  {name}{'' if '::' in name else '  (shared by its tests)'}  [{runs}]"
    tests = sum("::" in name for name in expected)
    yield f"{sum(expected.values()):9.3f} s  in all, {tests} tests"
    yield from of_workers(usage(history))


def of_workers(used: Usage) -> Iterator[str]:
    """Yield a line about what a worker uses, if that is known."""
    cores = [f"{used.cores:.2f} cores"] if used.cores is not None else []
    memory = [f"{used.memory / 2**20:.0f} MiB at its peak"] if used.memory is not None else []
    if cores or memory:
        yield f"a worker uses {' and '.join([*cores, *memory])}"


def _merge(options: argparse.Namespace) -> int:
    first, *others = [_read(path) for path in options.files]
    _write(options.output, first.merged(*others))
    return 0


def _prune(options: argparse.Namespace) -> int:
    history = _read(options.file)
    left = history.pruned(time.time(), lambda file: (options.root / file).exists())
    _write(options.file, left)
    sys.stdout.write(f"forgot {len(history.samples) - len(left.samples)} of {len(history.samples)} entries\n")
    return 0
