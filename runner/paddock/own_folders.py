"""Folders that Paddock makes in a user's project: git ignores them, they are not sent, and only they are ever emptied.

Owns the signs that say so. It must not know what is put into them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ARTIFACTS, REPORT = ".paddock-artifacts", ".paddock-report"
"""Names of the file that says whose a folder is; none that holds one is sent, whatever it is called."""

_IGNORED = "# Made by Paddock: {purpose}\n*\n"


def make(folder: Path, sign: str, purpose: str) -> None:
    """Make ``folder`` with its ``sign``; one that is there already is left as it is, as somebody else's may be.

    ``purpose`` is the sentence that stands in it for whoever finds it.

    Raises:
        OSError: it cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        return
    (folder / ".gitignore").write_text(_IGNORED.format(purpose=purpose), encoding="utf-8")
    (folder / sign).touch()


def is_ours(folder: Path, sign: str) -> bool:
    """Whether ``make`` made it, and not a user."""
    return (folder / sign).is_file()
