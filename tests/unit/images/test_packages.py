"""The layers of installed distributions, made of small environments with the running interpreter."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.images import archive, bytecode, fingerprint
from paddock.images.environment import VENV, Environment
from paddock.images.layers import Content, Directory, File, Link, Slice
from paddock.images.packages import PackageLayers
from paddock.images.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paddock.images.layers import Entry
    from paddock.images.store import Layer

SITE = f"{VENV.strip('/')}/lib/site-packages"
TAG = sys.implementation.cache_tag


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Store]:
    """An empty cache folder."""
    store = Store(tmp_path / "images")
    with store.locked(print):
        yield store


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A virtual environment with five distributions of one module each."""
    current = Environment.current()
    prefix = tmp_path / "venv"
    site = prefix / "lib" / "site-packages"
    made = dataclasses.replace(
        current, prefix=prefix, base_prefix=current.base_prefix, sites=(site,), stdlib=current.stdlib
    )
    for name in "abcde":
        install(made, name, f"value = '{name}'\n" + "# filled\n" * 50)
    return made


def install(environment: Environment, name: str, source: str) -> None:
    """Put a distribution of one module into the environment, as an installer without bytecode does."""
    (site,) = environment.sites
    (site / f"{name}-1.dist-info").mkdir(parents=True, exist_ok=True)
    (site / f"{name}.py").write_text(source)
    (site / f"{name}-1.dist-info" / "RECORD").write_text(f"{name}.py,sha256={hash(source)},\n")


def uninstall(environment: Environment, name: str) -> None:
    (site,) = environment.sites
    (site / f"{name}.py").unlink()
    (site / f"{name}-1.dist-info" / "RECORD").unlink()
    (site / f"{name}-1.dist-info").rmdir()


def made(cache: Store, environment: Environment, family: str = "family") -> Sequence[Layer]:
    layers = PackageLayers(store=cache, environment=environment, key=fingerprint.packages(environment), family=family)
    return layers.find() or layers.make({})


def shown(layers: Sequence[Layer]) -> dict[str, object]:
    """Return what is seen of layers on one another: path -> content, target or nothing."""
    found: dict[str, Entry] = {}
    for layer in layers:
        deleted = tuple(path.replace(".wh.", "") for path in layer.listing if ".wh." in path)
        found = {path: entry for path, entry in found.items() if not path.startswith(deleted)} if deleted else found
        found |= {path: entry for path, entry in layer.listing.items() if ".wh." not in path}
    return {path: content(entry) for path, entry in sorted(found.items())}


def content(entry: Entry) -> object:
    if isinstance(entry, Slice | File | Content):
        with archive.opened(entry) as (source, size):
            return source.read(size)
    return entry.target if isinstance(entry, Link) else Directory


def test_a_change_makes_a_small_layer_on_the_earlier_one(cache: Store, environment: Environment) -> None:
    """Only what changed is in it, with its bytecode; what was removed is hidden."""
    (before,) = made(cache, environment)
    install(environment, "c", "value = 'changed'\n")
    install(environment, "f", "value = 'new'\n")
    uninstall(environment, "e")
    below, changes = made(cache, environment)
    assert below.blob == before.blob
    modules = {path.removeprefix(f"{SITE}/") for path in changes.listing if path.endswith((".py", ".pyc"))}
    bytecode_of = {f"__pycache__/{name}.{TAG}.pyc" for name in "cf"}
    assert modules == {"c.py", "f.py", *bytecode_of, ".wh.e.py", f"__pycache__/.wh.e.{TAG}.pyc"}


@pytest.mark.parametrize("names", ["f", "af", "abcdef"])
def test_what_is_seen_is_what_a_layer_made_from_nothing_shows(
    cache: Store, environment: Environment, tmp_path: Path, names: str
) -> None:
    """One, some or all modules changed: however the layers came to be, an image holds the same."""
    made(cache, environment)
    for name in names:
        install(environment, name, f"value = 'now {name}'\n")
    uninstall(environment, "b")
    fresh = Store(tmp_path / "fresh")
    with fresh.locked(print):
        assert shown(made(cache, environment)) == shown(made(fresh, environment))


def test_the_layers_are_found_again(cache: Store, environment: Environment) -> None:
    """An empty registry is filled from the cache, whichever way the layers were made."""
    made(cache, environment)
    install(environment, "f", "value = 'new'\n")
    layers = made(cache, environment)
    assert len(layers) == 2
    assert made(cache, environment) == layers


def test_nothing_of_another_interpreter_is_used(cache: Store, environment: Environment) -> None:
    """Its bytecode would be refused at each import, or worse, not."""
    made(cache, environment)
    install(environment, "f", "value = 'new'\n")
    assert len(made(cache, environment, family="another")) == 1


def test_unchanged_modules_are_not_compiled_again(
    cache: Store, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling is most of the time, also when most of the layer is made anew."""
    made(cache, environment)
    (site,) = environment.sites
    (site / "large.txt").write_text("x" * 100_000)  # more than all that is there: a new layer
    asked: list[str] = []
    run = bytecode._run

    def noted(program: str, executable: Path, sources: str, scratch: Path) -> str:
        asked.extend(Path(line.split("\t")[0]).name for line in sources.splitlines() if "\t" not in line)
        return run(program, executable, sources, scratch)

    monkeypatch.setattr(bytecode, "_run", noted)
    (whole,) = made(cache, environment)
    assert asked == []
    assert f"{SITE}/__pycache__/a.{TAG}.pyc" in whole.listing


def test_rewritten_modules_are_used_at_their_own_path_only() -> None:
    """They name the path they were made for in tracebacks; the interpreter's own get theirs when they are imported."""
    names: Mapping[str, Entry] = {f"a/__pycache__/b.{tag}.pyc": Content(b"") for tag in (TAG, f"{TAG}-pytest-9.2.0")}
    assert list(bytecode.anywhere(names)) == [f"a/__pycache__/b.{TAG}.pyc"]
