"""What may leave the cache, and what may not."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from paddock.errors import UsageError
from paddock.node import commands, pruning
from paddock.node.reaching import NodeAccess

if TYPE_CHECKING:
    from pathlib import Path

BUILDS = {"kubernetes-0123456789abcdef": 40, "kubernetes-fedcba9876543210": 40, "cni-0123456789abcdef": 1}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two old builds, one of which a node runs, a new one, and images."""
    cache = tmp_path / "cache"
    for name, days in BUILDS.items():
        folder = cache / "node" / name
        folder.mkdir(parents=True)
        (folder / "program").write_bytes(b"x" * 100_000)
        os.utime(folder, (0, time.time() - days * 86400))
    (cache / "node" / "system").mkdir()
    for name in ("images", "registry"):
        (cache / name / "blobs").mkdir(parents=True)
        (cache / name / "blobs" / "one").write_bytes(b"x" * 500_000)
    layout = tmp_path / "layout.json"
    layout.write_text(f'{{"kubernetes": "{cache}/node/kubernetes-fedcba9876543210"}}')
    monkeypatch.setenv("PADDOCK_CACHE", str(cache))
    monkeypatch.setattr(pruning, "LAYOUT_FILE", layout)
    monkeypatch.setattr(pruning, "access", lambda: None)
    monkeypatch.setattr(commands, "STATE", tmp_path / "none")
    return cache


def left(cache: Path) -> set[str]:
    """Return what lies in the cache."""
    return {str(path.relative_to(cache)) for path in [*cache.iterdir(), *(cache / "node").iterdir()]}


def test_old_builds_go_and_the_running_one_stays(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line says what happened to a part and why; the last one how much it was."""
    assert commands.main(["prune"]) == 0
    assert left(cache) == {
        *("node", "images", "registry", "node/system", "node/kubernetes-fedcba9876543210", "node/cni-0123456789abcdef"),
    }
    lines = capsys.readouterr().out.splitlines()
    assert f"removed 0 MB {cache}/node/kubernetes-0123456789abcdef (used 960h ago)" in lines
    assert f"kept 0 MB {cache}/node/kubernetes-fedcba9876543210 (the node runs it)" in lines
    assert f"kept 1 MB {cache}/images (kept unless --images is given)" in lines
    assert lines[-1] == "removed 0 MB in all"


def test_a_dry_run_removes_nothing(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what the same call without it would do."""
    before = left(cache)
    assert commands.main(["prune", "--dry-run", "--images", "--days", "0"]) == 0
    assert left(cache) == before
    out = capsys.readouterr().out
    assert f"would remove 1 MB {cache}/registry" in out
    assert f"would remove 0 MB {cache}/node/cni-0123456789abcdef" in out
    assert out.splitlines()[-1] == "would remove 1 MB in all"


def test_images_go_when_asked_for(cache: Path) -> None:
    """Their lock stays: another run may be waiting for it."""
    assert commands.main(["prune", "--images"]) == 0
    assert not (cache / "registry").exists()
    assert [path.name for path in (cache / "images").iterdir()] == ["lock"]


def test_a_running_node_keeps_its_images(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its registry serves them; nothing is removed by halves."""
    access = NodeAccess(kubeconfig=tmp_path, context="paddock", registry="r", server="s")
    monkeypatch.setattr(pruning, "access", lambda: access)
    before = left(cache)
    with pytest.raises(UsageError, match="paddock node down"):
        pruning.remove(pruning.entries(images=True))
    assert left(cache) == before


def test_an_empty_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing there, nothing to say."""
    monkeypatch.setenv("PADDOCK_CACHE", str(tmp_path / "none"))
    assert pruning.entries() == []


@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf"])
def test_days_that_are_no_number_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names value and expectation."""
    with pytest.raises(SystemExit):
        commands.main(["prune", f"--days={text}"])
    assert f"'{text}' is no number of days; expected 0 or more" in capsys.readouterr().err
