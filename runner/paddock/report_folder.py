"""The folder of one run's report on this machine: what explains a run when its namespaces have gone.

Owns paths, whole files and how many reports stay. It must not know what is reported.
"""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

from paddock import own_folders

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "account.json"
"""What the run created, deleted and left."""

KEPT = 20
"""Reports that stay: a day's work, or a CI machine's last pushes; the oldest go first."""

_PURPOSE = "the reports of the last runs. The oldest are removed."


class ReportFolder:
    """``<folder>/<run id>``, made with the first file that is written; safe to use from several threads."""

    def __init__(self, folder: Path, run_id: str, *, kept: int = KEPT) -> None:
        self._folder, self._kept = folder, kept
        self._making = threading.Lock()
        self.path = folder / run_id

    def write(self, name: str, text: str) -> None:
        """Write the file ``name``, such as ``gw0/events.txt``; who reads it sees all of it or what was there before.

        Raises:
            OSError: the disk is full, or may not be written.
        """
        self._make()
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.{threading.get_ident()}")
        try:
            beside.write_text(text, encoding="utf-8", errors="backslashreplace")
            beside.replace(place)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def clear(self) -> None:
        """Remove what an earlier run of the same id has left; to be called before the run begins."""
        if self._is_ours(self.path):
            shutil.rmtree(self.path, ignore_errors=True)

    def _make(self) -> None:
        with self._making:
            if not self.path.exists():
                own_folders.make(self._folder, own_folders.REPORT, _PURPOSE)
                # A folder of the user's may hold the reports: only what bears the sign itself is ignored and removed.
                own_folders.make(self.path, own_folders.REPORT, _PURPOSE)
                self._remove_oldest()

    def _remove_oldest(self) -> None:
        ours = [place for place in self._folder.iterdir() if self._is_ours(place)]
        ours.sort(key=lambda place: (place / own_folders.REPORT).stat().st_mtime_ns, reverse=True)
        for place in ours[self._kept :]:
            shutil.rmtree(place, ignore_errors=True)  # another run may be at it as well

    @staticmethod
    def _is_ours(place: Path) -> bool:
        return own_folders.is_ours(place, own_folders.REPORT) and not place.is_symlink()
