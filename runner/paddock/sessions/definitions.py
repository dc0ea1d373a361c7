"""What each session does, as one table from its name to its function.

It must not know how sessions are registered or configured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.sessions.running import run_tests

if TYPE_CHECKING:
    from collections.abc import Callable

    import nox

    from paddock.sessions.configuration import SessionConfiguration


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A session: its name, the line ``nox -l`` shows, and what it does."""

    name: str
    description: str
    run: Callable[[nox.Session, SessionConfiguration], None]
    backend: str = "uv|virtualenv"
    """Nox's virtual environment backend; ``none`` for a session that installs nothing."""


def not_there_yet(session: nox.Session, what: str) -> None:
    """End the session with one sentence and a failure: it never pretends to have done something."""
    session.error(f"The session {session.name!r} is not there yet: {what}. Nothing was run")  # nox adds the full stop


def _parallel(session: nox.Session, configuration: SessionConfiguration) -> None:
    run_tests(session, configuration, workers=configuration.workers)


def _serial(session: nox.Session, configuration: SessionConfiguration) -> None:
    run_tests(session, configuration, workers=1)


def _hardware(session: nox.Session, configuration: SessionConfiguration) -> None:
    """Run the marked tests, each worker holding one of every kind that pyproject.toml knows."""
    chosen = any(argument.partition("=")[0] == "--paddock-hardware" for argument in session.posargs)
    hardware = () if chosen else ("--paddock-hardware=all",)
    run_tests(session, configuration, "-m", "hardware", *hardware, workers=configuration.workers, first=("devices",))


def _validate(session: nox.Session, configuration: SessionConfiguration) -> None:  # noqa: ARG001 - the shape of the table
    not_there_yet(session, "comparing serial with parallel verdicts comes with a later release")


_TABLE = (
    Definition(name="parallel", description="Run the tests, every worker in a namespace of its own.", run=_parallel),
    Definition(name="serial", description="Run the same tests with one worker in one namespace.", run=_serial),
    Definition(
        name="hardware",
        description="Run the tests that are marked with hardware, on workers that hold it.",
        run=_hardware,
    ),
    Definition(
        name="validate",
        description="Compare serial with parallel verdicts (not there yet).",
        run=_validate,
        backend="none",
    ),
)

DEFINITIONS = {definition.name: definition for definition in _TABLE}
"""Every session that a noxfile can import, by its name."""
