"""Laws of the in-pod half's small parts: memory evidence, facts, options, journal, pipes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from paddock.workers import inpod_files
from paddock.workers.inpod.facts import write_facts
from paddock.workers.inpod.journal import Journal
from paddock.workers.inpod.memory import Memory, cause_of, read_memory
from paddock.workers.inpod.options import Options, parse
from paddock.workers.inpod.pipes import Outlet, next_rest
from paddock.workers.inpod.process import StartError, make_folders, make_links, signal_name

if TYPE_CHECKING:
    from pathlib import Path


def test_memory_is_read_from_version_2(tmp_path: Path) -> None:
    """``memory.events`` counts kills and ``memory.max`` is the limit."""
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n")
    (tmp_path / "memory.max").write_text("536870912\n")
    (tmp_path / "memory.peak").write_text("536870000\n")
    assert read_memory(str(tmp_path)) == Memory(2, 512 << 20, 536870000)


def test_memory_is_read_from_version_1(tmp_path: Path) -> None:
    """``memory.oom_control`` counts kills; a limit beyond all memory is none."""
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (tmp_path / "memory" / "memory.max_usage_in_bytes").write_text("4096\n")
    assert read_memory(str(tmp_path)) == Memory(1, 0, 4096)


def test_no_control_group_is_no_evidence(tmp_path: Path) -> None:
    """Without the files nothing is claimed."""
    assert read_memory(str(tmp_path)) == Memory(0, 0)
    (tmp_path / "memory.max").write_text("max\n")
    assert read_memory(str(tmp_path)) == Memory(0, 0)


@pytest.mark.parametrize(
    ("before", "after", "signal", "words"),
    [
        (0, 1, 9, "killed for exceeding its memory limit (512 MiB)"),
        (0, 1, None, "A process it had started was killed"),
        (1, 1, 9, ""),
        (0, 0, None, ""),
    ],
)
def test_a_kill_for_memory_is_said_only_with_evidence(before: int, after: int, signal: int | None, words: str) -> None:
    """Only a counter that grew blames the memory, and SIGKILL tells the worker from its children."""
    cause = cause_of(Memory(before, 512 << 20), Memory(after, 512 << 20), signal)
    assert words in cause
    assert bool(words) == bool(cause)


def test_facts_are_replaced_as_a_whole(tmp_path: Path) -> None:
    """The newest mapping is read, and nothing else lies in the folder."""
    write_facts(str(tmp_path / "facts"), "broker", {"failed": "it is gone"})
    write_facts(str(tmp_path / "facts"), "broker", {"failed": ""})
    assert json.loads((tmp_path / "facts" / "broker.json").read_text()) == {"failed": ""}
    assert [path.name for path in (tmp_path / "facts").iterdir()] == ["broker.json"]


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden", "x" * 101])
def test_names_of_facts_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    """A name that could leave the folder is refused by name."""
    with pytest.raises(ValueError, match="as a name of facts"):
        write_facts(str(tmp_path), name, {})


def test_options_have_defaults() -> None:
    """Only the socket must be named."""
    assert parse(["supervise", "--socket", "/run/w.sock"]) == Options("/run/w.sock", 120.0, 2.0)
    assert parse(["supervise", "--orphan", "3", "--socket", "s"]).orphan == 3.0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["serve", "--socket", "s"],
        ["supervise", "--socket"],
        ["supervise"],
        ["supervise", "--socket", "s", "--x", "1"],
    ],
)
def test_a_wrong_command_line_is_told(arguments: list[str]) -> None:
    """What is written instead is in the message."""
    with pytest.raises(SystemExit, match="Expected"):
        parse(arguments)


def test_links_are_made_with_their_folders_and_replaced(tmp_path: Path) -> None:
    """A venv's place may not exist yet, and may hold a link of an earlier start."""
    path = tmp_path / "project" / ".venv"
    make_links({str(path): "/opt/old"})
    make_links({str(path): "/opt/paddock/venv"})
    assert str(path.readlink()) == "/opt/paddock/venv"


def test_a_link_that_is_as_wanted_is_left_alone(tmp_path: Path) -> None:
    """The image may have made it, where its user may not write."""
    (tmp_path / "venv").symlink_to("/opt/paddock/venv")
    before = (tmp_path / "venv").lstat()
    make_links({str(tmp_path / "venv"): "/opt/paddock/venv"})
    assert (tmp_path / "venv").lstat().st_ctime_ns == before.st_ctime_ns


def test_a_folder_in_the_place_of_a_link_is_told(tmp_path: Path) -> None:
    """Real files are never removed for a link; the message names both."""
    with pytest.raises(StartError, match="could not be made"):
        make_links({str(tmp_path): "/opt/paddock/venv"})


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The message names the folder."""
    (tmp_path / "file").write_text("")
    make_folders([str(tmp_path / "a" / "b")])
    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(StartError, match="file/sub"):
        make_folders([str(tmp_path / "file" / "sub")])


def test_signals_have_names() -> None:
    """Known ones are named as ``kill -l`` does, others by number."""
    assert signal_name(11) == "SIGSEGV"
    assert signal_name(99) == "signal 99"


def test_the_journal_bounds_the_echo() -> None:
    """Beyond its limit the worker's output is not repeated, and one line says so."""
    reading, writing = os.pipe()
    journal = Journal(writing, echo_limit=10)
    for _ in range(3):
        journal.echo(b"123456\n")
    os.close(writing)
    with os.fdopen(reading) as log:
        text = log.read()
    assert text.count("123456") == 2
    assert text.count("not repeated here") == 1


def test_a_log_that_nobody_reads_does_not_block() -> None:
    """Lines are dropped when the pipe is full; without its reader as well."""
    reading, writing = os.pipe()
    journal = Journal(writing)
    for _ in range(100):
        journal.line("x" * 4000)
    os.close(reading)
    journal.line("nobody is there")
    os.close(writing)


def test_an_outlet_keeps_what_is_put_before_its_pipe() -> None:
    """Bytes for a worker that is not started yet wait, in order, and its end as well."""
    written: list[int] = []
    outlet = Outlet(written.append)
    outlet.put(b"early ")
    outlet.put(b"bird")
    outlet.end()
    reading, writing = os.pipe()
    outlet.connect(os.fdopen(writing, "wb", buffering=0))
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"early bird"
    assert sum(written) == 10


def test_an_outlet_without_a_reader_lets_everything_through() -> None:
    """A worker that closed its stdin must not block the channels of others."""
    written: list[int] = []
    outlet = Outlet(written.append)
    reading, writing = os.pipe()
    outlet.connect(os.fdopen(writing, "wb", buffering=0))
    os.close(reading)
    outlet.put(b"to nobody")
    outlet.put(b"again")
    assert sum(written) == 14
    assert outlet.interest() == 0


def test_rests_grow_only_while_the_writer_never_pauses() -> None:
    """What comes after a silence goes at once; a steady flow of small portions goes in fewer and larger ones."""
    rests = [0.0]
    for _ in range(4):
        rests.append(next_rest(rests[-1], rests[-1] / 2, 100))
    assert rests == [0.0, 0.01, 0.02, 0.04, 0.04]
    assert next_rest(0.04, 0.05, 100) == 0.01, "there was a pause"
    assert next_rest(0.04, 0.0, 1 << 20) == 0.0, "a large portion has enough to carry"


def test_the_files_for_the_image_are_complete_and_self_contained() -> None:
    """Every module is there by its archive path, and imports nothing but the standard library and its siblings."""
    files = inpod_files.files()
    assert "paddock/workers/inpod/__main__.py" in files
    assert "paddock/__init__.py" not in files
    for name, content in files.items():
        assert b"paddock.errors" not in b"\n".join(
            line for line in content.splitlines() if line.startswith((b"import", b"from"))
        ), name


def test_the_command_is_isolated() -> None:
    """The supervisor runs apart from everything the tests may set or install."""
    assert inpod_files.command("/opt/python", "attach", "/run/w.sock") == [
        "/opt/python",
        "-I",
        "-S",
        "-B",
        "-u",
        "/opt/paddock/lib/paddock/workers/inpod/__main__.py",
        "attach",
        "--socket",
        "/run/w.sock",
    ]
