"""The nox sessions of Paddock, for this repository's noxfile and for everybody else's.

Two lines give a project its sessions::

    from paddock.sessions import parallel, serial

    __all__ = ["parallel", "serial"]

Importing a session registers it with nox, and only it. What to install, the Python versions and pytest's arguments
stand in ``[tool.paddock.sessions]`` of ``pyproject.toml``, or in a call that replaces the import::

    from paddock import sessions

    sessions.register("parallel", "serial", install=["-e", ".[test]"], pythons=["3.12", "3.13"], arguments=["tests"])

Imported by nox, often from an environment that holds nothing but nox: nothing below this package may import more than
nox, the standard library and the pure modules of Paddock.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nox

from paddock.errors import UsageError
from paddock.sessions.configuration import SessionConfiguration
from paddock.sessions.definitions import DEFINITIONS
from paddock.sessions.installing import install_when_changed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from paddock.sessions.definitions import Definition

    hardware: object
    parallel: object
    serial: object
    validate: object

__all__ = ["hardware", "install_when_changed", "parallel", "register", "serial", "validate"]


def register(
    *names: str,
    install: Sequence[str] | None = None,
    pythons: Sequence[str] | None = None,
    arguments: Sequence[str] | None = None,
    workers: int | None = None,
    folder: str | None = None,
) -> None:
    """Register the sessions ``names`` with nox; keywords win over ``[tool.paddock.sessions]``.

    A mistake in the configuration ends nox with one line and exit code 4, as everywhere in Paddock.
    """
    given = {"install": install, "pythons": pythons, "arguments": arguments, "workers": workers, "folder": folder}
    try:
        configuration = SessionConfiguration.load(Path.cwd(), given)
        for name in names:
            _register(_definition(name), configuration)
    except UsageError as error:
        sys.stderr.write(f"paddock: {error}\n")
        raise SystemExit(error.exit_code) from None


def _definition(name: str) -> Definition:
    if name not in DEFINITIONS:
        raise UsageError(f"There is no session {name!r} in paddock.sessions. Choose from: {', '.join(DEFINITIONS)}.")
    return DEFINITIONS[name]


def _register(definition: Definition, configuration: SessionConfiguration) -> None:
    def session_function(session: nox.Session) -> None:
        definition.run(session, configuration)

    session_function.__doc__ = definition.description
    decorate = nox.session(
        name=definition.name,
        python=list(configuration.pythons) or None,
        reuse_venv=True,
        venv_backend=definition.backend,
    )
    globals()[definition.name] = decorate(session_function)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the protocol of PEP 562; the names are declared above for type checkers
    """Register a session when a noxfile imports it: the import is the whole configuration a project needs."""
    if name not in DEFINITIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    register(name)
    return globals()[name]
