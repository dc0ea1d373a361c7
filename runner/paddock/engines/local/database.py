"""PostgreSQL as one worker's own process, on data that begins as a copy of an initialised folder.

Owns the cache of initialised folders, one for each version and settings, in Paddock's cache. The settings are those of
the database's image, see ``k8s/images/database``: nothing waits for a disk.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path
from signal import SIGQUIT
from typing import TYPE_CHECKING

from paddock import resources
from paddock.engines.local import folders, programs
from paddock.engines.local.wanted import Start
from paddock.errors import LeaseError
from paddock.images import recipes
from paddock.node import locking, places
from paddock.services.ports import HOST, accepts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.engines.local.programs import User
    from paddock.engines.local.wanted import Wanted

_DATA, _NEW = "data", "new"
_SETTINGS = ("postgresql.conf", "pg_hba.conf")


def prepare(wanted: Wanted, folder: Path) -> Start:
    """Fill ``folder`` with data, unless it is there from an earlier start; return how the server is started.

    Raises:
        LeaseError: PostgreSQL is not installed, or refuses to begin.
    """
    binaries, user = programs.postgresql(wanted.version), programs.servers_user()
    data = folder / _DATA
    if not data.exists():
        folders.make(folder, user)
        new = folder / _NEW
        _copy(_initialised(binaries, user), new)
        (new / recipes.OWN["database"]).write_text(wanted.configuration, encoding="utf-8")
        folders.hand_over(new, user)
        _set_password(binaries, new, wanted, user)
        new.rename(data)  # the last step gives it its name: what has it is complete
    settings = {"port": str(wanted.port), "listen_addresses": HOST, "unix_socket_directories": ""}
    return Start(
        argv=[str(binaries / "postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in settings.items())],
        directory=folder,
        environment=folders.environment(folder),
        answers=lambda: accepts(wanted.port),
        user=user,
        politely=SIGQUIT,  # at once, and takes the shared memory with it, which would outlive SIGKILL
    )


def _set_password(binaries: Path, data: Path, wanted: Wanted, user: User | None) -> None:
    """Have the account's password set before anybody can connect; it goes through a pipe, never a command line."""
    statement = f"ALTER ROLE \"{wanted.username}\" PASSWORD '{wanted.password}'\n"
    _run([str(binaries / "postgres"), "--single", "-D", str(data), "postgres"], data.parent, user, statement)


def _initialised(binaries: Path, user: User | None) -> Path:
    """Return an initialised folder of this version and these settings, which is made the first time: in a second."""
    version = _run([str(binaries / "postgres"), "--version"], binaries)
    key = hashlib.sha256(repr((version, recipes.INITDB, _settings(), user)).encode()).hexdigest()[:16]
    cache = places.cache_folder() / "local"
    made = cache / f"postgresql-{key}"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with locking.locked(cache / "lock"):  # of several workers one makes it
            if not made.exists():
                _initialise(binaries, made, user)
    return made


def _initialise(binaries: Path, made: Path, user: User | None) -> None:
    with tempfile.TemporaryDirectory(prefix="initdb-", dir=programs.open_folder()) as name:
        scratch = Path(name)
        scratch.chmod(0o711)
        data, new = scratch / _DATA, made.with_name(f"{made.name}.{_NEW}")
        folders.make(data, user)
        _run([str(binaries / "initdb"), *recipes.INITDB, f"--pgdata={data}"], data, user)
        for setting, text in _settings().items():
            (data / setting).write_bytes(text)
        folders.hand_over(data, user)
        _copy(data, new)
    new.rename(made)


def _settings() -> dict[str, bytes]:
    folder = resources.k8s_folder() / "images" / "database"
    return {name: (folder / name).read_bytes() for name in _SETTINGS}


def _copy(source: Path, target: Path) -> None:
    """Copy with owners; where the file system can, the copies share their blocks."""
    _run(["cp", "--archive", "--reflink=auto", str(source), str(target)], source.parent)


def _run(command: Sequence[str], directory: Path, user: User | None = None, text: str = "") -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env=folders.environment(directory),
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise LeaseError(f"{Path(command[0]).name} did not get ready for the database: {said[-1]}")
    return done.stdout
