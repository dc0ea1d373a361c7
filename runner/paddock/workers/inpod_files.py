"""The in-pod half as files, for whoever builds the worker image.

Owns the layout below ``/opt/paddock/lib`` and the commands that go with it. It must not know images.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = "paddock/workers/inpod"
LIBRARY = "/opt/paddock/lib"
"""Where the files lie in the image."""


def files() -> dict[str, bytes]:
    """Return path below ``LIBRARY`` -> content; the folders above the package must have no ``__init__.py``."""
    found = sorted((Path(__file__).parent / "inpod").glob("*.py"))
    return {f"{_FOLDER}/{path.name}": path.read_bytes() for path in found}


def command(python: str, role: str, socket: str, *, library: str = LIBRARY) -> list[str]:
    """Return the argv of ``role``, ``supervise`` or ``attach``: apart from the tests' environment, quick to start."""
    return [python, "-I", "-S", "-B", "-u", f"{library}/{_FOLDER}/__main__.py", role, "--socket", socket]
