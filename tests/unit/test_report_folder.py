"""Laws of a run's report on this machine: whole files, not sent, not in git, and not without end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock import own_folders
from paddock.report_folder import ReportFolder
from paddock.workers.sources import collect

if TYPE_CHECKING:
    from collections.abc import Callable


def sent(root: Path) -> list[str]:
    """Return what a run started in ``root`` would send."""
    return [file.path for file in collect(root).files]


def written(root: Path) -> Path:
    """Write a report below ``root`` and return its file."""
    report = ReportFolder(root / "paddock-report", "abc123")
    report.write("gw0/events.txt", "a pod was made\n")
    return report.path / "gw0" / "events.txt"


def test_a_file_is_written_below_the_runs_folder(tmp_path: Path) -> None:
    """Folders are made as they are needed, and nothing else lies beside the file."""
    place = written(tmp_path)
    assert place == tmp_path / "paddock-report" / "abc123" / "gw0" / "events.txt"
    assert place.read_text() == "a pod was made\n"
    assert [path.name for path in place.parent.iterdir()] == ["events.txt"]


def test_nothing_is_made_before_something_is_written(tmp_path: Path) -> None:
    """A run with nothing to report leaves no folder."""
    ReportFolder(tmp_path / "paddock-report", "abc123").clear()
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    """Logs hold anything."""
    report = ReportFolder(tmp_path, "abc123")
    report.write("log", os.fsdecode(b"caf\xe9"))
    assert (report.path / "log").read_text() == "caf\\udce9"


def test_a_reader_sees_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be written to its end leaves what was there before, and no rest."""
    place = written(tmp_path)
    half = Path.write_text

    def full_disk(path: Path, text: str, **options: str) -> None:
        half(path, text[:3], **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space left"):
        ReportFolder(tmp_path / "paddock-report", "abc123").write("gw0/events.txt", "something new")
    assert place.read_text() == "a pod was made\n"
    assert [path.name for path in place.parent.iterdir()] == ["events.txt"]


def plain(_root: Path) -> None:
    """Leave the folder as it is."""


def in_git(root: Path) -> None:
    """Make the folder a work tree."""
    subprocess.run(["git", "init", "-q", str(root)], check=True)


@pytest.mark.parametrize("prepare", [plain, in_git])
@pytest.mark.parametrize("existed", [False, True])
def test_reports_are_not_sent_and_git_does_not_see_them(
    tmp_path: Path, prepare: Callable[[Path], None], *, existed: bool
) -> None:
    """Also where the folder of all reports is the user's own."""
    prepare(tmp_path)
    (tmp_path / "test_a.py").touch()
    if existed:
        (tmp_path / "paddock-report").mkdir()
    written(tmp_path)
    assert sent(tmp_path) == ["test_a.py"]
    if prepare is in_git:
        told = subprocess.run(
            ["git", "-C", str(tmp_path), "status", "-s", "-uall"], capture_output=True, text=True, check=True
        )
        assert told.stdout.split() == ["??", "test_a.py"]


def test_the_oldest_reports_go(tmp_path: Path) -> None:
    """As many stay as are kept; what bears no sign of ours stays in any case."""
    (tmp_path / "mine").mkdir()
    for age, run in enumerate(["new", "older", "oldest"]):
        ReportFolder(tmp_path, run).write("account.json", "{}")
        os.utime(tmp_path / run / own_folders.REPORT, (1_000_000 - age, 1_000_000 - age))
    ReportFolder(tmp_path, "newest", kept=2).write("account.json", "{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "new", "newest"]


def test_a_folder_behind_a_link_is_not_removed(tmp_path: Path) -> None:
    """A user may have put a report aside and linked it."""
    (tmp_path / "reports").mkdir()
    ReportFolder(tmp_path / "aside", "abc123").write("account.json", "{}")
    (tmp_path / "reports" / "link").symlink_to(tmp_path / "aside" / "abc123")
    ReportFolder(tmp_path / "reports", "new", kept=0).write("account.json", "{}")
    assert (tmp_path / "aside" / "abc123" / "account.json").is_file()


def test_the_report_of_an_earlier_run_of_the_same_id_is_cleared(tmp_path: Path) -> None:
    """Two runs' files must not be taken for one's; a user's own folder of that name stays."""
    written(tmp_path)
    (tmp_path / "mine").mkdir()
    for folder, run in ((tmp_path / "paddock-report", "abc123"), (tmp_path, "mine")):
        ReportFolder(folder, run).clear()
    assert not (tmp_path / "paddock-report" / "abc123").exists()
    assert (tmp_path / "mine").is_dir()
