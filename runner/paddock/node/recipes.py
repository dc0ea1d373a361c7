"""What the node's programs are built from: pure values, and the hash that names a build.

It must not run anything; :mod:`paddock.node.building` does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KUBERNETES_VERSION = "1.36.4"
OLDEST_VERSION = "1.34.4"
"""The newest release of the oldest minor version that Paddock runs on (``paddock.cluster.versions.MINIMUM``)."""
_VERSION_PACKAGE = "k8s.io/component-base/version"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One Go module below ``k8s/node`` and the programs that it yields."""

    module: str
    packages: tuple[str, ...]
    """Arguments of ``go build``; ``tool`` means the main packages that go.mod names."""
    programs: tuple[str, ...]
    """Names of the programs that the build leaves."""
    links: tuple[str, ...] = ()
    """Names under which the first program is called as well; it picks its component by them."""
    tags: tuple[str, ...] = ()
    linker_flags: str = "-s -w"
    pins: str = field(default="", repr=False)
    """Folder of another go.mod and go.sum for the same sources; empty: the module's own. Their content is hashed."""


def _kubernetes_linker_flags(version: str) -> str:
    """Stamp the version; components without it call themselves v0.0.0-master and refuse each other."""
    major, minor, _ = version.split(".")
    stamps = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "modules",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",  # the same bytes whenever it is built
    }
    flags = [f"-X {_VERSION_PACKAGE}.{name}={value}" for name, value in stamps.items()]
    return " ".join(["-s -w", *flags, f"-X k8s.io/client-go/pkg/version.gitVersion=v{version}"])


KUBERNETES = Recipe(
    module="kubernetes",
    packages=("./kube-node", "./etcd", "./coredns"),
    programs=("kube-node", "etcd", "coredns"),
    links=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
    linker_flags=_kubernetes_linker_flags(KUBERNETES_VERSION),
)
CONTAINERD = Recipe(
    module="containerd",
    packages=("tool",),
    programs=("containerd", "containerd-shim-runc-v2"),
    # snapshotters that are not used, and tracing: a tenth of the time to compile
    tags=("no_btrfs", "no_devmapper", "no_zfs", "no_tracing", "no_dynamic_plugins"),
)
CNI = Recipe(module="cni", packages=("tool",), programs=("ptp", "host-local"))
REGISTRY = Recipe(module="registry", packages=(".", "tool"), programs=("registry", "crane"))
PAUSE = Recipe(module="pause", packages=(".",), programs=("pause",))
RECIPES = (PAUSE, CNI, REGISTRY, CONTAINERD, KUBERNETES)
"""What a node is made of."""
HELM = Recipe(module="helm", packages=("tool",), programs=("helm",))
EXTRAS = (HELM,)
"""What nobody needs to run tests: built when it is asked for."""


def _minor(version: str) -> str:
    return version.rpartition(".")[0]


NEWEST, OLDEST = _minor(KUBERNETES_VERSION), _minor(OLDEST_VERSION)
OF_VERSION = {
    NEWEST: KUBERNETES,
    OLDEST: replace(
        KUBERNETES, linker_flags=_kubernetes_linker_flags(OLDEST_VERSION), pins=f"{KUBERNETES.module}-{OLDEST}"
    ),
}
"""Minor version of Kubernetes -> its recipe: the one in use, and the oldest, which tests are run on."""


def of_version(recipe: Recipe, kubernetes: str) -> Recipe:
    """Return the recipe, of Kubernetes the one of a minor version; empty stands for the newest."""
    return OF_VERSION[kubernetes or NEWEST] if recipe.module == KUBERNETES.module else recipe


def digest(recipe: Recipe, sources: Iterable[tuple[str, bytes]], toolchain: str) -> str:
    """Return the name of a build: a hash of the recipe, the module's files (path, content) and the toolchain."""
    state = hashlib.sha256(repr((recipe, toolchain)).encode())
    for path, content in sorted(sources):
        state.update(f"\0{path}\0{len(content)}\0".encode() + content)
    return state.hexdigest()[:16]


def sources(folder: Path) -> list[tuple[str, bytes]]:
    """Return the files of a Go module: relative path and content."""
    return [(str(path.relative_to(folder)), path.read_bytes()) for path in folder.rglob("*") if path.is_file()]


def recipe_of(program: str) -> Recipe | None:
    """Return the recipe that yields ``program``, None when none does."""
    return next((recipe for recipe in (*RECIPES, *EXTRAS) if program in recipe.programs + recipe.links), None)
