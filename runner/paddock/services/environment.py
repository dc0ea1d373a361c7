"""Connection facts as environment variables, and back: the only way facts reach a worker process.

Pure. Written by the engine, read by the fixtures; both sides of the format stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from paddock.specs import ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS = ("host", "port", "username", "password", "database")
_SCHEMES = {"broker": "mqtt", "database": "postgresql"}


def to_environment(facts: ServiceFacts) -> dict[str, str]:
    """Return ``PADDOCK_BROKER_HOST`` and its like, and ``PADDOCK_BROKER_URL`` with all of them in one.

    Of a declared service it is host and port: nobody knows which protocol it speaks.
    """
    fields = _FIELDS if facts.kind in _SCHEMES else _FIELDS[:2]
    variables = {_variable(facts.kind, field): str(getattr(facts, field)) for field in fields}
    return variables | ({_variable(facts.kind, "url"): url(facts)} if facts.kind in _SCHEMES else {})


def url(facts: ServiceFacts) -> str:
    """Return a connection URL with credentials, as psycopg, SQLAlchemy and MQTT tools take it."""
    account = f"{quote(facts.username, safe='')}:{quote(facts.password, safe='')}"
    path = f"/{quote(facts.database, safe='')}" if facts.database else ""
    return f"{_SCHEMES[facts.kind]}://{account}@{facts.host}:{facts.port}{path}"


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
