"""Shared libraries beside the base."""

from __future__ import annotations

import sys
from pathlib import Path

from paddock.images import libraries
from paddock.images.layers import Content, Entry, File, Link

OUTPUT = """\
/usr/lib/python3/_ssl.so:
\tlinux-vdso.so.1 (0x00007ffd3a5f2000)
\tlibssl.so.3 => /lib/x86_64-linux-gnu/libssl.so.3 (0x00007f1c)
\tlibcuda.so.1 => not found
\t/lib64/ld-linux-x86-64.so.2 (0x00007f2d)
/usr/lib/python3/plain.so:
\tnot a dynamic executable
\tstatically linked
"""


def test_only_libraries_that_were_found_are_listed() -> None:
    """The kernel's object has no file, and an optional library that is absent here is absent there too."""
    assert libraries.parse(OUTPUT) == {
        "libssl.so.3": Path("/lib/x86_64-linux-gnu/libssl.so.3"),
        "ld-linux-x86-64.so.2": Path("/lib64/ld-linux-x86-64.so.2"),
    }


def test_the_interpreter_needs_the_c_library() -> None:
    """The loader is really asked."""
    assert "libc.so.6" in libraries.needed([Path(sys.executable)])


def test_libraries_of_the_base_are_not_copied() -> None:
    """The base is of the same release: its copy is the same, and found through its own links."""
    below: dict[str, Entry] = {"lib": Link("usr/lib"), "usr/lib/libz.so.1": Content(b"")}
    assert libraries.entries({"libz.so.1": Path("/lib/libz.so.1")}, below) == {}


def test_a_versioned_library_comes_with_the_link_that_names_it(tmp_path: Path) -> None:
    """The loader asks for the link; both are needed."""
    (tmp_path / "libfoo.so.1.2").write_bytes(b"")
    (tmp_path / "libfoo.so.1").symlink_to("libfoo.so.1.2")
    made = libraries.entries({"libfoo.so.1": tmp_path / "libfoo.so.1"}, {})
    place = str(tmp_path).strip("/")
    assert made[f"{place}/libfoo.so.1"] == Link(f"/{place}/libfoo.so.1.2")
    assert made[f"{place}/libfoo.so.1.2"] == File(tmp_path / "libfoo.so.1.2")


def test_a_library_outside_the_standard_folder_is_linked_there(tmp_path: Path) -> None:
    """The image has no loader cache that knows ``/usr/local/lib``: the standard folder is searched without one."""
    (tmp_path / "libbar.so.3").write_bytes(b"")
    found = {"libc.so.6": Path("/lib/x86/libc.so.6"), "libbar.so.3": tmp_path / "libbar.so.3"}
    made = libraries.entries(found, {"lib": Link("usr/lib"), "usr/lib/x86/libc.so.6": Content(b"")})
    assert made["usr/lib/x86/libbar.so.3"] == Link(f"{tmp_path}/libbar.so.3")
