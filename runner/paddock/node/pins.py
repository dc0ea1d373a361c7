"""What a node is made of, as a value to compare: the versions that keep data, and a hash of everything else.

Owns the record of it in the state folder. It must not know what follows from a difference; that is
:mod:`paddock.node.upgrading`'s.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from paddock import __version__
from paddock.node import building, configuration, recipes
from paddock.node.components import components
from paddock.node.places import PIN_FILE
from paddock.resources import k8s_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.node.layout import NodeLayout
    from paddock.node.supply import Supply

KUBERNETES = "kube-apiserver"
_KEEPERS = {
    KUBERNETES: (recipes.KUBERNETES, "k8s.io/kubernetes"),
    "etcd": (recipes.KUBERNETES, "go.etcd.io/etcd/server/v3"),
    "containerd": (recipes.CONTAINERD, "github.com/containerd/containerd/v2"),
}
"""The programs whose data on the disk is of their version, with recipe and Go module."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """What a node is made of."""

    versions: Mapping[str, str]
    """Version of each program whose data outlives its process."""
    state: str
    """Hash of all builds, arguments and configuration."""
    source: str
    """Where its programs came from."""

    @property
    def kubernetes(self) -> str:
        """The version that its API server reports."""
        return self.versions[KUBERNETES]

    @property
    def minor(self) -> str:
        """The same without the patch."""
        return ".".join(self.kubernetes.split(".")[:2])


def wanted(layout: NodeLayout, supply: Supply) -> Pin:
    """Return what the node of a layout is made of when it is started now; nothing is built for it."""
    made = replace(layout, binaries=building.folders(supply))
    pause = building.folder_of(recipes.PAUSE, supply)
    parts = (components(made), configuration.files(made), str(pause), __version__)  # the reaper is this very Paddock
    return Pin(
        versions={program: _version(program, supply) for program in _KEEPERS},
        state=hashlib.sha256(repr(parts).encode()).hexdigest()[:16],
        source=supply.source,
    )


def read() -> Pin | None:
    """Return what the node that is here was made of; None when an earlier version did not note it."""
    try:
        return Pin(**json.loads(PIN_FILE.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def settled(supply: Supply) -> Supply:
    """Return what is wanted, completed by what the node that is or was here was made of."""
    found = read()
    before = found.minor if found and found.minor in recipes.OF_VERSION else ""
    return supply.settled(found.source if found else "", before)


def note(pin: Pin) -> None:
    """Record what the node is made of from now on."""
    temporary = PIN_FILE.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(pin)))
    temporary.replace(PIN_FILE)


def _version(program: str, supply: Supply) -> str:
    kept, module = _KEEPERS[program]
    recipe = recipes.of_version(kept, supply.kubernetes)
    for archive in building.archives(recipe, supply):
        if program in dict(archive.programs):
            return archive.version.rpartition(" ")[2]
    required = (k8s_folder() / "node" / (recipe.pins or recipe.module) / "go.mod").read_text()
    found = re.search(rf"^(?:require)?\s*{re.escape(module)} v(\S+)", required, re.MULTILINE)
    return found[1] if found else "0.0.0"
