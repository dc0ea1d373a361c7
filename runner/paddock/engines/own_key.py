"""A secret of this user on this machine, from which credentials of reused namespaces are derived.

A run that takes over what another has made knows the passwords by it: reading them from the cluster would need the
right to read Secrets, which cannot be limited to namespaces that are not there yet. Owns the file; it never leaves.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from paddock.errors import UsageError

_BYTES = 32


def path() -> Path:
    """Return the file: in the user's state folder (XDG base directories), which CI systems do not cache."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(state) / "paddock" / "reuse.key"


def read() -> bytes:
    """Return the secret; the first call of all draws it.

    Raises:
        UsageError: the file can be neither read nor made.
    """
    file = path()
    try:
        if not file.exists():
            _make(file)
        found = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"--paddock-reuse keeps a secret in {file}, which cannot be used: {error.strerror}. "
            "Make its folder writable, or set XDG_STATE_HOME to one that is."
        ) from None
    if len(found) < _BYTES:
        raise UsageError(f"{file} holds {len(found)} bytes; --paddock-reuse expects {_BYTES} there. Delete the file.")
    return found


def fingerprint() -> str:
    """Return what tells who has the same secret, and nothing else of it.

    Raises:
        UsageError: as ``read``.
    """
    return hashlib.sha256(b"paddock reuse " + read()).hexdigest()


def _make(file: Path) -> None:
    """Put the file in place whole: of two runs at once both read the one that was there first."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as writing:
        writing.write(secrets.token_bytes(_BYTES))
    try:
        os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink()
