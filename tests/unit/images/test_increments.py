"""A small layer on an earlier one, instead of a new one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.images import increments
from paddock.images.layers import Content, Directory, Entry, File, Link, Slice, complete

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENTRY = st.one_of(
    st.builds(Directory), st.builds(Link, st.just("/elsewhere")), st.builds(Content, st.binary(max_size=1))
)
PLACES = ["usr/a", "usr/lib/b", "usr/lib/c/d", "usr/lib/c/e/f", "opt/g", "opt/g/h", "srv/i"]
BELOW: Mapping[str, Entry] = {"usr": Directory(), "usr/lib": Directory(), "usr/lib/z": Content(b"z")}


def trees(base: Mapping[str, Entry]) -> st.SearchStrategy[dict[str, Entry]]:
    """Complete layers: nothing lies below a file or a link."""
    chosen = st.dictionaries(st.sampled_from(PLACES), ENTRY)
    return chosen.map(without_impossible).map(lambda entries: complete(entries, base))


def without_impossible(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    blocked = [f"{path}/" for path, entry in entries.items() if not isinstance(entry, Directory)]
    return {path: entry for path, entry in entries.items() if not path.startswith(tuple(blocked))}


def seen(*layers: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return what a container runtime shows of layers, as the image specification says."""
    found: dict[str, Entry] = {}
    for layer in layers:
        deleted = [path.replace(".wh.", "") for path in layer if ".wh." in path]
        hidden = [path for path, entry in layer.items() if not isinstance(entry, Directory)]
        gone = tuple(f"{path}/" for path in (*deleted, *hidden))
        found = {path: entry for path, entry in found.items() if not f"{path}/".startswith(gone)}
        found |= {path: entry for path, entry in layer.items() if ".wh." not in path}
    return found


@given(earlier=trees(BELOW), later=trees(BELOW))
def test_earlier_layer_and_changes_show_what_a_new_layer_shows(
    earlier: dict[str, Entry], later: dict[str, Entry]
) -> None:
    """Whatever was added, changed or removed: nobody can tell the two images apart."""
    changes = increments.on_top(later, earlier, BELOW)
    assert seen(BELOW, earlier, changes) == seen(BELOW, later)


def test_nothing_changed_needs_nothing() -> None:
    """The layer is empty, without even a folder."""
    entries = complete({"opt/a": Content(b"")}, {})
    assert increments.on_top(entries, entries, {}) == {}


def test_folders_of_the_base_are_never_deleted() -> None:
    """The last library in a folder of the base goes; the folder holds more than ours."""
    earlier = complete({"usr/lib/ours.so": Content(b"")}, BELOW)
    changes = increments.on_top({}, earlier, {**BELOW})
    assert not [path for path in changes if path.endswith((".wh.usr", ".wh.lib"))]


def slice_of(content: bytes, mode: int = 0o644) -> Slice:
    return Slice(None, 0, len(content), hashlib.sha256(content).hexdigest(), mode)  # type: ignore[arg-type] # never read


@pytest.mark.parametrize(
    ("old", "is_same"),
    [(slice_of(b"same"), True), (slice_of(b"else"), False), (slice_of(b"same", 0o755), False), (Directory(), False)],
)
def test_a_file_is_taken_over_by_content_and_mode(tmp_path: Path, old: Entry, is_same: bool) -> None:  # noqa: FBT001 - a column of the table
    """Times say nothing: environments are made anew with the same distributions."""
    source = tmp_path / "file"
    source.write_bytes(b"same")
    file = File(source)
    assert increments.taken_over({"a": file}, {"a": old}) == {"a": old if is_same else file}


@pytest.mark.parametrize(
    ("kept", "replaced", "new", "is_worth_it"),
    [(100, 0, 10, True), (100, 90, 100, True), (100, 110, 0, False), (100, 0, 110, False), (0, 0, 0, False)],
)
def test_a_new_layer_is_made_when_little_is_kept_or_much_is_new(
    tmp_path: Path,
    kept: int,
    replaced: int,
    new: int,
    is_worth_it: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Otherwise every later change would move or make the same things again."""
    (tmp_path / "new").write_bytes(b"x" * new)
    old: dict[str, Entry] = {"a": slice_of(b"a" * kept), "b": slice_of(b"b" * replaced)} if kept else {}
    entries: dict[str, Entry] = {**{name: old[name] for name in ("a",) if name in old}, "c": File(tmp_path / "new")}
    assert increments.is_worth_it(entries, old) is is_worth_it
