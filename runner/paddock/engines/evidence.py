"""Evidence on its way from a run's namespaces into the folder of its report.

Owns a thread for each worker that something happened to, the masking of secrets, and what is told of it all. Nothing
of it ever reaches the run: a disk that is full or a cluster that is gone is a sentence at the end.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from paddock.cluster.requests import AT_ONCE
from paddock.deadlines import Deadline
from paddock.namespaces.masking import OPEN_ENTRIES, SHORTEST, mask
from paddock.workers.worker import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from paddock.report_folder import ReportFolder
    from paddock.specs import RunPlan

    Files = Iterable[tuple[str, str]]
    Look = Callable[[Deadline], Files]


class Evidence:
    """Keeps what is told and what is found of each worker, in a folder for each.

    ``secrets(worker)`` are the values that are masked. ``seconds`` is the time for one look.
    """

    def __init__(self, secrets: Callable[[str], Iterable[str]], report: ReportFolder, seconds: float) -> None:
        self._secrets, self._report, self._seconds = secrets, report, seconds
        self._room = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._threads: dict[str, list[threading.Thread]] = {}
        self._looked: set[str] = set()
        self._obstacles: dict[str, str] = {}

    def begin(self, worker: str, told: Mapping[str, str], look: Look | None = None, *, folder: str = "") -> None:
        """Keep the files in ``told``, and those that ``look`` finds if nobody looked for this folder before.

        Returns at once, from any thread. ``folder`` is one in the worker's own, for what is looked at once more.
        """
        place = f"{worker}/{folder}".rstrip("/")
        with self._lock:
            looks = () if look is None or place in self._looked else (look,)
            self._looked.update(place for _ in looks)
            name, arguments = f"evidence-{place}", (worker, place, dict(told), looks)
            thread = threading.Thread(target=self._keep, args=arguments, name=name, daemon=True)
            self._threads.setdefault(worker, []).append(thread)
        thread.start()

    @property
    def begun(self) -> bool:
        """Whether anything is to be kept that ``finish`` has not told of."""
        return bool(self._threads)

    def finish(self, seconds: float) -> list[str]:
        """Wait up to ``seconds`` for what is under way, and return what is to be told of it, in sentences."""
        deadline = Deadline(seconds)
        with self._lock:
            under_way, self._threads = self._threads, {}
        for thread in (one for threads in under_way.values() for one in threads):
            thread.join(deadline.remaining())
        late = [worker for worker, threads in under_way.items() if any(one.is_alive() for one in threads)]
        return list(self._sentences(sorted(under_way), late))

    def _sentences(self, workers: Sequence[str], late: Sequence[str]) -> Iterator[str]:
        kept = [worker for worker in workers if worker not in self._obstacles]
        if kept:
            yield f"evidence of {', '.join(kept)}: {self._report.path}"
        lost: dict[str, list[str]] = defaultdict(list)
        for worker in workers:
            lost[self._obstacles.get(worker, "")].append(worker)
        yield from (f"evidence of {', '.join(those)} was not kept: {why}" for why, those in lost.items() if why)
        if late:
            yield (
                f"evidence of {', '.join(late)} took longer than {self._seconds:g} s; what came is there. "
                "Allow more with --paddock-evidence-limit."
            )

    def _keep(self, worker: str, place: str, told: Mapping[str, str], looks: Iterable[Look]) -> None:
        with self._room:
            try:
                secrets = sorted(parts(self._secrets(worker)), key=len, reverse=True)
                self._write(place, told.items(), secrets)
                for look in looks:
                    self._write(place, look(Deadline(self._seconds)), secrets)
            except OSError as error:
                self._obstacles[worker] = f"{error.strerror or error}: {error.filename or self._report.path}"
            except Exception as error:  # noqa: BLE001 - evidence must never end what it is evidence of
                self._obstacles[worker] = f"an error in Paddock itself, please report it: {error!r}"

    def _write(self, place: str, files: Files, secrets: Sequence[str]) -> None:
        for name, text in files:
            self._report.write(f"{place}/{name}", mask(text, secrets))


def secrets_of(plan: RunPlan, credentials: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Return the secret values that may show in what a worker's namespace holds.

    ``credentials`` are the entries of its Secrets. Variables of the user's count as secret by their names.
    """
    drawn = (value for entries in credentials.values() for name, value in entries.items() if name not in OPEN_ENTRIES)
    own = (value for name, value in plan.environment.items() if is_secret(name))
    return {*drawn, *own, *plan.broker.accounts.values(), *_of_registries(plan.pull_credentials)}


def _of_registries(text: str) -> Iterator[str]:
    """Yield passwords and tokens out of what ``docker login`` writes."""
    try:
        entries: Any = json.loads(text or "{}").get("auths", {}).values()
        yield from (
            str(value) for entry in entries for name, value in entry.items() if name not in {"username", "email"}
        )
    except (ValueError, AttributeError):
        yield text


def parts(secrets: Iterable[str]) -> set[str]:
    """Return the secrets and the lines of those that have several: a log may hold a part of one."""
    lines = {line.strip() for secret in secrets for line in (secret, *secret.splitlines())}
    return {line for line in lines if len(line) >= SHORTEST}
