"""Laws of Hypothesis' database: every worker's additions and deletions reach the checkout, and nothing else does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.plugin import examples

if TYPE_CHECKING:
    from pathlib import Path

TEST, OLD, NEW = "a" * 16, "b" * 16, "c" * 16


def put(folder: Path, name: str, content: bytes = b"x") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def told_by(keeper: examples.Keeper) -> dict[str, Any]:
    """Return what a worker sends at its end."""
    output: dict[str, Any] = {}
    keeper.pytest_sessionfinish(cast("Any", SimpleNamespace(config=SimpleNamespace(workeroutput=output))))
    return output


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """A worker's folder with one example that came with the sources."""
    put(tmp_path / "pod", f"{TEST}/{OLD}")
    return tmp_path / "pod"


def test_what_a_worker_adds_and_deletes_happens_in_the_checkout(pod: Path, tmp_path: Path) -> None:
    """A new example comes, one that no longer fails goes, and another worker's stays."""
    here = tmp_path / "here"
    put(here, f"{TEST}/{OLD}")
    put(here, f"{NEW}/{NEW}")
    keeper = examples.Keeper(pod)
    put(pod, f"{TEST}/{NEW}", b"found")
    (pod / TEST / OLD).unlink()
    examples.save(here, told_by(keeper))
    assert examples.listed(here) == {f"{TEST}/{NEW}", f"{NEW}/{NEW}"}
    assert (here / TEST / NEW).read_bytes() == b"found"


def test_nothing_is_made_where_nothing_changed(pod: Path, tmp_path: Path) -> None:
    """A project without Hypothesis gets no folder, nor does a worker that never told anything."""
    examples.save(tmp_path / "here", told_by(examples.Keeper(pod)))
    examples.save(tmp_path / "here", {})
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    "name", ["../../escaped", f"{TEST}/../../escaped", "/etc/escaped", f"{TEST}/{NEW}/x", "conftest.py"]
)
def test_a_pod_cannot_write_or_delete_anything_else(name: str, tmp_path: Path) -> None:
    """Only names that Hypothesis gives its examples are believed."""
    here = tmp_path / "one" / "two"
    here.mkdir(parents=True)
    put(tmp_path, "escaped")
    before = sorted(tmp_path.rglob("*"))
    examples.save(here, {examples.SENT: {"added": {name: b"evil"}, "deleted": [name]}})
    assert sorted(tmp_path.rglob("*")) == before


def test_a_large_database_is_bounded(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the limit stays in the pod; the rest comes."""
    monkeypatch.setattr(examples, "LIMIT", 100)
    keeper = examples.Keeper(pod)
    put(pod, f"{TEST}/{NEW}", bytes(90))
    put(pod, f"{NEW}/{NEW}", bytes(90))
    assert len(told_by(keeper)[examples.SENT]["added"]) == 1
