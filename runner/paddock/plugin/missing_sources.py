"""Says so when a test misses a file that exists on this machine and was not sent to the workers.

Owns the reading of failures and the line that is added to them. It must not know how files are chosen or sent.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paddock.workers.sources import SourceSet

_MISSED = re.compile(r"No such file or directory: b?(['\"])(?P<path>.+?)\1")
_MODULE = re.compile(r"No module named '(?P<name>[\w.]+)'|cannot import name '(?P<part>\w+)' from '(?P<of>[\w.]+)'")
_COMPLAINS = re.compile(
    r"no such file|not found|does not exist|doesn't exist|missing|can(no|')t (open|find|read)", re.IGNORECASE
)
_PATH = r"[^\s'\"`:;,<>()\[\]]+"
_LISTED = 3
"""Files named for one failure; more would bury it."""


class MissingSources:
    """Hooks that look through the failures that workers report; runs where the files are."""

    def __init__(self, sources: Sequence[SourceSet]) -> None:
        self._sources = sources

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at a test's failure before anybody writes it down."""
        self._explain(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at a file's failure to be imported."""
        self._explain(report)

    def _explain(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.failed:
            return
        missed = dict.fromkeys(self.missed(report.longreprtext))
        if not missed:
            return
        line = hint([str(path) for path in missed])
        add = getattr(report.longrepr, "addsection", None)  # a traceback has it, a bare text has not
        if add:
            add("paddock", line)
        else:
            report.longrepr = f"{report.longreprtext}\n{line}"

    def missed(self, text: str) -> Iterator[Path]:
        """Yield the files, relative to their root, that a failure misses, that exist here and that were not sent."""
        for one in self._sources:
            for path in (*_named(text, one.root), *_modules(text, one.root)):
                if not _was_sent(path, one) and not path.is_relative_to(sys.prefix):
                    yield path.relative_to(one.root)


def hint(paths: Sequence[str]) -> str:
    """Return the one line about files that were not sent."""
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    flags = " ".join(f"--paddock-include={path}" for path in paths[:_LISTED])
    return (
        f"The workers were not sent {', '.join(paths[:_LISTED])}{more}, which this machine has: git ignores it, or an "
        f"option leaves it out. To send it: {flags}"
    )


def _was_sent(path: Path, one: SourceSet) -> bool:
    inside = path.relative_to(one.root).as_posix()
    return inside in one.paths or any(sent.startswith(f"{inside}/") for sent in one.paths)


def _named(text: str, root: Path) -> Iterator[Path]:
    """Yield the existing paths below ``root`` that a failure complains of; relative ones count from here."""
    names = [found["path"] for found in _MISSED.finditer(text)]
    if _COMPLAINS.search(text):
        names += re.findall(rf"{re.escape(str(root))}/{_PATH}", text)
    for name in names:
        path = Path(os.path.normpath(Path.cwd() / name))
        if root in path.parents and os.path.lexists(path):
            yield path


def _modules(text: str, root: Path) -> Iterator[Path]:
    """Yield the files of the modules that could not be imported, where this process would look for them."""
    names = [found["name"] or f"{found['of']}.{found['part']}" for found in _MODULE.finditer(text)]
    places = [
        place for place in dict.fromkeys((root, root / "src", *map(Path, sys.path))) if place.is_relative_to(root)
    ]
    for place in places if names else ():
        for name in names:
            *above, last = name.split(".")
            folder = place.joinpath(*above)
            yield from sorted(path for pattern in (f"{last}.py", f"{last}.*.so") for path in folder.glob(pattern))
            yield from [folder / last] if (folder / last / "__init__.py").is_file() else []
