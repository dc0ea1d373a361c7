"""``paddock image``: what it prints and refuses."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from paddock.cli import image
from paddock.cli.main import main
from paddock.images import places, release, shelf
from paddock.images.archive import Blob
from paddock.images.layout import Image

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = [Blob(digest="sha256:" + "1" * 64, size=1_500_000), Blob(digest="sha256:" + "2" * 64, size=500_000)]


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache with one image that was made three days ago and used two hours ago, on a known machine."""
    monkeypatch.setenv("PADDOCK_CACHE", str(tmp_path))
    monkeypatch.setattr(
        release, "current", lambda: release.Release(distribution="debian", codename="bookworm", machine="x86_64")
    )
    cache = places.folder()
    cache.mkdir()
    shelf.note(cache, "worker", "a" * 32, Image(architecture="amd64", layers=LAYERS, user="1000"))
    path, now = places.image_record(cache, "worker", "a" * 32), time.time()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"made": now - 3 * 86400 - 60}))
    os.utime(path, (now - 7300, now - 7300))
    return cache


@pytest.mark.usefixtures("cache")
def test_the_list_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Sizes and ages in units, nothing about layers."""
    assert main(["image", "ls"]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == ["IMAGE", "TAG", "SIZE", "MADE", "USED"]
    assert line.split() == ["worker", "aaaaaaaaaaaa", "2", "MB", "3d", "2h"]


@pytest.mark.usefixtures("cache")
def test_the_list_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that is known, in plain units."""
    assert main(["image", "ls", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert {name: row[name] for name in ("name", "tag", "size", "current")} == {
        "name": "worker",
        "tag": "a" * 32,
        "size": 2_000_000,
        "current": False,
    }
    assert row["layers"] == [layer.digest for layer in LAYERS]


def test_images_of_this_environment_are_marked() -> None:
    """They are what a run would use now."""
    stored = shelf.Stored(name="worker", tag="b" * 32, layers=(), size=0, made=0, used=0)
    _, marked = image.table([stored], {("worker", "b" * 32)}, 0)
    _, plain = image.table([stored], set(), 0)
    assert (marked[0], plain[0]) == ("*", " ")


@pytest.mark.parametrize("prefix", ["registry.example.org", "https://registry.example.org/team"])
def test_a_place_without_a_path_is_refused(prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is made."""
    assert main(["image", "push", prefix]) == 4
    assert capsys.readouterr().err.startswith(f"paddock: {prefix!r} is no place for images; expected registry and path")


@pytest.mark.parametrize("days", ["-1", "soon", "inf"])
def test_days_must_be_a_number(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip must not delete everything."""
    with pytest.raises(SystemExit) as ended:
        main(["image", "prune", f"--days={days}"])
    assert ended.value.code == 4
    assert "--days" in capsys.readouterr().err
