"""The finished images and their pruning."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from paddock.images import places, shelf
from paddock.images.layers import Content
from paddock.images.layout import Image
from paddock.images.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86400


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Store]:
    """A cache with one image that was used today and one that was not for forty days; they share a layer."""
    store = Store(tmp_path / "images")
    with store.locked(print):
        shared = store.add("base-1", {"a": Content(b"shared")})
        for tag, days in (("today", 0), ("stale", 40)):
            own = store.add(f"supervisor-{tag}", {"a": Content(tag.encode())})
            shelf.note(store.path, "worker", tag, Image(architecture="", layers=[shared.blob, own.blob], user=""))
            aged(places.image_record(store.path, "worker", tag), days)
        for record in (store.path / "layers").iterdir():
            aged(record, 50)
        yield store


def aged(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def pruned(cache: Store, registry: Path, program: Path, days: float, kept: tuple[str, ...] = ()) -> set[str]:
    """Prune and return the names of the layers that are left."""
    shelf.prune(cache, registry, program, oldest=time.time() - days * DAY, kept={("worker", tag) for tag in kept})
    return {path.stem for path in (cache.path / "layers").iterdir()}


def test_the_image_used_last_is_listed_first(cache: Store) -> None:
    """With the layers it consists of."""
    today, stale = shelf.stored(cache.path)
    assert (today.tag, stale.tag) == ("today", "stale")
    assert today.layers[0] == stale.layers[0]


def test_a_layer_lives_as_long_as_an_image_that_has_it(cache: Store, tmp_path: Path) -> None:
    """However long ago it was last needed for making one."""
    assert pruned(cache, tmp_path / "none", tmp_path, 30) == {"base-1", "supervisor-today"}
    assert [image.tag for image in shelf.stored(cache.path)] == ["today"]


def test_what_is_in_use_now_is_kept_however_old(cache: Store, tmp_path: Path) -> None:
    """It would only be made again."""
    assert pruned(cache, tmp_path / "none", tmp_path, 0, kept=("stale",)) == {"base-1", "supervisor-stale"}


def test_layers_of_images_in_use_are_known(cache: Store) -> None:
    """Each build prunes, and must not take what another project uses daily."""
    today, _ = shelf.stored(cache.path)
    assert shelf.layers_since(cache.path, time.time() - DAY) == set(today.layers)


def test_tags_of_the_registry_go_with_their_images(cache: Store, tmp_path: Path) -> None:
    """Then the registry collects what no tag names any more; what others pushed there lately stays."""
    tags = tmp_path / "registry" / "docker/registry/v2/repositories/paddock/worker/_manifests/tags"
    for tag, days in (("today", 50), ("stale", 50), ("unknown-old", 50), ("unknown-new", 1)):
        (tags / tag).mkdir(parents=True)
        aged(tags / tag, days)
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n')
    program.chmod(0o755)
    pruned(cache, tmp_path / "registry", program, 30)
    assert {path.name for path in tags.iterdir()} == {"today", "unknown-new"}
    assert (tmp_path / "called").read_text().startswith("garbage-collect --quiet --delete-untagged")
