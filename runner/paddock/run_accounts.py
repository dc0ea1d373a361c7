"""The account of a run as a file, ``account.json`` in the folder of its report: what was made, deleted and left.

Written at the run's end, completed by whoever has looked whether everything is gone, and read by the next run. While
somebody looks, the run's folder is locked (flock), so that others can wait for it. It must not know how one looks.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paddock.report_folder import ACCOUNT, ReportFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from paddock.specs import Account

ASKED, DONE, FAILED, NONE = "under way", "done", "failed", "none"
"""States of the verification: somebody looks, has looked, could not look, or nobody does."""


def first(run_id: str, account: Account, began: datetime) -> dict[str, Any]:
    """Return the account of a release that ``began`` then and has ended now; nobody has looked yet."""
    ended = datetime.now(UTC)
    release = {"began": _told(began), "ended": _told(ended), "seconds": round((ended - began).total_seconds(), 3)}
    figures = {name: value for name, value in json.loads(json.dumps(asdict(account))).items() if name != "notes"}
    verification = {"state": NONE, "began": None, "ended": None, "reason": ""}
    return {"run": run_id, **figures, "release": release, "verification": verification}


def looking(account: Mapping[str, Any]) -> dict[str, Any]:
    """Return the account with somebody looking from now on."""
    return {**account, "verification": {"state": ASKED, "began": _told(datetime.now(UTC)), "ended": None, "reason": ""}}


def seen(account: Mapping[str, Any], left: Mapping[str, str], reason: str = "") -> dict[str, Any]:
    """Return the account as it is now that somebody has looked, and ``left`` is all there is.

    With a ``reason`` nobody could look: what the release left is left, and nothing is known of the rest.
    """
    end = {"state": FAILED if reason else DONE, "ended": _told(datetime.now(UTC)), "reason": reason}
    now = dict(account["left"]) if reason else dict(left)
    those = [*account["created"], *account["reused"]]
    deleted = [name for name in those if name not in {*now, *account["kept"]}]
    return {**account, "deleted": deleted, "left": now, "verification": {**account["verification"], **end}}


def write(folder: ReportFolder, account: Mapping[str, Any]) -> None:
    """Write the account.

    Raises:
        OSError: it cannot be written.
    """
    folder.write(ACCOUNT, json.dumps(account, indent=2) + "\n")


def read(folder: Path) -> dict[str, Any] | None:
    """Return the account in a run's folder; ``None`` where there is none that can be read."""
    try:
        found = json.loads((folder / ACCOUNT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"run", "left", "verification"} <= found.keys() else None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Lock a run's folder and give the descriptor: whoever inherits it keeps the lock until it ends.

    Raises:
        OSError: the folder is not there, or its file system knows no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def await_verified(folder: Path) -> None:
    """Wait until nobody looks any more; they end by their own time limit."""
    with contextlib.suppress(OSError), locked(folder):
        pass


def untold(reports: Path) -> list[str]:
    """Return what earlier runs have left, in sentences, and mark it as told; what cannot be read is passed over."""
    sentences = []
    for folder in sorted(reports.iterdir()) if reports.is_dir() else ():
        account = read(folder)
        if account and not account.get("told") and (sentence := _sentence(account, folder)):
            sentences.append(sentence)
            with contextlib.suppress(OSError):
                write(ReportFolder(reports, folder.name), {**account, "told": True})
    return sentences


def _sentence(account: Mapping[str, Any], folder: Path) -> str:
    run, state = account["run"], account["verification"]["state"]
    remedy = f"Look with: paddock reap --run {run}"
    if state == ASKED and not _is_locked(folder):
        return f"nobody has seen whether the namespaces of the run {run} are gone: who looked was ended. {remedy}"
    if state == FAILED:
        return f"nobody has seen whether the namespaces of the run {run} are gone: {account['verification']['reason']}"
    if state == DONE and account["left"]:
        obstacles = "; ".join(f"{name}: {reason}" for name, reason in account["left"].items())
        return f"the run {run} left {len(account['left'])} of its namespaces: {obstacles}. {remedy}"
    return ""


def _is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
