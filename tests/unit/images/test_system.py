"""Debian packages that a project asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paddock.errors import UsageError
from paddock.images import system

if TYPE_CHECKING:
    from pathlib import Path


def test_a_wrong_name_is_told_with_the_nearest_ones() -> None:
    """Before anything is downloaded, and in one sentence."""
    with pytest.raises(
        UsageError, match=r"'ffmpg' in 'image.packages' is no package of debian 12. Did you mean 'ffmpeg'"
    ):
        system.check_names(["git", "ffmpg"], {"git", "ffmpeg"}, "debian 12")


def test_known_names_pass() -> None:
    """All of them."""
    system.check_names(["git", "ffmpeg"], {"git", "ffmpeg", "vim"}, "debian 12")


def test_what_was_replaced_written_or_added_is_told_apart(tmp_path: Path) -> None:
    """An installation replaces files, writes to some, and leaves all others and their folders alone."""
    for name in ("kept", "replaced", "written"):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder" / name).write_text("x")
    before = system.stamps(tmp_path)
    (tmp_path / "folder" / "new").write_text("x")
    (tmp_path / "folder" / "new").replace(tmp_path / "folder" / "replaced")
    (tmp_path / "folder" / "written").write_text("more")
    (tmp_path / "folder" / "added").symlink_to("kept")
    after = system.stamps(tmp_path)
    changed = {place for place in after if before.get(place) != after[place]}
    assert changed == {"folder/replaced", "folder/written", "folder/added"}
