"""What explains a failure in a local run: what is told, the worker's last words and the logs of its servers.

Owns which files those are. How they are written and masked, ``engines.evidence`` knows.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock.engines.evidence import Evidence
from paddock.report_folder import ReportFolder
from paddock.specs import Report
from paddock.workers.worker import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from paddock.engines.local.services import Given
    from paddock.engines.request import RunRequest

_LINES = 500
"""Of a worker's stderr that are kept in memory, in case that it is lost."""


class Witness:
    """Keeps evidence of a run, if its user wants any."""

    def __init__(self, request: RunRequest) -> None:
        self._request = request
        self._size = request.report.size if request.report else Report.size
        self._folders: dict[str, Path] = {}
        self._secrets: dict[str, list[str]] = {}
        self._last_words: dict[str, deque[bytes]] = {}
        self._evidence: Evidence | None = None
        if request.report:
            folder = ReportFolder(request.report.folder, request.run_id)
            folder.clear()
            self._evidence = Evidence(self._secrets_of, folder, request.limits.evidence)

    def enter(self, worker: str, folder: Path, given: Given) -> None:
        """Note a worker's folder and secrets."""
        own = [value for name, value in self._request.environment.items() if is_secret(name)]
        self._folders[worker], self._secrets[worker] = folder, [*given.secrets, *own]
        self._last_words[worker] = deque(maxlen=_LINES)

    def hear(self, worker: str, line: bytes) -> None:
        """Note a line of a worker's stderr."""
        self._last_words[worker].append(line)

    def preserve(self, worker: str, told: Mapping[str, str], *, lost: bool) -> None:
        """Begin to keep what is there; returns at once."""
        if self._evidence is not None and worker in self._folders:
            self._evidence.begin(worker, told, lambda _: self._files(worker), folder="lost" if lost else "")

    def finish(self) -> Sequence[str]:
        """Wait until it is kept, and return what is to be told of it."""
        return self._evidence.finish(self._request.limits.evidence) if self._evidence else ()

    def _secrets_of(self, worker: str) -> Sequence[str]:
        return self._secrets.get(worker, ())

    def _files(self, worker: str) -> Iterator[tuple[str, str]]:
        words = b"".join(self._last_words[worker])
        if words:
            yield "logs/worker.txt", words.decode(errors="replace")
        for log in sorted(self._folders[worker].glob("*.log")):
            with suppress(OSError):
                yield f"logs/{log.stem}.txt", log.read_bytes()[-self._size :].decode(errors="replace")
