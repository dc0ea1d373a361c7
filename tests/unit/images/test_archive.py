"""Layer archives."""

from __future__ import annotations

import hashlib
import os
import tarfile
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddock.images import archive
from paddock.images.layers import Content, Directory, Entry, File, Link, Slice

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = st.one_of(
    st.builds(Directory),
    st.builds(Link, st.text("ab/", min_size=1)),
    st.builds(Content, st.binary(max_size=20)),
)
PLACE = st.lists(st.text("abcé", min_size=1, max_size=60), min_size=1, max_size=3).map("/".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.dictionaries(PLACE, ENTRY))
def test_equal_entries_give_equal_bytes_in_any_order(tmp_path: Path, entries: dict[str, Entry]) -> None:
    """The digest of a layer depends on what it holds, not on how it was collected."""
    forward, _ = archive.write(entries, tmp_path / "forward.tar")
    backward, _ = archive.write(dict(reversed(entries.items())), tmp_path / "backward.tar")
    assert forward == backward


def test_times_and_owners_of_this_machine_stay_out(tmp_path: Path) -> None:
    """A file that was touched gives the same layer."""
    source = tmp_path / "module.py"
    source.write_text("pass\n")
    first, _ = archive.write({"module.py": File(source)}, tmp_path / "first.tar")
    os.utime(source, (1, 1))
    assert archive.write({"module.py": File(source)}, tmp_path / "second.tar")[0] == first


def test_kinds_contents_and_modes_survive(tmp_path: Path) -> None:
    """What is unpacked is what was packed."""
    source = tmp_path / "tool"
    source.write_bytes(b"#!/bin/sh\n")
    entries: dict[str, Entry] = {"bin": Directory(0o1777), "bin/tool": File(source, 0o755), "bin/alias": Link("tool")}
    archive.write(entries, tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as opened:
        found = {member.name: (member.type, member.mode, member.uid, member.linkname) for member in opened}
        tool = opened.extractfile("bin/tool")
        assert tool is not None
        assert tool.read() == b"#!/bin/sh\n"
    assert found == {
        "bin": (tarfile.DIRTYPE, 0o1777, 0, ""),
        "bin/alias": (tarfile.SYMTYPE, 0o777, 0, "tool"),
        "bin/tool": (tarfile.REGTYPE, 0o755, 0, ""),
    }


def test_the_digest_is_of_the_stored_bytes(tmp_path: Path) -> None:
    """A registry verifies the digest against what it receives."""
    blob, _ = archive.write({"a": Content(b"b")}, tmp_path / "layer.tar")
    stored = (tmp_path / "layer.tar").read_bytes()
    assert blob == archive.Blob(digest=f"sha256:{hashlib.sha256(stored).hexdigest()}", size=len(stored))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.dictionaries(PLACE, ENTRY))
def test_slices_of_a_layer_give_the_same_layer_again(tmp_path: Path, entries: dict[str, Entry]) -> None:
    """What an earlier layer holds serves a later one, without the files it was made of."""
    blob, slices = archive.write(entries, tmp_path / "earlier.tar")
    assert not any(isinstance(entry, Content) for entry in slices.values())
    assert archive.write(slices, tmp_path / "later.tar")[0] == blob


def test_a_slice_knows_the_digest_of_its_content(tmp_path: Path) -> None:
    """By it a later build sees whether a file is still the same."""
    _, slices = archive.write({"a": Content(b"x" * 513), "b": Content(b"other", 0o755)}, tmp_path / "layer.tar")
    found = slices["b"]
    assert isinstance(found, Slice)
    assert (found.digest, found.mode) == (hashlib.sha256(b"other").hexdigest(), 0o755)
