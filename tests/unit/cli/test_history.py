"""``paddock history``: what is printed, written and refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from paddock.cli.main import main
from paddock.scheduling import history_file
from paddock.scheduling.history import measured

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOW = int(time.time())


def test_show_lists_the_longest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Expected seconds, what a file's tests share, and how many runs measured it."""
    path = tmp_path / "history.jsonl"
    history_file.save(path, measured(NOW, {"a.py::t": 1.5, "a.py::u": 12.25, "a.py": 3}))
    assert main(["history", "show", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "   12.250 s  a.py::u  [1]",
        "    3.000 s  a.py  (shared by its tests)  [1]",
        "    1.500 s  a.py::t  [1]",
        "   16.750 s  in all, 2 tests",
    ]


def test_merge_brings_shards_together(tmp_path: Path) -> None:
    """The files stay; the result has everything."""
    paths = [tmp_path / f"{number}.jsonl" for number in range(3)]
    for number, path in enumerate(paths):
        history_file.save(path, measured(NOW, {f"a.py::t{number}": 1}))
    output = tmp_path / "all.jsonl"
    assert main(["history", "merge", *map(str, paths), "-o", str(output)]) == 0
    assert set(history_file.load(output).history.samples) == {"a.py::t0", "a.py::t1", "a.py::t2"}


def test_prune_forgets_what_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tests of files that are not there any more."""
    path = tmp_path / "history.jsonl"
    (tmp_path / "a.py").touch()
    history_file.save(path, measured(NOW, {"a.py::t": 1, "gone.py::t": 1}))
    assert main(["history", "prune", str(path), f"--root={tmp_path}"]) == 0
    assert capsys.readouterr().out == "forgot 1 of 2 entries\n"
    assert set(history_file.load(path).history.samples) == {"a.py::t"}


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 4; nothing is made of it."""
    path = tmp_path / "none.jsonl"
    assert main(["history", "show", str(path)]) == 4
    assert capsys.readouterr().err == (
        f"paddock: There is no history {path}: a run with --paddock makes one, or name another file.\n"
    )


def test_what_cannot_be_read_is_not_merged_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A foreign version or a corrupt file ends the command before anything is written."""
    bad, output = tmp_path / "bad.jsonl", tmp_path / "all.jsonl"
    for text in ('{"paddock-history": 2}\n', "no history\n"):
        bad.write_text(text)
        assert main(["history", "merge", str(bad), "-o", str(output)]) == 4
        assert str(bad) in capsys.readouterr().err
        assert main(["history", "prune", str(bad)]) == 4
    assert not output.exists()
    assert bad.read_text() == "no history\n"


def test_a_result_that_cannot_be_written_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The infrastructure's exit code, and the file as it was."""
    path = tmp_path / "history.jsonl"
    history_file.save(path, measured(NOW, {"gone.py::t": 1}))
    path.chmod(0o444)
    assert main(["history", "prune", str(path), f"--root={tmp_path}"]) == 3
    assert "cannot be written (it is read-only): nothing was changed." in capsys.readouterr().err
    assert set(history_file.load(path).history.samples) == {"gone.py::t"}
