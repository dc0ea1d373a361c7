"""Which programs the node is made of: of which Kubernetes, built from modules or out of official release archives.

Owns the two variables. It must not know what a program is made of.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from paddock.errors import UsageError
from paddock.node.recipes import NEWEST

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
    kubernetes: str = ""
    """Minor version, such as ``1.34``; empty when nobody has chosen."""

    def settled(self, source: str, kubernetes: str) -> Supply:
        """Return the same with a source and a version: the chosen ones, else those of before, else modules, newest."""
        return replace(
            self, source=self.source or source or MODULES, kubernetes=self.kubernetes or kubernetes or NEWEST
        )

    def place(self, url: str) -> str:
        """Return where to fetch what was published at ``url``."""
        return f"{self.mirror.rstrip('/')}/{url.partition('://')[2]}" if self.mirror else url


def supply(
    source: str | None = None,
    mirror: str | None = None,
    kubernetes: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Supply:
    """Return what the options, else the environment, ask for; the version only an option can.

    Raises:
        UsageError: a value cannot be meant.
    """
    chosen = source or environment.get(SOURCE_VARIABLE) or ""
    if chosen not in {"", *SOURCES}:
        raise UsageError(f"The source of the node's programs is {chosen!r}; expected {' or '.join(SOURCES)}.")
    server = mirror or environment.get(MIRROR_VARIABLE) or ""
    if server and (urlsplit(server).scheme not in {"http", "https"} or not urlsplit(server).netloc):
        raise UsageError(f"The mirror of release archives is {server!r}; expected a URL such as http://host:port/path.")
    return Supply(source=chosen, mirror=server, kubernetes=kubernetes or "")
