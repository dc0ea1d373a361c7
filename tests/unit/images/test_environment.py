from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from paddock.images.environment import Environment

if TYPE_CHECKING:
    from pathlib import Path


def started_as(path: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "executable", path)
    return Environment.current().executable


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter as virtual environments have it: a link to another one."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    link = tmp_path / "venv" / "bin" / "python"
    link.symlink_to(os.path.realpath(sys.executable))
    return link


def test_a_way_over_other_folders_is_straightened(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``../venv/bin/python`` names the interpreter by a folder that the pod need not have."""
    (tmp_path / "project").mkdir()
    assert started_as(f"{tmp_path}/project/../venv/bin/python", monkeypatch) == python


def test_a_way_back_out_of_a_linked_folder_leads_where_it_led(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking ``..`` away by its letters alone would lead beside the link and not beside its target."""
    (tmp_path / "project").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link").symlink_to(tmp_path / "project")
    assert started_as(f"{tmp_path}/elsewhere/link/../venv/bin/python", monkeypatch) == python


def test_a_plain_path_stays_as_it_is(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment is recognised by its own path, so the link to the interpreter is not followed."""
    assert started_as(str(python), monkeypatch) == python
