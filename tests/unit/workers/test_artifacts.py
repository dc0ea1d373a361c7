"""Laws of artifacts: what is packed in the pod, and what may be unpacked here."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock.specs import Artifacts, ExitStatus
from paddock.workers import artifacts
from paddock.workers.artifacts import Gathering, receive
from paddock.workers.inpod.artifacts import OVERHEAD, Gathered, Packer, Wanted, mark, pack
from paddock.workers.inpod.unpack import UnpackError
from paddock.workers.sources import collect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a worker's copy of the sources, with one file in it."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "sent.log").write_text("sent")
    return tmp_path / "root"


def begun(root: Path) -> int:
    """Return a time after which files count as written; a file system's clock ticks every few milliseconds."""
    since = mark(str(root.parent))
    while mark(str(root.parent)) == since:
        pass
    return since


def write(root: Path, *names: str, size: int = 3) -> None:
    """Make files as a test would."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * size)


def packed(root: Path, *patterns: str, size: int = LIMIT, since: int = 0) -> tuple[Gathered, dict[str, bytes]]:
    """Return what the pod says and what it sends."""
    stream = io.BytesIO()
    gathered = pack(Wanted(str(root), patterns, size), since, stream)
    if not stream.getvalue():
        return gathered, {}
    with tarfile.open(fileobj=io.BytesIO(stream.getvalue())) as tar:
        return gathered, {member.name: content(tar, member) for member in tar}


def content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return a member's bytes."""
    file = tar.extractfile(member)
    assert file
    return file.read()


def test_files_that_match_and_were_written_are_packed(root: Path) -> None:
    """What was sent and not touched stays; what was sent and written to comes."""
    (root / "other.log").write_text("sent as well")
    since = begun(root)
    write(root, "new.log", "deep/er/new.log", "new.txt", ".hidden.log")
    (root / "other.log").write_text("changed")
    os.utime(root / "other.log", (1_500_000_000, 1_500_000_000))
    gathered, files = packed(root, "**/*.log", since=since)
    assert files == {
        "other.log": b"changed",
        "new.log": b"xxx",
        "deep/er/new.log": b"xxx",
        ".hidden.log": b"xxx",
    }
    assert gathered == Gathered(files=4, size=16, names=[])


def test_nothing_to_pack_is_no_archive(root: Path) -> None:
    """Nobody has to unpack nothing."""
    assert packed(root, "*.png") == (Gathered(names=[]), {})


def test_links_become_the_files_they_lead_to(root: Path) -> None:
    """A link means nothing on another machine; broken ones and linked folders stay."""
    write(root, "a/real.log")
    (root / "latest.log").symlink_to("a/real.log")
    (root / "broken.log").symlink_to("nowhere")
    (root / "folder.log").symlink_to("a")
    assert packed(root, "latest.log", "broken.log", "folder.log")[1] == {"latest.log": b"xxx"}


def test_beyond_the_limit_small_files_come_first(root: Path) -> None:
    """Most files come, and those that do not are counted and named."""
    write(root, "big1.bin", "big2.bin", size=5000)
    write(root, "c.bin", "d.bin")
    gathered, files = packed(root, "*.bin", size=5006 + 3 * OVERHEAD)
    assert sorted(files) == ["big1.bin", "c.bin", "d.bin"]
    assert gathered == Gathered(3, 5006, 1, 5000, ["big2.bin"])


def test_a_file_that_shrinks_meanwhile_does_no_harm(root: Path) -> None:
    """Something the worker left behind may still write: the archive stays whole."""
    write(root, "a.bin", "b.bin", size=100)
    taken = artifacts_found(root)
    (root / "a.bin").write_bytes(b"x")
    (root / "b.bin").unlink()
    stream = io.BytesIO()
    from paddock.workers.inpod.artifacts import _write  # noqa: PLC0415 - only the moment between can show it

    _write(str(root), taken, stream)
    with tarfile.open(fileobj=io.BytesIO(stream.getvalue())) as tar:
        assert [(member.name, content(tar, member)) for member in tar] == [("a.bin", b"x".ljust(100, b"\0"))]


def artifacts_found(root: Path) -> list[Any]:
    """Return what the pod found before something changed."""
    from paddock.workers.inpod.artifacts import _written  # noqa: PLC0415 - see above

    return sorted(_written(Wanted(str(root), ["*.bin"], LIMIT), 0))


def test_the_packer_fills_a_pipe_and_says_what_it_packed(root: Path) -> None:
    """Its result is there when the pipe has ended."""
    write(root, "a.bin", size=1 << 18)
    packer = Packer(Wanted(str(root), ["*.bin"], LIMIT), 0)
    with packer.pipe as pipe:
        archive = pipe.readall()  # type: ignore[attr-defined] # a raw file
    assert packer.result().files == 1
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == ["a.bin"]


@pytest.mark.may_leave("thread", reason="the packer's thread ends when it notices that its reader went")
def test_a_packer_whose_reader_goes_ends(root: Path) -> None:
    """A client that wants no more closes the pipe."""
    (root / "random.bin").write_bytes(os.urandom(1 << 20))  # no pipe holds it, however well it is packed
    packer = Packer(Wanted(str(root), ["*.bin"], 4 << 20), 0)
    packer.pipe.close()
    assert packer.result().error


# --- on this machine


def archive(*members: tarfile.TarInfo) -> bytes:
    """Return an archive of ``members``; files get zeros as content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for one in members:
            tar.addfile(one, io.BytesIO(bytes(one.size)))
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, **headers: str) -> tarfile.TarInfo:
    """Return a member of the archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.pax_headers = kind, "/etc/passwd", size, headers
    return info


def received(data: bytes, folder: Path, limit: int = LIMIT) -> int:
    """Receive ``data`` in small portions and return the number of files."""
    stream = io.BytesIO(data)
    return receive(lambda count: stream.read(min(count, 1000)), folder, limit).files


def test_what_was_packed_is_received(root: Path, tmp_path: Path) -> None:
    """Both halves understand each other."""
    write(root, "a/b.bin", "größe.bin", "long" * 40 + ".bin", size=70_000)
    stream = io.BytesIO()
    pack(Wanted(str(root), ["**/*.bin"], LIMIT), 0, stream)
    assert received(stream.getvalue(), tmp_path / "here") == 3
    assert (tmp_path / "here" / "a" / "b.bin").read_bytes() == b"x" * 70_000


def test_nothing_makes_no_folder(tmp_path: Path) -> None:
    """A run without artifacts leaves no trace."""
    assert received(b"", tmp_path / "here") == 0
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_nothing_lands_outside_the_folder(name: str, tmp_path: Path) -> None:
    """Whatever a pod sends."""
    with pytest.raises(UnpackError):
        received(archive(member(name)), tmp_path / "here")
    assert not (tmp_path / "outside").exists()
    assert not Path("/outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_nothing_but_plain_files_is_made(kind: bytes, tmp_path: Path) -> None:
    """No link, no device, no pipe, however harmless it looks."""
    with pytest.raises(UnpackError, match="no plain file"):
        received(archive(member("thing", kind)), tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_small_archive_of_a_large_file_is_refused(tmp_path: Path) -> None:
    """A thousand bytes can hold gigabytes of zeros."""
    huge = archive(member("zeros", size=50 << 20))
    assert len(huge) < LIMIT
    with pytest.raises(UnpackError, match="larger than"):
        received(huge, tmp_path / "here")
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= LIMIT + artifacts.SLACK


def test_a_huge_header_is_refused(tmp_path: Path) -> None:
    """Headers are read into memory; they count as well."""
    with pytest.raises(UnpackError, match="larger than"):
        received(archive(member("a", comment="x" * (20 << 20))), tmp_path / "here")


@pytest.mark.parametrize(
    "data",
    [b"not an archive", gzip.compress(b"not a tar"), archive(member("a", size=9999))[:-20]],
    ids=["no gzip", "no tar", "cut short"],
)
def test_a_damaged_archive_is_told(data: bytes, tmp_path: Path) -> None:
    """A stream that was cut off is no smaller set of files."""
    with pytest.raises(UnpackError):
        received(data, tmp_path / "here")


class Stream:
    """A worker's stream that has an archive to give, or waits until it is dropped."""

    def __init__(self, data: bytes = b"", gathered: Mapping[str, Any] | None = None, *, stuck: bool = False) -> None:
        self._data, self._gathered, self._stuck = io.BytesIO(data), gathered, stuck
        self.asked: tuple[str, list[str], int] | None = None
        self._dropped = threading.Event()

    def want_artifacts(self, root: str, patterns: Sequence[str], size: int) -> None:
        self.asked = (root, list(patterns), size)

    def read_artifacts(self, count: int) -> bytes:
        data = self._data.read(count)
        if not data and self._stuck:
            assert self._dropped.wait(20)
        return data

    def drop_artifacts(self) -> None:
        self._dropped.set()

    def gathered(self) -> Mapping[str, Any] | None:
        return self._gathered

    def wait_started(self, _timeout: float) -> int | None:
        return 1

    def wait(self, _timeout: float) -> ExitStatus | None:
        return ExitStatus(cause="The pod was evicted.")


def stream_of(root: Path, *patterns: str, size: int = LIMIT) -> Stream:
    """Return the stream of a worker that wrote what lies below ``root``."""
    stream = io.BytesIO()
    gathered = pack(Wanted(str(root), patterns, size), 0, stream)
    return Stream(stream.getvalue(), json.loads(json.dumps(gathered._asdict())))


def finished(folder: Path, seconds: float = 20, **streams: Stream) -> list[str]:
    """Return what is told of a run whose workers have these streams."""
    gathering = Gathering(Artifacts(patterns=("*.bin",), folder=folder, size=LIMIT))
    for worker, stream in streams.items():
        gathering.begin(worker, stream, "/root")
        assert stream.asked == ("/root", ["*.bin"], LIMIT)
    return gathering.finish(seconds)


def test_each_worker_has_a_folder(root: Path, tmp_path: Path) -> None:
    """One line says how much came and where it is; git ignores all of it."""
    write(root, "a.bin", "b.bin", size=1 << 19)
    folder = tmp_path / "here"
    told = finished(folder, gw0=stream_of(root, "a.bin"), gw1=stream_of(root, "*.bin"), gw2=stream_of(root, "*.no"))
    # Two files of half the limit do not fit both, since a header counts as well.
    assert told[0] == f"artifacts: 2 files, 1.0 MiB, in {folder}"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.bin")) == ["gw0/a.bin", "gw1/a.bin"]
    assert (folder / ".gitignore").read_text().endswith("\n*\n")
    assert collect(tmp_path).paths == {"root/a.bin", "root/b.bin", "root/sent.log"}
    assert len(told) == 2
    assert told[1].startswith("artifacts of gw1: 1 file, 0.5 MiB, did not come, such as b.bin: one worker may send 1 M")


def test_a_pattern_that_nothing_matches_is_told(root: Path, tmp_path: Path) -> None:
    """Whoever asked for files hears why there are none."""
    assert finished(tmp_path / "here", gw0=stream_of(root, "*.no")) == [
        "artifacts: tests wrote no file that matches *.bin"
    ]


def test_artifacts_that_got_lost_are_told(tmp_path: Path) -> None:
    """With the reason that is known, and whatever came before."""
    told = finished(tmp_path / "here", gw0=Stream(), gw1=Stream(archive(member("a.bin", tarfile.SYMTYPE)), {}))
    assert told == [
        "artifacts of gw0 did not all come: The pod was evicted.",
        "artifacts of gw1 did not all come: The archive holds 'a.bin', which is no plain file.",
    ]


def test_nobody_waits_longer_than_allowed(tmp_path: Path) -> None:
    """A worker that sends nothing more is given up, and its thread ends."""
    told = finished(tmp_path / "here", seconds=0.1, gw0=Stream(stuck=True))
    assert "artifacts of gw0 took longer than 0.1 s" in told[-1]


def test_the_next_run_removes_what_the_last_one_left(root: Path, tmp_path: Path) -> None:
    """Only in a folder of our making, and only what is called like a worker."""
    write(root, "a.bin")
    ours, others = tmp_path / "ours", tmp_path / "others"
    finished(ours, gw7=stream_of(root, "*.bin"))
    write(ours, "notes/gw7.bin")
    write(others, "gw7/a.bin")
    for folder in (ours, others):
        finished(folder, gw0=stream_of(root, "*.bin"))
    assert sorted(path.name for path in ours.iterdir()) == [".gitignore", ".paddock-artifacts", "gw0", "notes"]
    assert sorted(path.name for path in others.iterdir()) == ["gw0", "gw7"]
