"""The memory: what was seen, what was decided, what was done, in PostgreSQL, so that it can be accounted for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, LiteralString, Self

import psycopg
from psycopg.rows import class_row, scalar_row

from fire_watch.messages import Command, Decision, Detection, Result
from fire_watch.trigger import Outcome

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS detections (
        id bigserial PRIMARY KEY,
        camera text NOT NULL,
        at double precision NOT NULL,
        confidence double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
        label text NOT NULL,
        UNIQUE (camera, at)
    );
    CREATE TABLE IF NOT EXISTS decisions (
        id bigserial PRIMARY KEY,
        cameras text[] NOT NULL,
        decided double precision NOT NULL,
        confidence double precision NOT NULL
    );
    CREATE TABLE IF NOT EXISTS alarms (
        id bigserial PRIMARY KEY,
        decision bigint REFERENCES decisions ON DELETE CASCADE,
        command text NOT NULL UNIQUE,
        actuator text NOT NULL,
        state text NOT NULL DEFAULT 'sent',
        attempts integer NOT NULL DEFAULT 0
    );
"""
_EMPTY: Final = "TRUNCATE detections, decisions, alarms RESTART IDENTITY"
_DROP: Final = "DROP TABLE IF EXISTS alarms, decisions, detections"
_ADD_DETECTION: Final = """
    INSERT INTO detections (camera, at, confidence, label) VALUES (%s, %s, %s, %s)
    ON CONFLICT (camera, at) DO NOTHING RETURNING id
"""
_ADD_DECISION: Final = "INSERT INTO decisions (cameras, decided, confidence) VALUES (%s, %s, %s) RETURNING id"
_ADD_ALARM: Final = "INSERT INTO alarms (decision, command, actuator) VALUES (%s, %s, %s) RETURNING id"
_SETTLE: Final = "UPDATE alarms SET state = %s, attempts = %s WHERE command = %s"
_SEEN: Final = "SELECT count(*) FROM detections WHERE camera = %s"
_PURGE: Final = "DELETE FROM detections WHERE at < %s"
_ALARMS: Final = "SELECT id, decision, command, actuator, state, attempts FROM alarms ORDER BY id"
_NOTIFY: Final = "SELECT pg_notify('fire_alarms', %s)"
_CAMERAS: Final = "SELECT camera, count(*) FROM detections WHERE at >= %s GROUP BY camera ORDER BY camera"
_NO_ENDLESS_LOCK: Final = "-c lock_timeout=10s"


class State(StrEnum):
    """How far an alarm has come."""

    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


_STATES: Final = {Result.DONE: State.DONE, Result.REFUSED: State.REFUSED, None: State.UNANSWERED}


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One command as it is remembered."""

    id: int
    decision: int | None
    command: str
    actuator: str
    state: str
    attempts: int


class EventStore:
    """The tables of one database behind plain verbs; every verb is one transaction."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, options=_NO_ENDLESS_LOCK)

    def create(self) -> None:
        """Make the tables where they are missing."""
        self._connection.execute(_SCHEMA)

    def empty(self) -> None:
        """Remove every row and start numbering anew."""
        self._connection.execute(_EMPTY)

    def drop(self) -> None:
        """Remove the tables themselves."""
        self._connection.execute(_DROP)

    def saw(self, detection: Detection) -> bool:
        """Record a detection; say whether it is new, since a broker may deliver one twice."""
        values = (detection.camera, detection.at, detection.confidence, detection.label)
        return self._connection.execute(_ADD_DETECTION, values).fetchone() is not None

    def seen(self, camera: str) -> int:
        """Count a camera's detections."""
        return self._number(_SEEN, camera)

    def per_camera(self, *, since: float) -> dict[str, int]:
        """Count the detections of each camera since a moment."""
        return dict(self._connection.execute(_CAMERAS, (since,)).fetchall())

    def purge(self, *, before: float) -> int:
        """Forget old detections; decisions and alarms are kept for good."""
        return self._connection.execute(_PURGE, (before,)).rowcount

    def decided(self, decision: Decision, commands: tuple[Command, ...]) -> int:
        """Record a decision together with its commands: both are remembered, or neither."""
        with self._connection.transaction():
            number = self._number(_ADD_DECISION, list(decision.cameras), decision.decided, decision.confidence)
            self._ordered(number, commands)
        return number

    def ordered(self, commands: tuple[Command, ...]) -> None:
        """Record commands that a person gave, which follow from no decision."""
        with self._connection.transaction():
            self._ordered(None, commands)

    def settled(self, command: Command, outcome: Outcome) -> None:
        """Record how a command ended."""
        self._connection.execute(_SETTLE, (_STATES[outcome.result], outcome.attempts, command.command))

    def alarms(self) -> list[Alarm]:
        """List the alarms, oldest first."""
        return self._connection.cursor(row_factory=class_row(Alarm)).execute(_ALARMS).fetchall()

    def decisions(self) -> int:
        """Count the decisions."""
        return self._number("SELECT count(*) FROM decisions")

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ordered(self, decision: int | None, commands: tuple[Command, ...]) -> None:
        for command in commands:
            self._connection.execute(_ADD_ALARM, (decision, command.command, command.actuator))
            self._connection.execute(_NOTIFY, (command.command,))

    def _number(self, query: LiteralString, *values: object) -> int:
        row = self._connection.cursor(row_factory=scalar_row).execute(query, values).fetchone()
        return int(row or 0)


class AlarmFeed:
    """A desk that hears of each alarm the moment it is committed."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("LISTEN fire_alarms")

    def next(self, timeout: float) -> str | None:
        """Return the next alarm's command, or None when none came in time."""
        for notice in self._connection.notifies(timeout=timeout, stop_after=1):
            return notice.payload
        return None

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()


@contextmanager
def alarm_feed(url: str) -> Iterator[AlarmFeed]:
    """Listen for alarms within a block."""
    feed = AlarmFeed(url)
    try:
        yield feed
    finally:
        feed.close()
