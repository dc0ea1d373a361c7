"""The cache folder."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from paddock.errors import ImageError
from paddock.images import archive, layout, places
from paddock.images.layers import Content, Directory, Link, Slice
from paddock.images.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path) -> Store:
    """An empty cache folder that this test works in."""
    cache = Store(tmp_path / "images")
    with cache.locked(print):
        return cache


def test_a_layer_is_found_again_with_its_listing(cache: Store) -> None:
    """The next layer needs to know what lies where below it, and what it holds."""
    added = cache.add("key", {"bin": Directory(0o1777), "bin/a": Content(b"x", 0o755), "lib": Link("usr/lib")})
    found = Store(cache.path).find("key")
    assert found == added
    assert (found.listing["bin"], found.listing["lib"]) == (Directory(0o1777), Link("usr/lib"))
    file = found.listing["bin/a"]
    assert isinstance(file, Slice)
    with archive.opened(file) as (source, size):
        assert (source.read(size), file.mode) == (b"x", 0o755)


def test_a_layer_of_an_earlier_version_is_found_without_its_contents(cache: Store) -> None:
    """Its record says what lies where, which is all that was written then."""
    cache.add("key", {"a": Content(b"x", 0o755)})
    path = cache.path / "layers" / "key.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({name: record[name] for name in ("digest", "size", "listing")}))
    found = cache.find("key")
    assert found is not None
    assert found.listing == {"a": Content(b"", 0o755)}


def test_the_latest_of_a_name_is_remembered_as_long_as_its_layer(cache: Store) -> None:
    """It is where the next build begins."""
    cache.add("one", {})
    cache.note("family-a", "one")
    cache.note("family-b", "gone")
    assert cache.noted("family-a") == {"family-a": "one"}
    cache.prune(0)
    assert cache.noted("family") == {"family-a": "one"}


def test_a_layer_whose_blob_was_deleted_is_made_again(cache: Store) -> None:
    """Everything in the cache may be deleted by hand."""
    added = cache.add("key", {})
    layout.blob_path(cache.path, added.blob.digest).unlink()
    assert cache.find("key") is None


def test_a_damaged_record_is_named(cache: Store) -> None:
    """The sentence says which file, and that deleting it is safe."""
    cache.add("key", {})
    (cache.path / "layers" / "key.json").write_text("{")
    with pytest.raises(ImageError, match=r"key\.json.*Delete it"):
        cache.find("key")


def test_nothing_is_left_of_a_failed_build(cache: Store) -> None:
    """Half a layer is never found, and its folder is gone."""
    with pytest.raises(IsADirectoryError), cache.work() as work:
        work.write_text("half a layer")
    assert list((cache.path / "work").iterdir()) == []


def test_what_a_killed_build_left_is_cleared_by_the_next(cache: Store) -> None:
    """A killed process cannot clean up; whoever holds the lock knows that the rest is stale."""
    (cache.path / "work" / "stale").mkdir(parents=True)
    with cache.locked(print):
        assert not (cache.path / "work").exists()


def test_a_second_build_waits_for_the_first_and_says_so(cache: Store) -> None:
    """Two runs that start together make an image once."""
    said: list[str] = []
    waiting, entered = threading.Event(), threading.Event()

    def report(line: str) -> None:
        said.append(line)
        waiting.set()

    def second() -> None:
        with Store(cache.path).locked(report):
            entered.set()

    thread = threading.Thread(target=second)
    with cache.locked(print):
        thread.start()
        assert waiting.wait(10)
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()
    assert "waiting" in said[0]


def test_layers_that_nobody_uses_are_pruned_and_others_kept(cache: Store) -> None:
    """A layer shared by two keys stays as long as one of them is used."""
    stale, used = cache.add("stale", {"a": Content(b"1")}), cache.add("used", {"b": Content(b"2")})
    shared = cache.add("stale-too", {"b": Content(b"2")})
    old = time.time() - 40 * 86400
    for key in ("stale", "stale-too"):
        os.utime(cache.path / "layers" / f"{key}.json", (old, old))
    cache.prune(time.time() - 30 * 86400)
    assert cache.find("stale") is None
    assert cache.find("used") is not None
    assert not layout.blob_path(cache.path, stale.blob.digest).exists()
    assert shared.blob == used.blob


def test_the_folder_can_be_moved_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``PADDOCK_CACHE`` stands for all of Paddock's caches; images have a folder in it."""
    monkeypatch.setenv("PADDOCK_CACHE", str(tmp_path))
    assert places.folder() == tmp_path / "images"
