"""Layers as values."""

from __future__ import annotations

import stat

from hypothesis import given
from hypothesis import strategies as st

from paddock.images.layers import Content, Directory, Entry, Link, canonical, complete, merged, readable_mode

SEGMENT = st.sampled_from(["a", "b", "lib", "usr"])
PATH = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)


@given(mode=st.integers(0, 0o7777))
def test_every_file_is_readable_by_everyone_and_has_no_special_bits(mode: int) -> None:
    """A pod's user is a number that owns nothing: what it may not read is lost, what changes the user is refused."""
    changed = readable_mode(mode)
    assert changed & 0o444 == 0o444
    assert changed & (stat.S_ISUID | stat.S_ISGID | 0o022) == 0
    assert bool(changed & 0o111) == bool(mode & 0o111)


def test_a_path_through_a_link_lies_where_the_link_leads() -> None:
    """A package's ``lib`` must not replace the base's link from ``lib`` to ``usr/lib``."""
    assert canonical("lib/x86/libwrap.so.0", {"lib": "usr/lib"}) == "usr/lib/x86/libwrap.so.0"


def test_absolute_relative_and_chained_links_are_followed() -> None:
    """Links are followed as the kernel does, from the folder they lie in."""
    links = {"home": "/mnt/home", "mnt": "data/mnt", "data/mnt/home/me": "../you"}
    assert canonical("/home/me/project", links) == "data/mnt/you/project"


def test_a_link_itself_stays_where_it_is() -> None:
    """Only folders above a path are followed: a link can be an entry."""
    assert canonical("lib", {"lib": "usr/lib"}) == "lib"


@given(path=PATH, links=st.dictionaries(PATH, PATH, max_size=3))
def test_following_links_always_ends(path: str, links: dict[str, str]) -> None:
    """A loop of links ends in some path, not in a hang."""
    assert canonical(path, links)


@given(places=st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join), min_size=1))
def test_every_parent_is_there_before_its_children(places: set[str]) -> None:
    """Unpackers make missing folders with modes of their own, so none is missing."""
    made = list(complete(dict.fromkeys(places, Directory()), {}))
    assert all("/" not in path or made.index(path.rsplit("/", 1)[0]) < made.index(path) for path in made)


def test_parents_are_opened_but_keep_other_bits() -> None:
    """``/root`` is 0700 in a distribution and the interpreter may lie below; ``/tmp`` stays writable for everyone."""
    below: dict[str, Entry] = {"root": Directory(0o700), "tmp": Directory(0o1777)}
    made = complete({"root/.pyenv/python": Content(b""), "tmp/venv": Link("/opt/paddock/venv")}, below)
    assert made["root"] == Directory(0o755)
    assert made["tmp"] == Directory(0o1777)
    assert made["root/.pyenv"] == Directory(0o755)


def test_entries_of_a_layer_are_placed_through_links_of_the_layer_below() -> None:
    """A layer never shadows a link of the layer below with a folder."""
    made = complete({"lib/libz.so": Content(b"")}, {"lib": Link("usr/lib"), "usr/lib": Directory()})
    assert "lib" not in made
    assert "usr/lib/libz.so" in made


def test_upper_layers_win() -> None:
    """What is seen of two layers is the upper one's entry."""
    assert merged([{"a": Directory()}, {"a": Link("b")}]) == {"a": Link("b")}
