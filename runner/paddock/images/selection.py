"""Which files of an environment go into which layer: interpreter and packages.

Owns the rules of what is left out. It must not know how layers are written or keyed.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from paddock.images import trees
from paddock.images.environment import VENV
from paddock.images.layers import Entry, Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from paddock.images.environment import Environment

_NEVER = ("*/__pycache__", "*.pyc", "*.pyo", "*.a", "*.la")
_STDLIB = (  # suites of the standard library itself; third-party suites do use test.support
    "*/test/test_*", "*/test/*data*", "*/test/decimaltestdata", "*/idle_test", "*/turtledemo", "*/lib2to3/tests",
    "*/distutils/tests", "*/unittest/test", "*/ctypes/test", "*/sqlite3/test", "*/tkinter/test", "*/config-[0-9]*",
)  # fmt: skip
_PREFIX = (  # pkgs, envs, conda-meta: of conda, whose base environment holds all the others
    "/include", "/man", "/share/man", "/share/doc", "/share/info", "/pkgs", "/envs", "/conda-meta", "*/site-packages/*",
)  # fmt: skip
_VENV = ("/include", "/tmp", "/share/man", "/.lock")  # noqa: S108 - below the environment
_INTERPRETERS = re.compile(r"python(\d+(\.\d+)?t?)?")


def interpreter(environment: Environment) -> dict[str, Entry]:
    """Select the interpreter: its whole prefix if that is its own, else executable and standard library out of it."""
    taken = (environment.base_prefix.resolve(),) if environment.owns_prefix else environment.stdlib
    skip = skipping(_NEVER + _STDLIB + (_PREFIX if environment.owns_prefix else ("*/site-packages", "*/dist-packages")))
    entries = _links_to(environment)
    for tree in taken:
        entries |= trees.entries(tree, str(tree), skip, taken)
    if not environment.owns_prefix:
        entries |= _executables(environment.base_executable)
    return entries


def packages(environment: Environment) -> dict[str, Entry]:
    """Select the distributions: the virtual environment if this is one, and folders of distributions outside it."""
    kept = _kept(environment)
    sites = [
        site for site in environment.sites if not environment.is_venv or not site.is_relative_to(environment.prefix)
    ]
    entries: dict[str, Entry] = {}
    for site in sites:
        entries |= trees.entries(site, str(site), skipping(_NEVER), (*kept, *sites))
        entries |= _scripts(site)
    if environment.is_venv:
        entries |= trees.entries(environment.prefix, VENV, skipping(_NEVER + _VENV), kept)
        entries |= {path.strip("/"): Link(target) for path, target in environment.links().items()}
    return entries


def interpreter_binaries(environment: Environment) -> tuple[Path, ...]:
    """Return the programs of the interpreter whose libraries its layer must hold."""
    return (environment.base_executable.resolve(),)


def skipping(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a test of whether a path matches one of ``patterns``, whose ``*`` does not stop at a slash.

    Patterns and paths count from the top of a tree, with a leading slash.
    """
    matches = re.compile("|".join(map(fnmatch.translate, patterns)) or r"(?!)").match  # (?!) matches nothing
    return lambda path: matches(path) is not None


def _kept(environment: Environment) -> tuple[Path, ...]:
    """Return what the interpreter layer holds: links there stay links."""
    whole = (environment.base_prefix,) if environment.owns_prefix else (environment.base_executable.resolve(),)
    return (*whole, *environment.stdlib)


def _links_to(environment: Environment) -> dict[str, Entry]:
    """Return the links through which the interpreter is reached from outside its tree and the virtual environment."""
    ways = [
        trees.links_on_the_way(path)
        for path in (environment.base_prefix, environment.base_executable, environment.executable)
    ]
    venv = str(environment.prefix).strip("/") + "/"
    return {
        path: link for way in ways for path, link in way.items() if not (environment.is_venv and path.startswith(venv))
    }


def _executables(base: Path) -> dict[str, Entry]:
    """Return the interpreter and the names it has beside itself: ``python3`` is a link there."""
    real = base.resolve()
    names = (path for path in base.parent.iterdir() if _INTERPRETERS.fullmatch(path.name) and path.resolve() == real)
    return {str(path).strip("/"): trees.entry(path, (base.parent,)) for path in (*names, real)}


def _scripts(site: Path) -> dict[str, Entry]:
    """Return the files that distributions of ``site`` put outside it, such as console scripts."""
    lines = (line for record in site.glob("*.dist-info/RECORD") for line in record.read_text("utf-8").splitlines())
    outside = {(site / line.split(",", 1)[0]).resolve() for line in lines if line.startswith("../")}
    return {str(path).strip("/"): trees.entry(path, ()) for path in outside if path.is_file() and path.suffix != ".pyc"}
