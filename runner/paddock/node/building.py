"""Builds the node's programs from pinned Go modules, once, into the cache.

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
from paddock.node import recipes, toolchain
from paddock.node.layout import Binaries
from paddock.node.locking import locked
from paddock.node.packages import system_programs
from paddock.node.places import LAYOUT_FILE, cache_folder
from paddock.resources import k8s_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from paddock.node.recipes import Recipe

_ARCHITECTURE = os.uname().machine
_FREE_BYTES_TO_BUILD = 6 * 2**30  # measured: module cache 2.1 GB, build cache 2.6 GB, programs 0.3 GB
_KEPT_SECONDS = 30 * 24 * 3600


def tool(name: str, *, report: Callable[[str], None] = lambda _line: None) -> Path:
    """Return the path of a program of the node, such as ``crane`` or ``kubectl``; built now if it was not before.

    Raises:
        UsageError: no module of the node yields a program of that name.
        NodeError: it could not be built.
    """
    recipe = recipes.recipe_of(name)
    if recipe is None:
        known = ", ".join(sorted(program for each in recipes.RECIPES for program in each.programs + each.links))
        raise UsageError(f"The node has no program {name!r}; expected one of {known}.")
    return build(recipe, report) / name


def build_all(report: Callable[[str], None], kubernetes: str = recipes.NEWEST) -> Binaries:
    """Return the folders of all programs, building what the cache lacks; ``kubernetes`` is its minor version.

    Raises:
        NodeError: something could not be built or fetched; the message names its log.
    """
    system = system_programs(report)
    chosen = recipes.OF_VERSION[kubernetes]
    wanted = [chosen if recipe.module == chosen.module else recipe for recipe in recipes.RECIPES]
    missing = [recipe for recipe in wanted if not folder_of(recipe).is_dir()]
    with _fetching(missing, report):
        folders = {recipe.module: build(recipe, report) for recipe in wanted}
    return Binaries(
        kubernetes=folders["kubernetes"],
        containerd=folders["containerd"],
        cni=folders["cni"],
        registry=folders["registry"],
        system=system,
    )


def missing_builds() -> list[str]:
    """Return the modules whose programs are not in the cache yet."""
    return [recipe.module for recipe in recipes.RECIPES if not folder_of(recipe).is_dir()]


def build(recipe: Recipe, report: Callable[[str], None]) -> Path:
    """Return the cache folder with the recipe's programs, building them first if it does not exist.

    Raises:
        NodeError: ``go build`` failed; the message names its log.
    """
    folder = folder_of(recipe)
    if folder.is_dir():
        with suppress(OSError):  # another user's cache
            os.utime(folder)  # used today: see _remove_unused_builds
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.parent / f"{recipe.module}.lock"):
            if not folder.is_dir():  # another process may have built it while this one waited
                _build(recipe, folder, report)
    return folder


@functools.cache
def folder_of(recipe: Recipe) -> Path:
    """Return where the recipe's programs lie once they are built."""
    pins = recipes.sources(k8s_folder() / "node" / recipe.pins) if recipe.pins else []
    sources = [*recipes.sources(_module(recipe)), *((f"{recipe.pins}/{path}", content) for path, content in pins)]
    name = recipes.digest(recipe, sources, f"go1.26 {_ARCHITECTURE}")
    return cache_folder() / "node" / f"{recipe.module}-{name}"


def _module(recipe: Recipe) -> Path:
    return k8s_folder() / "node" / recipe.module


def _other_pins(recipe: Recipe) -> list[str]:
    """Return the option that has Go take a go.mod other than the module's own, and the go.sum beside it."""
    return [f"-modfile={k8s_folder() / 'node' / recipe.pins / 'go.mod'}"] if recipe.pins else []


def _build(recipe: Recipe, folder: Path, report: Callable[[str], None]) -> None:
    _require_space(folder.parent)
    go = toolchain.find(report)
    report(f"building {', '.join(recipe.programs)}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        output = Path(temporary) / "programs"
        _go_build(go, recipe, output, folder.parent / f"{recipe.module}.log")
        for link in recipe.links:
            (output / link).symlink_to(recipe.programs[0])
        output.rename(folder)  # whole or not at all
    report(f"built {', '.join(recipe.programs)} in {time.monotonic() - started:.0f} s")
    _remove_unused_builds(recipe)


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
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _go_build(go: Path, recipe: Recipe, output: Path, log: Path) -> None:
    output.mkdir()
    flags = ["-trimpath", "-mod=readonly", *_other_pins(recipe), "-buildvcs=false", f"-tags={','.join(recipe.tags)}"]
    command = [str(go), "build", *flags, f"-ldflags={recipe.linker_flags}", f"-o={output}/", *recipe.packages]
    with log.open("w") as file:
        code = subprocess.call(command, cwd=_module(recipe), env=_environment(), stdout=file, stderr=file)
    missing = [program for program in recipe.programs if not (output / program).is_file()]
    if code or missing:
        last = "".join(log.read_text().splitlines()[-1:])
        raise NodeError(f"Building {recipe.module} failed: {last or f'{missing} missing'}. The whole log is {log}.")


def _environment() -> dict[str, str]:
    fixed = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    return {"HOME": str(cache_folder())} | dict(os.environ) | fixed


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
