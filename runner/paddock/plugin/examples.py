"""Hypothesis' database of examples: as under stock xdist, all workers read and write the one of the checkout.

It travels with the sources; what a worker adds and deletes comes back with the worker's last word, and so not from one
that crashed. Hypothesis' default folder only: another database, or HYPOTHESIS_STORAGE_DIRECTORY, is the project's own.
A pod is not trusted: names that Hypothesis would not give are ignored. It must not know Hypothesis' code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = ".hypothesis/examples"
"""Below the current folder: a folder for each test, named by a hash, with a file for each example, named by its own."""
SENT = "paddock_examples"
LIMIT = 16 << 20
"""Bytes that one worker sends back: a database of many thousand examples."""
_NAME = re.compile(r"[0-9a-f]{8,128}/[0-9a-f]{8,128}")


def listed(folder: Path) -> set[str]:
    """Return the names of all examples, each below its test's."""
    found = (f"{path.parent.name}/{path.name}" for path in folder.glob("*/*") if path.is_file())
    return {name for name in found if _NAME.fullmatch(name)}


class Keeper:
    """The worker's side: notes what is there before the first test, and tells what has changed after the last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before = listed(folder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Put the changes into what xdist sends as the worker's output."""
        output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined] # xdist's, in a worker
        after = listed(self._folder)
        output[SENT] = {"added": self._read(after - self._before), "deleted": sorted(self._before - after)}

    def _read(self, names: set[str]) -> dict[str, bytes]:
        contents: dict[str, bytes] = {}
        room = LIMIT
        for name in sorted(names):
            content = (self._folder / name).read_bytes()
            room -= len(content)
            if room >= 0:
                contents[name] = content
        return contents


def save(folder: Path, output: Mapping[str, Any]) -> None:
    """Make the changes here that a worker told of."""
    told = output.get(SENT, {"added": {}, "deleted": []})
    for name, content in told["added"].items():
        if _NAME.fullmatch(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    for name in told["deleted"]:
        if _NAME.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
