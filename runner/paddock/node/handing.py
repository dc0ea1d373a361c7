"""Hands the kubeconfig to the user who called through sudo, at a path of theirs, and takes it back.

Owns that file and the record of it. It is written and removed with that user's own rights: root must not follow
what a user may have put into their home. It must not know what the kubeconfig holds.
"""

from __future__ import annotations

import json
import os
import pwd
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.node.places import STATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECORD = STATE / "handed.json"
_NAME = "paddock.kubeconfig"
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def hand_over(kubeconfig: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the user who called may read the kubeconfig: itself, or through sudo a copy in their ``~/.kube``.

    Without a home that can be written it is the file itself: whoever could call sudo can read it so.
    """
    caller = _caller(environment)
    if caller is None:
        return kubeconfig
    text = kubeconfig.read_bytes()
    copy = Path(caller.pw_dir) / ".kube" / _NAME
    with suppress(OSError):
        with _as(caller.pw_uid, caller.pw_gid):
            _write(copy, text)
        _note(copy, caller)
        return copy
    return kubeconfig


def take_back() -> None:
    """Remove what was handed over; a user who has removed or replaced it is left alone."""
    for path, uid, gid in _noted():
        with suppress(OSError), _as(uid, gid):
            Path(path).unlink()
    RECORD.unlink(missing_ok=True)


def _caller(environment: Mapping[str, str]) -> pwd.struct_passwd | None:
    number = environment.get("SUDO_UID", "")
    if not number.isdecimal() or int(number) == os.geteuid():
        return None
    with suppress(KeyError):
        return pwd.getpwuid(int(number))
    return None


def _write(path: Path, text: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, _FRESH, 0o600), "wb") as file:
        file.write(text)


def _note(path: Path, caller: pwd.struct_passwd) -> None:
    noted = {tuple(entry) for entry in _noted()} | {(str(path), caller.pw_uid, caller.pw_gid)}
    RECORD.write_text(json.dumps(sorted(noted)))


def _noted() -> list[tuple[str, int, int]]:
    try:
        return [tuple(entry) for entry in json.loads(RECORD.read_bytes())]
    except (OSError, ValueError):
        return []


@contextmanager
def _as(uid: int, gid: int) -> Iterator[None]:
    """Act with a user's rights, groups left out: the group first, since the user may not change it."""
    before = os.geteuid(), os.getegid(), os.getgroups()
    if before[0] == 0:
        os.setgroups([gid])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])
        if before[0] == 0:
            os.setgroups(before[2])
