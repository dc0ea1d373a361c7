"""Times as Kubernetes' objects and our files have them: RFC 3339, in UTC, to the second. Pure."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def written(moment: datetime) -> str:
    """Return a time that knows its zone as text, such as ``2026-11-22T10:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
