"""Only one watch may act: two would open the sprinklers twice. The database's advisory lock decides which."""

from contextlib import suppress
from typing import Final, LiteralString

import psycopg

_KEY: Final = 0x46697265
_TAKE: Final = "SELECT pg_try_advisory_lock(%s)"
_YIELD: Final = "SELECT pg_advisory_unlock(%s)"


class AlreadyWatchingError(RuntimeError):
    """Another watch leads on this database."""


class Leadership:
    """The right to act, held as long as its connection lives, so that a crash gives it back."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self.held = False

    def try_take(self) -> bool:
        """Take the lead if it is free; the one who leads already keeps it."""
        self.held = self.held or bool(self._ask(_TAKE))
        return self.held

    def take(self) -> None:
        """Take the lead or say that somebody else has it."""
        if not self.try_take():
            self.close()
            raise AlreadyWatchingError("another fire watch is active on this database")

    def close(self) -> None:
        """Give the lead back in words: closing the connection alone, as a lost one does, takes a moment longer."""
        if self.held:
            with suppress(psycopg.OperationalError):
                self._ask(_YIELD)
        self.held = False
        self._connection.close()

    def _ask(self, query: LiteralString) -> object:
        row = self._connection.execute(query, (_KEY,)).fetchone()
        return row and row[0]
