"""Gets the node's programs into the cache, once: built from pinned Go modules, or out of pinned release archives.

Owns the cache's folders. It must not know how the programs are started.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import NodeError, UsageError
from paddock.node import downloading, recipes, releases, toolchain
from paddock.node.layout import Binaries
from paddock.node.locking import locked
from paddock.node.packages import system_folder, system_programs
from paddock.node.places import LAYOUT_FILE, cache_folder
from paddock.node.supply import MODULES, RELEASE, Supply, supply
from paddock.resources import k8s_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from paddock.node.recipes import Recipe
    from paddock.node.releases import Archive

_ARCHITECTURE = os.uname().machine
_FREE_BYTES_TO_BUILD = 6 * 2**30  # measured: module cache 2.1 GB, build cache 2.6 GB, programs 0.3 GB
_KEPT_SECONDS = 30 * 24 * 3600
_BUILT = Supply(source=MODULES)


def tool(name: str, *, report: Callable[[str], None] = lambda _line: None) -> Path:
    """Return the path of a program of the node, such as ``crane`` or ``kubectl``; got now if it was not before.

    One that is in the cache will do, whatever its source.

    Raises:
        UsageError: no module of the node yields a program of that name.
        NodeError: it could not be built or fetched.
    """
    recipe = recipes.recipe_of(name)
    if recipe is None:
        every = (*recipes.RECIPES, *recipes.EXTRAS)
        known = ", ".join(sorted(program for each in every for program in each.programs + each.links))
        raise UsageError(f"The node has no program {name!r}; expected one of {known}.")
    wanted = supply()
    sources = (wanted, Supply(source=MODULES), Supply(source=RELEASE))
    there = next((each for each in sources if folder_of(recipe, each).is_dir()), wanted)
    return build(recipe, report, there) / name


def build_all(report: Callable[[str], None], wanted: Supply | None = None) -> Binaries:
    """Return the folders of all programs, getting what the cache lacks.

    Raises:
        NodeError: something could not be built or fetched; the message names its log.
    """
    chosen = wanted or supply()
    needed = [recipes.of_version(each, chosen.kubernetes) for each in recipes.RECIPES]
    system_programs(report)
    missing = [each for each in needed if not (archives(each, chosen) or folder_of(each, chosen).is_dir())]
    with _fetching(missing, report):
        for recipe in needed:
            build(recipe, report, chosen)
    return folders(chosen)


def folders(wanted: Supply) -> Binaries:
    """Return the folders of all programs, whether they are there or not."""
    return Binaries(
        kubernetes=folder_of(recipes.of_version(recipes.KUBERNETES, wanted.kubernetes), wanted),
        containerd=folder_of(recipes.CONTAINERD, wanted),
        cni=folder_of(recipes.CNI, wanted),
        registry=folder_of(recipes.REGISTRY, wanted),
        system=system_folder(),
    )


def missing_builds() -> list[str]:
    """Return the modules whose programs are not in the cache yet."""
    chosen = supply()
    return [recipe.module for recipe in recipes.RECIPES if not folder_of(recipe, chosen).is_dir()]


def folder_of(recipe: Recipe, wanted: Supply) -> Path:
    """Return the cache folder of the recipe's programs, there or not; what has no release is built in any case."""
    found = archives(recipe, wanted)
    return _cache() / f"{recipe.module}-{releases.digest(found)}" if found else _folder(recipe)


def build(recipe: Recipe, report: Callable[[str], None], wanted: Supply = _BUILT) -> Path:
    """Return the cache folder with the recipe's programs, getting them first if it does not exist.

    Raises:
        NodeError: ``go build`` failed, or an archive is not what is pinned; the message names log or URL.
    """
    folder = folder_of(recipe, wanted)
    if folder.is_dir():
        with suppress(OSError):  # another user's cache
            os.utime(folder)  # used today: see _remove_unused_builds
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.parent / f"{recipe.module}.lock"):
            if not folder.is_dir():  # another process may have built it while this one waited
                _make(recipe, folder, wanted, report)
    return folder


def archives(recipe: Recipe, wanted: Supply) -> tuple[Archive, ...]:
    """Return the release archives that the recipe's programs come from; none where they are built."""
    return releases.archives(recipe, _ARCHITECTURE) if wanted.source == RELEASE and not recipe.pins else ()


@functools.cache
def _folder(recipe: Recipe) -> Path:
    pins = recipes.sources(k8s_folder() / "node" / recipe.pins) if recipe.pins else []
    sources = [*recipes.sources(_module(recipe)), *((f"{recipe.pins}/{path}", content) for path, content in pins)]
    name = recipes.digest(recipe, sources, f"go1.26 {_ARCHITECTURE}")
    return _cache() / f"{recipe.module}-{name}"


def _cache() -> Path:
    return cache_folder() / "node"


def _module(recipe: Recipe) -> Path:
    return k8s_folder() / "node" / recipe.module


def _make(recipe: Recipe, folder: Path, wanted: Supply, report: Callable[[str], None]) -> None:
    with _workspace(recipe, folder.parent) as temporary:
        output = temporary / "programs"
        if found := archives(recipe, wanted):
            downloading.unpack_all(found, wanted, output, report)
        else:
            if wanted.source == RELEASE:
                report(f"{recipe.module} has no release for {_ARCHITECTURE} and is built from its modules")
            _build(recipe, output, folder.parent / f"{recipe.module}.log", report)
        output.rename(folder)  # whole or not at all
    _remove_unused_builds(recipe)


@contextmanager
def _workspace(recipe: Recipe, parent: Path) -> Iterator[Path]:
    """Give a folder to work in and remove it again, with those of processes that were killed: the lock is held."""
    for left in parent.glob(f".{recipe.module}-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{recipe.module}-") as temporary:
        yield Path(temporary)


def _other_pins(recipe: Recipe) -> list[str]:
    """Return the option that has Go take a go.mod other than the module's own, and the go.sum beside it."""
    return [f"-modfile={k8s_folder() / 'node' / recipe.pins / 'go.mod'}"] if recipe.pins else []


def _build(recipe: Recipe, output: Path, log: Path, report: Callable[[str], None]) -> None:
    _require_space(log.parent)
    go = toolchain.find(report)
    report(f"building {', '.join(recipe.programs)}")
    started = time.monotonic()
    _go_build(go, recipe, output, log)
    for link in recipe.links:
        (output / link).symlink_to(recipe.programs[0])
    report(f"built {', '.join(recipe.programs)} in {time.monotonic() - started:.0f} s")


@contextmanager
def _fetching(missing: Sequence[Recipe], report: Callable[[str], None]) -> Iterator[None]:
    """Download what later builds need while earlier ones compile (measured: 66 s, of which the processor works 20).

    A download that fails is not told here: the build that needs it will.
    """
    go = toolchain.find(report) if missing else Path()
    downloads = [_download(go, recipe) for recipe in missing]
    try:
        yield
    finally:
        for download in downloads:
            download.kill()
            download.wait()


def _download(go: Path, recipe: Recipe) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(go), "mod", "download", *_other_pins(recipe)],
        cwd=_module(recipe),
        env=toolchain.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _go_build(go: Path, recipe: Recipe, output: Path, log: Path) -> None:
    output.mkdir()
    flags = ["-trimpath", "-mod=readonly", *_other_pins(recipe), "-buildvcs=false", f"-tags={','.join(recipe.tags)}"]
    command = [str(go), "build", *flags, f"-ldflags={recipe.linker_flags}", f"-o={output}/", *recipe.packages]
    with log.open("w") as file:
        code = subprocess.call(command, cwd=_module(recipe), env=toolchain.environment(), stdout=file, stderr=file)
    missing = [program for program in recipe.programs if not (output / program).is_file()]
    if code or missing:
        last = "".join(log.read_text().splitlines()[-1:])
        raise NodeError(f"Building {recipe.module} failed: {last or f'{missing} missing'}. The whole log is {log}.")


def _require_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _FREE_BYTES_TO_BUILD:
        raise NodeError(
            f"Building the node needs {_FREE_BYTES_TO_BUILD / 2**30:.0f} GiB of free disk, but the file system of "
            f"{folder} has {free / 2**30:.1f} GiB. Free some, or set PADDOCK_CACHE to a folder on a larger disk.",
        )


def _running_layout() -> str:
    with suppress(OSError):  # no node, or one that another user may not look into (and whose cache is another)
        return LAYOUT_FILE.read_text()
    return ""


def _remove_unused_builds(recipe: Recipe) -> None:
    """Remove builds that nobody asked for lately; others stay, for whoever goes back and forth between two versions."""
    oldest = time.time() - _KEPT_SECONDS
    running = _running_layout()
    for build_folder in (cache_folder() / "node").glob(f"{recipe.module}-*"):
        if build_folder.stat().st_mtime < oldest and str(build_folder) not in running:
            shutil.rmtree(build_folder, ignore_errors=True)
