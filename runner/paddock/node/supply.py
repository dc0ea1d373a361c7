"""Where the node's programs come from: built from modules, or official release archives; and from which server.

Owns the two variables. It must not know what a program is made of.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULES = "modules"
RELEASE = "release"
SOURCES = (MODULES, RELEASE)
SOURCE_VARIABLE = "PADDOCK_NODE_SOURCE"
MIRROR_VARIABLE = "PADDOCK_NODE_MIRROR"


@dataclass(frozen=True, kw_only=True)
class Supply:
    """What was asked for."""

    source: str = ""
    """``modules`` or ``release``; empty when nobody has chosen."""
    mirror: str = ""
    """URL below which the archives lie by host and path; empty: each lies where its project published it."""

    def settled(self, before: str) -> Supply:
        """Return the same with a source: the chosen one, else that of ``before``, else modules."""
        return replace(self, source=self.source or before or MODULES)

    def place(self, url: str) -> str:
        """Return where to fetch what was published at ``url``."""
        return f"{self.mirror.rstrip('/')}/{url.partition('://')[2]}" if self.mirror else url


def supply(source: str | None = None, mirror: str | None = None, environment: Mapping[str, str] = os.environ) -> Supply:
    """Return what the options, else the environment, ask for.

    Raises:
        UsageError: a value cannot be meant.
    """
    chosen = source or environment.get(SOURCE_VARIABLE) or ""
    if chosen not in {"", *SOURCES}:
        raise UsageError(f"The source of the node's programs is {chosen!r}; expected {' or '.join(SOURCES)}.")
    server = mirror or environment.get(MIRROR_VARIABLE) or ""
    if server and (urlsplit(server).scheme not in {"http", "https"} or not urlsplit(server).netloc):
        raise UsageError(f"The mirror of release archives is {server!r}; expected a URL such as http://host:port/path.")
    return Supply(source=chosen, mirror=server)
