"""What a worker's server is to be, as it goes to the keeper; and how one is started, as the keeper sees it.

Pure values. They must not know which servers there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from signal import Signals

    from paddock.engines.local.programs import User


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One service of one worker: everything that its start needs, as JSON can carry it."""

    name: str
    port: int
    limit: float
    """Seconds from its start to its first answer."""
    username: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    configuration: str = ""
    """The user's own settings, as text."""
    logins: str = field(default="", repr=False)
    """Of a broker: further accounts, a line ``name:password`` each."""
    acl: str = ""
    """Of a broker: who may use which topics."""
    certificate: str = ""
    key: str = field(default="", repr=False)
    """Of a broker that speaks TLS, as PEM."""
    version: str | None = None
    """Major version of PostgreSQL, where the user wants a certain one."""
    command: Sequence[str] = ()
    """Of a declared service."""
    environment: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    place: str = ""
    """File and line of its declaration."""
    readiness: Mapping[str, Any] = field(default_factory=dict)
    """A probe of Kubernetes, with this machine's port in it."""
    shared: bool = False
    """Whether one serves all workers of the run: that of the first who was offered it."""
    obstacle: str = ""
    """Why it cannot be started here at all, in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A program that is ready to be started."""

    argv: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    answers: Callable[[], bool]
    """Whether it serves; asked until it does, and may raise OSError while it does not."""
    user: User | None = None
    politely: Signals = SIGTERM
    """Ends it with everything that it holds."""
