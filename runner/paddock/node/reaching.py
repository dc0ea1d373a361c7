"""How other layers reach a running embedded node.

On the start path of every pytest run: it reads two small files and imports nothing heavy.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paddock.node.places import ACCESS_FILE
from paddock.node.processes import ProcessIdentity, of_this_boot


@dataclass(frozen=True, kw_only=True)
class NodeAccess:
    """Where the node's API server and registry answer."""

    kubeconfig: Path
    """A kubeconfig with certificates inside, readable by root only."""
    context: str
    """Context to choose in it: ``paddock``."""
    registry: str
    """``localhost:PORT``: where to push from this machine, and how pods' image references begin."""
    server: str
    """URL of the API server."""

    @property
    def plain_kubeconfig(self) -> Path:
        """The same as ``kubeconfig``, with files in place of their contents: for programs on this machine.

        TLS libraries read certificates from files, and the official client's way of making files of contents
        takes 0.6 s to import (measured). A node that an earlier version started has only ``kubeconfig``.
        """
        plain = self.kubeconfig.parent / "configuration" / self.kubeconfig.name
        return plain if plain.exists() else self.kubeconfig


def access() -> NodeAccess | None:
    """Return how to reach the node, or None when it is not up (or the caller may not read its state)."""
    with suppress(OSError, ValueError, KeyError):
        values = json.loads(ACCESS_FILE.read_bytes())
        if of_this_boot(values) and ProcessIdentity(*values["supervisor"]).alive():
            facts = {key: values[key] for key in ("context", "registry", "server")}
            return NodeAccess(kubeconfig=Path(values["kubeconfig"]), **facts)
    return None
