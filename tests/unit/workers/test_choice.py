"""Laws of what a run sends: the project, its siblings, and not too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paddock.errors import UsageError
from paddock.workers.choice import choose, summary

if TYPE_CHECKING:
    from pathlib import Path

    from paddock.workers.sources import SourceSet


def write(root: Path, name: str, size: int = 1) -> None:
    """Make a file of ``size`` bytes, all of them holes."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    with (root / name).open("wb") as file:
        file.truncate(size)


def names(one: SourceSet) -> list[str]:
    """Return the paths of a set."""
    return [file.path for file in one.files]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project of one file."""
    write(tmp_path / "project", "a.py")
    return tmp_path / "project"


def test_siblings_are_sets_of_their_own(project: Path, tmp_path: Path) -> None:
    """Each is unpacked at its own path; patterns hold for each, relative to its root."""
    write(tmp_path / "sibling", "b.py")
    write(tmp_path / "sibling", "notes.txt")
    write(tmp_path / "sibling", ".nox/gen/c.py")
    chosen = choose(project, include=[".nox/gen"], exclude=["*.txt"], limit=100, others=[tmp_path / "sibling"])
    assert [one.root for one in chosen] == [project, tmp_path / "sibling"]
    assert list(map(names, chosen)) == [["a.py"], [".nox/gen/c.py", "b.py"]]


def test_no_file_is_sent_twice(project: Path) -> None:
    """A sibling around the project gives what lies beside the project."""
    write(project, "examples/one/test_one.py")
    write(project, "examples/one_more.py")
    inner, outer = choose(project / "examples" / "one", limit=100, others=[project])
    assert names(inner) == ["test_one.py"]
    assert names(outer) == ["a.py", "examples/one_more.py"]


def test_an_include_that_matches_nothing_is_told(project: Path) -> None:
    """A typing error in the list is named, not skipped."""
    with pytest.raises(UsageError, match=r"'mising\.py', but nothing below .*/project matches"):
        choose(project, include=["a.py", "mising.py"], limit=100, others=[])


def test_too_much_is_refused_with_the_largest_folders(project: Path, tmp_path: Path) -> None:
    """One sentence names size, limit, whom to blame, and what to do; siblings count as well."""
    write(project, "models/big/weights", 3 << 20)
    write(tmp_path / "sibling", "data/set", 5 << 20)
    with pytest.raises(UsageError) as caught:
        choose(project, limit=7 << 20, others=[tmp_path / "sibling"])
    assert "The sources are 8 MiB in 3 files, more than the 7 MiB allowed" in str(caught.value)
    assert f"folders are {tmp_path}/sibling/data (5 MiB), {project}/models/big (3 MiB)" in str(caught.value)
    assert "--paddock-exclude" in str(caught.value)
    assert choose(project, exclude=["models"], limit=7 << 20, others=[tmp_path / "sibling"])


def test_only_a_notable_size_is_worth_a_line(project: Path, tmp_path: Path) -> None:
    """A small project's header stays short; siblings are always named, as nobody sees them otherwise."""
    assert summary(choose(project, limit=100, others=[])) == ""
    write(tmp_path / "sibling", "b.py")
    with_sibling = choose(project, limit=100, others=[tmp_path / "sibling"])
    assert summary(with_sibling) == f"2 files, 0.0 MiB; with {tmp_path}/sibling"
    write(project, "weights", 21 << 20)
    assert summary(choose(project, limit=100 << 20, others=[])) == "2 files, 21.0 MiB"
