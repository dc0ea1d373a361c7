"""Connection facts as environment variables, and back: the only way facts reach a worker process.

Pure. Written by the engine, read by the fixtures; both sides of the format stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from paddock.specs import ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.declared_services import DeclaredService

_FIELDS = ("host", "port", "username", "password", "database")
_OPTIONAL = ("authority", "logins")
_SCHEMES = {"broker": "mqtt", "database": "postgresql"}


def to_environment(facts: ServiceFacts) -> dict[str, str]:
    """Return ``PADDOCK_BROKER_HOST`` and its like, and ``PADDOCK_BROKER_URL`` with all of them in one.

    Of a declared service it is host and port, and the URL that its declaration gives: nobody else knows its protocol.
    """
    there = tuple(field for field in _OPTIONAL if getattr(facts, field))
    fields = (*_FIELDS, *there) if facts.kind in _SCHEMES else _FIELDS[:2]
    variables = {_variable(facts.kind, field): str(getattr(facts, field)) for field in fields}
    whole = url(facts) if facts.kind in _SCHEMES else facts.url
    return variables | ({_variable(facts.kind, "url"): whole} if whole else {})


def of_declared(service: DeclaredService) -> ServiceFacts:
    """Return the facts of a service at its own name in a namespace."""
    there = service.listening(service.name, service.port)
    return ServiceFacts(kind=there.name, host=there.name, port=there.port, url=there.url)


def url(facts: ServiceFacts) -> str:
    """Return a connection URL with credentials, as psycopg, SQLAlchemy and MQTT tools take it."""
    account = f"{quote(facts.username, safe='')}:{quote(facts.password, safe='')}"
    path = f"/{quote(facts.database, safe='')}" if facts.database else ""
    scheme = _SCHEMES[facts.kind] + ("s" if facts.authority else "")
    return f"{scheme}://{account}@{facts.host}:{facts.port}{path}"


def from_environment(kind: str, environment: Mapping[str, str]) -> ServiceFacts | None:
    """Return the facts of a service, or ``None`` where the process was given none."""
    if _variable(kind, "host") not in environment:
        return None
    values = {field: environment.get(_variable(kind, field), "") for field in (*_FIELDS, *_OPTIONAL)}
    return ServiceFacts(
        kind=kind,
        host=values["host"],
        port=int(values["port"]),
        username=values["username"],
        password=values["password"],
        database=values["database"],
        url="" if kind in _SCHEMES else environment.get(_variable(kind, "url"), ""),
        authority=values["authority"],
        logins=values["logins"],
    )


def worker_id(environment: Mapping[str, str]) -> str:
    """Return this process's worker, ``master`` where there is only one."""
    return environment.get("PADDOCK_WORKER") or environment.get("PYTEST_XDIST_WORKER") or "master"


def _variable(kind: str, field: str) -> str:
    return f"PADDOCK_{kind}_{field}".upper()
