"""The supervisor's command line.

Owns names and defaults of its options. It must not start anything.
"""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """How the supervisor is to behave; times in seconds."""

    socket: str
    """Path of the unix socket; facts are written to the folder ``facts`` beside it."""
    orphan: float = 120.0
    """Without a client for so long, the worker is ended: the client's own patience is 30 s, so nobody will come."""
    grace: float = 2.0
    """Between SIGTERM and SIGKILL for the worker when the pod is deleted."""
    cgroup: str = "/sys/fs/cgroup"
    """Where the container sees its own control group, for evidence of memory kills."""
    stay: float = 0.0
    """After all is over, remain for so long: the pod runs on, and what the tests left in it can be looked into."""
    patience: float = 0.0
    """As ``orphan`` before the first client has come, where this is longer: the pod was made ahead of its run."""
    warm: str = ""
    """A worker to start at once and keep waiting, see ``warm.begin``; none by default."""


def parse(arguments: list[str]) -> Options:
    """Return the options of ``supervise --socket PATH``, each of the others as its field is called: ``--stay S``.

    Raises:
        SystemExit: with a sentence, when something else is written.
    """
    if arguments[:1] != ["supervise"] or len(arguments) % 2 == 0:
        raise SystemExit(f"Expected 'supervise --socket PATH' or 'attach --socket PATH' and received {arguments}.")
    given = {name.removeprefix("--"): value for name, value in zip(arguments[1::2], arguments[2::2], strict=True)}
    if "socket" not in given or not set(given) <= set(Options._fields):
        raise SystemExit(f"Expected --socket and at most {', '.join(Options._fields)}, and received {sorted(given)}.")
    return Options(**{name: _converted(name, value) for name, value in given.items()})  # type: ignore[arg-type] # by name


def _converted(name: str, value: str) -> str | float:
    if isinstance(Options._field_defaults.get(name), float):
        return float(value)
    return value
