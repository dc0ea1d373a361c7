"""Laws of packing and unpacking: what comes out is what went in, and nothing lands outside."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest

from paddock.workers.inpod.unpack import Unpacked, Unpacker, UnpackError, unpack
from paddock.workers.sources import collect, pack

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def archive(*members: tarfile.TarInfo) -> io.BytesIO:
    """Return an archive of ``members``; files get zeros as content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    stream.seek(0)
    return stream


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Return a member of the archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def transferred(root: Path, target: Path) -> Unpacked:
    """Pack ``root`` and unpack it at ``target``."""
    return unpack(io.BytesIO(b"".join(pack(collect(root)))), str(target))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a folder with one of everything a project may hold."""
    root = tmp_path / "project"
    (root / "package" / "deep").mkdir(parents=True)
    (root / "package" / "module.py").write_bytes(b"x = 1\n" * 1000)
    (root / "package" / "deep" / "empty").write_bytes(b"")
    (root / "tool.sh").write_text("#!/bin/sh\n")
    (root / "tool.sh").chmod(0o755)
    (root / ("long" * 40)).write_text("a name longer than the tar format's field")
    (root / "größe.txt").write_text("not ASCII")
    (root / "broken").symlink_to("nowhere/at/all")
    (root / "absolute").symlink_to("/etc/hostname")
    (root / "inner").symlink_to("package")
    os.utime(root / "package" / "module.py", (1_500_000_000, 1_500_000_000))
    return root


def described(root: Path) -> dict[str, tuple[str, bool, bytes]]:
    """Return kind, executability and content of everything below ``root``."""
    result = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            result[str(path.relative_to(root))] = ("link", False, os.fsencode(path.readlink()))
        elif path.is_file():
            executable = bool(path.stat().st_mode & stat.S_IXUSR)
            result[str(path.relative_to(root))] = ("file", executable, path.read_bytes())
    return result


def test_what_comes_out_is_what_went_in(tree: Path, tmp_path: Path) -> None:
    """Content, names, executable bits and links (broken, absolute, to folders) arrive as they are."""
    report = transferred(tree, tmp_path / "pod" / "project")
    assert described(tmp_path / "pod" / "project") == described(tree)
    assert report.files == 5
    assert report.size == sum(len(content) for kind, _, content in described(tree).values() if kind == "file")


def test_modification_times_are_kept(tree: Path, tmp_path: Path) -> None:
    """Bytecode is valid for its source's time, so the time travels."""
    transferred(tree, tmp_path / "pod")
    assert (tmp_path / "pod" / "package" / "module.py").stat().st_mtime == 1_500_000_000


def test_unpacking_again_replaces_files(tree: Path, tmp_path: Path) -> None:
    """A second transfer to the same place gives the new content."""
    transferred(tree, tmp_path / "pod")
    (tree / "tool.sh").write_text("#!/bin/true\n")
    transferred(tree, tmp_path / "pod")
    assert (tmp_path / "pod" / "tool.sh").read_text() == "#!/bin/true\n"


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", "."])
def test_names_outside_the_root_are_refused(name: str, tmp_path: Path) -> None:
    """No name of an archive leads out of the root, and the message names it."""
    with pytest.raises(UnpackError, match="outside"):
        unpack(archive(member(name)), str(tmp_path / "root"))
    assert not (tmp_path / "outside").exists()


def test_nothing_is_written_through_a_link_that_leads_out(tmp_path: Path) -> None:
    """A link may point anywhere, but no file or folder is made behind it."""
    (tmp_path / "outside").mkdir()
    link = member("link", tarfile.SYMTYPE, str(tmp_path / "outside"))
    with pytest.raises(UnpackError, match="symbolic link"):
        unpack(archive(link, member("link/sub/file")), str(tmp_path / "root"))
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.LNKTYPE])
def test_other_kinds_of_members_are_refused(kind: bytes, tmp_path: Path) -> None:
    """Devices, pipes and hard links have no place among sources."""
    with pytest.raises(UnpackError, match="neither file"):
        unpack(archive(member("thing", kind, "target")), str(tmp_path / "root"))


@pytest.mark.parametrize("keep", [10, 60, 200])
def test_a_cut_off_archive_is_told(keep: int, tree: Path, tmp_path: Path) -> None:
    """An archive that ends early is no smaller project but an error."""
    whole = b"".join(pack(collect(tree)))
    with pytest.raises(UnpackError, match="damaged"):
        unpack(io.BytesIO(whole[:keep]), str(tmp_path / "root"))


def fed(unpacker: Unpacker, chunks: Iterable[bytes]) -> Unpacked | str:
    """Write ``chunks`` to the unpacker and return what it says."""
    with unpacker.pipe as pipe:
        for chunk in chunks:
            pipe.write(chunk)
    return unpacker.result()


def test_the_unpacker_works_while_bytes_arrive(tree: Path, tmp_path: Path) -> None:
    """Bytes written in small portions are unpacked, and the end is announced once."""
    done: list[bool] = []
    data = b"".join(pack(collect(tree)))
    unpacker = Unpacker(str(tmp_path / "pod"), lambda: done.append(True))
    result = fed(unpacker, (data[start : start + 100] for start in range(0, len(data), 100)))
    assert isinstance(result, Unpacked)
    assert described(tmp_path / "pod") == described(tree)


def test_the_unpacker_says_why_it_failed(tmp_path: Path) -> None:
    """A root that cannot be made is a sentence with its name, not a dead thread."""
    (tmp_path / "file").write_text("")
    result = fed(Unpacker(str(tmp_path / "file" / "root"), lambda: None), [])
    assert isinstance(result, str)
    assert str(tmp_path / "file" / "root") in result
