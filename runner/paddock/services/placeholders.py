"""Placeholders such as ``{database.host}``: which there are, and which variable of a worker holds each value.

Owns the names that users write. Values are not known here: they are put in place beside the tests, by
``plugin.remote`` in the worker's own process, so that no secret passes through the process that runs pytest.
Pure. A name in double braces, ``{{database.host}}``, stands for itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.services import broker, database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paddock.declared_services import DeclaredService

PATTERN = re.compile(r"(\{?)\{([A-Za-z_]\w*\.[A-Za-z_]\w*)\}(\}?)")
"""A placeholder and the brace on each side of it, if there is one; ``plugin.remote`` has the same."""

NODE_ID = re.compile(r"::.*\[")
"""The id of a parametrised test may hold anything, braces too: it is left alone."""

_UNDOTTED = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")
_SERVICE_FIELDS = {
    "host": "HOST",
    "port": "PORT",
    "user": "USERNAME",
    "username": "USERNAME",
    "password": "PASSWORD",
    "url": "URL",
}
_NO_SERVICES = {"worker", "run"}
_SERVICES = {broker.NAME: _SERVICE_FIELDS, database.NAME: {**_SERVICE_FIELDS, "name": "DATABASE"}}

VARIABLES: Mapping[str, str] = {
    **{
        f"{service}.{field}": f"PADDOCK_{service.upper()}_{suffix}"
        for service, known in _SERVICES.items()
        for field, suffix in known.items()
    },
    "worker.id": "PADDOCK_WORKER",
    "worker.namespace": "PADDOCK_NAMESPACE",
    "run.id": "PADDOCK_RUN",
}
"""Placeholder -> environment variable of the worker that holds its value."""


def variables(declared: Iterable[DeclaredService]) -> dict[str, str]:
    """Return ``VARIABLES`` and those of the services that the user declares: host, port, and a URL if it has one.

    A service with hardware has none: most workers have no such service, and all have the same arguments.
    """
    everywhere = [one for one in declared if one.hardware is None]
    ours = {f"{one.name}.{fact}": f"PADDOCK_{one.name}_{fact}".upper() for one in everywhere for fact in one.facts}
    return {**VARIABLES, **ours}


def used(text: str, place: Callable[[], str], known: Mapping[str, str] = VARIABLES) -> set[str]:
    """Return the names of the placeholders in ``text``, out of ``known``.

    Raises:
        UsageError: there is no such placeholder; ``place`` is asked where it was written.
    """
    if NODE_ID.search(text):
        return set()
    found = {name for left, name, right in PATTERN.findall(text) if not (left and right)}
    for name in sorted(found - known.keys()):
        raise UsageError(_unknown(name, place(), known))
    return found


def used_in_template(text: str, place: Callable[[], str], known: Mapping[str, str] = VARIABLES) -> set[str]:
    """Return the names of the placeholders in a text that is nothing but a template, where braces have no other use.

    Raises:
        UsageError: as ``used``, and for a name without a dot.
    """
    for name in _UNDOTTED.findall(text):
        raise UsageError(_unknown(name, place(), known))
    return used(text, place, known)


def services(names: Iterable[str]) -> list[str]:
    """Return the services whose facts are among ``names``, in alphabetical order."""
    return sorted({name.partition(".")[0] for name in names} - _NO_SERVICES)


def _unknown(name: str, place: str, known: Mapping[str, str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - needed for a mistake only

    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {{{near[0]}}}?" if near else f"Known are: {', '.join(known)}."
    return f"{place} has the unknown placeholder {{{name}}}. {hint} Write {{{{{name}}}}} for the text itself."
