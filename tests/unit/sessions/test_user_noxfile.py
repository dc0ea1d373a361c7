"""Noxfiles of other projects, run by the real nox."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import paddock

ROOT = Path(__file__).resolve().parents[3]
SOURCES = str(Path(paddock.__file__).parents[1])


def nox(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": SOURCES, "NO_COLOR": "1"}
    command = [sys.executable, "-m", "nox", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def listed(result: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"^[*-] (\S+)", result.stdout, re.MULTILINE)


def test_two_lines_give_a_project_its_sessions(tmp_path: Path) -> None:
    """Importing a session registers it, and no other."""
    (tmp_path / "noxfile.py").write_text("from paddock.sessions import parallel, serial\n", encoding="utf-8")
    assert listed(nox(tmp_path, "--list")) == ["parallel", "serial"]


def test_python_versions_are_the_projects_own(tmp_path: Path) -> None:
    """A session for each Python version, as nox users know it."""
    (tmp_path / "noxfile.py").write_text(
        'from paddock import sessions\nsessions.register("parallel", pythons=["3.11", "3.12"])\n',
        encoding="utf-8",
    )
    assert listed(nox(tmp_path, "--list")) == ["parallel-3.11", "parallel-3.12"]


@pytest.mark.parametrize(
    ("noxfile", "sentence"),
    [
        (
            'from paddock import sessions\nsessions.register("parallel", workers=0)',
            "'workers' in the noxfile is 0",
        ),
        ('from paddock import sessions\nsessions.register("paralell")', "There is no session 'paralell'"),
    ],
)
def test_a_mistake_in_a_noxfile_is_one_line_and_exit_code_4(tmp_path: Path, noxfile: str, sentence: str) -> None:
    """No traceback through nox for something the user typed."""
    (tmp_path / "noxfile.py").write_text(noxfile, encoding="utf-8")
    result = nox(tmp_path, "--list")
    assert result.returncode == 4
    assert result.stderr.startswith("paddock: ")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_name_that_is_no_session_is_an_import_error(tmp_path: Path) -> None:
    """Python says it in its own words, as for any module."""
    (tmp_path / "noxfile.py").write_text("from paddock.sessions import paralell\n", encoding="utf-8")
    assert "cannot import name 'paralell'" in nox(tmp_path, "--list").stderr


def test_importing_the_sessions_needs_nothing_but_nox() -> None:
    """A fresh clone's noxfile is read where neither pytest's plugins nor the Kubernetes client are installed."""
    code = "import sys, paddock.sessions; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(loaded).isdisjoint(
        {"pytest", "yaml", "kubernetes", "xdist", "execnet", "paho", "psycopg", "cryptography", "rich"}
    )


def test_this_repository_lists_all_its_sessions() -> None:
    """The sessions a newcomer can expect, each with a line that says what it does."""
    result = nox(ROOT, "--list")
    users = ["parallel", "serial", "hardware", "validate"]
    expected = [*users, "tests", "lint", "types", "minimums", "oldest", "bench", "thirdparty", "node", "chaos", "docs"]
    assert listed(result) == expected
    assert all(re.search(rf"^[*-] {name} -> \w+.*\.$", result.stdout, re.MULTILINE) for name in expected)


@pytest.mark.parametrize("name", ["docs", "validate"])
def test_a_session_that_has_not_come_says_so_and_fails(name: str) -> None:
    """It never pretends to have done something."""
    result = nox(ROOT, "-s", name)
    assert result.returncode == 1
    assert f"The session '{name}' is not there yet: " in result.stderr
