"""Connection facts as environment variables, and back: the only way facts reach a worker process.

Pure. Written by the engine, read by the fixtures; both sides of the format stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.specs import ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS = ("host", "port", "username", "password", "database")


def to_environment(facts: ServiceFacts) -> dict[str, str]:
    """Return ``PADDOCK_BROKER_HOST`` and its like."""
    return {_variable(facts.kind, field): str(getattr(facts, field)) for field in _FIELDS}


def from_environment(kind: str, environment: Mapping[str, str]) -> ServiceFacts | None:
    """Return the facts of a service, or ``None`` where the process was given none."""
    if _variable(kind, "host") not in environment:
        return None
    values = {field: environment.get(_variable(kind, field), "") for field in _FIELDS}
    return ServiceFacts(
        kind=kind,
        host=values["host"],
        port=int(values["port"]),
        username=values["username"],
        password=values["password"],
        database=values["database"],
    )


def _variable(kind: str, field: str) -> str:
    return f"PADDOCK_{kind}_{field}".upper()
