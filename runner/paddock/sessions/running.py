"""Runs pytest in namespaces from a nox session, and leaves nothing behind however it ends.

It draws the run id, so that the namespaces can be found again when pytest itself was killed.
It must not know clusters: pytest and ``paddock reap`` run in the session's own environment.
"""

from __future__ import annotations

import json
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from nox.command import CommandFailed

from paddock import __version__
from paddock.names import new_run_id
from paddock.sessions.installing import install_when_changed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import nox

    from paddock.sessions.configuration import SessionConfiguration

RUN_ID_VARIABLE = "PADDOCK_RUN_ID"
INTERRUPT_TIMEOUT = 90.0
"""Seconds from Ctrl-C until pytest is terminated: fixtures tear down in the pods first; nox's 0.3 s is too short."""
TERMINATE_TIMEOUT = 10.0

NOT_CLEAN = 8
"""Bit of pytest's exit code, see ``plugin.ledger.Exit``, which cannot be imported where only nox is installed."""

MEANINGS = {
    0: "all tests passed",
    1: "tests failed",
    2: "the run was interrupted",
    3: "the infrastructure failed, which says nothing about the tests; the cause stands above",
    4: "pytest was called wrongly; the cause stands above",
    5: "no tests were selected",
}
"""What pytest's exit codes mean under Paddock; nox itself knows only 0 and 1, and adds the full stop."""


def run_tests(
    session: nox.Session, configuration: SessionConfiguration, *more: str, workers: int, first: Sequence[str] = ()
) -> None:
    """Install, run pytest with ``workers`` namespaces and ``more`` arguments, and reap the run whatever happened.

    ``first`` is a command of Paddock's that tells something beforehand, whatever comes of it.
    """
    install_when_changed(session, own_requirement(), *configuration.install)
    run_id = os.environ.get(RUN_ID_VARIABLE) or new_run_id()
    session.chdir(configuration.folder)
    if first:
        session.run("python", "-m", "paddock", *first, success_codes=range(5))
    try:
        _pytest(session, run_id, "-n", str(workers), *more, *configuration.arguments, *session.posargs)
    finally:
        _reap(session, run_id)


def _pytest(session: nox.Session, run_id: str, *arguments: str) -> None:
    try:
        session.run(
            *("python", "-m", "pytest", "--paddock", *arguments),
            env={RUN_ID_VARIABLE: run_id},
            interrupt_timeout=INTERRUPT_TIMEOUT,
            terminate_timeout=TERMINATE_TIMEOUT,
        )
    except CommandFailed as failure:
        session.error(f"pytest ended with exit code {failure.return_code}: {meaning(failure.return_code or 0)}")


def meaning(code: int) -> str:
    """Return what an exit code of pytest means under Paddock."""
    verdict = MEANINGS.get(code & ~NOT_CLEAN, "see above")
    left = "; and namespaces were left, which --paddock-require-clean forbids" if code & NOT_CLEAN else ""
    return verdict + left


def _reap(session: nox.Session, run_id: str) -> None:
    """Ask for the deletion of what the run left, and give the prompt back: namespaces take seconds to vanish."""
    reap = ("python", "-m", "paddock", "reap", "--run", run_id, "--wait", "0", "--except-kept")
    try:
        session.run(*reap, log=False, silent=True)
    except CommandFailed:
        session.error(f"What run {run_id} left could not be deleted; try again with: paddock reap --run {run_id}")


def own_requirement() -> str:
    """Return how to install the Paddock that nox imported: its checkout, the file it came from, or its version."""
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "pyproject.toml").is_file() and (checkout / "runner" / "paddock").is_dir():
        return str(checkout)
    origin = metadata.distribution("paddock").read_text("direct_url.json")
    return f"paddock @ {json.loads(origin)['url']}" if origin else f"paddock=={__version__}"
