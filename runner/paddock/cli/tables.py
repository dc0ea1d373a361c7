"""How values are printed for people and for programs: ages, JSON, lines; columns are ``paddock.columns``.

Pure but for ``say``. It must not know what the values mean.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(since: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago that was in one unit, two of the smaller one at least: ``90s``, ``3m``, ``26h``, ``3d``."""
    if since is None:
        return ""
    return span(((now or datetime.now(UTC)) - since).total_seconds())


def span(length: float) -> str:
    """Return a length of time in seconds as ``age`` writes it."""
    seconds = max(0, int(length))
    for unit, letter in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= 2 * unit:
            return f"{seconds // unit}{letter}"
    return f"{seconds}s"


def as_json(value: object) -> str:
    """Return JSON that a person can read as well."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def say(line: str) -> None:
    """Print a line of a command's product at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def hint(line: str) -> None:
    """Print a line beside the product, so that ``$(…)`` and pipes take the product alone."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
