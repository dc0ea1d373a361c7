"""Mosquitto as one worker's own process.

Owns its configuration in the worker's folder. The settings are those of the broker's image, see ``k8s/images/broker``.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from paddock import resources
from paddock.engines.local import folders, programs
from paddock.engines.local.wanted import Start
from paddock.errors import LeaseError
from paddock.services.ports import HOST, accepts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from paddock.engines.local.wanted import Wanted

_PASSWORDS, _CONFIGURATION = "passwords", "mosquitto.conf"


def prepare(wanted: Wanted, folder: Path) -> Start:
    """Write the broker's configuration into ``folder`` and return how it is started.

    Raises:
        LeaseError: it is not installed, or its password file cannot be made.
    """
    program, user = programs.mosquitto(), programs.servers_user()
    folders.make(folder, user)
    _write_passwords(folder / _PASSWORDS, wanted)
    ours = (resources.k8s_folder() / "images" / "broker" / "broker.conf").read_text(encoding="utf-8")
    listener = f"listener {wanted.port} {HOST}\npassword_file {folder / _PASSWORDS}\n"
    files = {"acl_file": wanted.acl, "certfile": wanted.certificate, "keyfile": wanted.key}
    for setting, text in files.items():
        if text:
            (folder / setting).write_text(text, encoding="utf-8")
            listener += f"{setting} {folder / setting}\n"
    # Of two values for one setting Mosquitto takes the last.
    (folder / _CONFIGURATION).write_text(f"{listener}{ours}\n{wanted.configuration}\n", encoding="utf-8")
    folders.hand_over(folder, user)
    return Start(
        argv=[str(program), "-c", str(folder / _CONFIGURATION)],
        directory=folder,
        environment=folders.environment(folder),
        answers=lambda: accepts(wanted.port),
        user=user,
    )


def _write_passwords(file: Path, wanted: Wanted) -> None:
    """Have Mosquitto's own tool write it; it asks twice, on its input: no password stands in a command line."""
    _run(["-c", str(file), wanted.username], f"{wanted.password}\n" * 2)
    if wanted.logins:
        more = file.with_suffix(".more")
        more.write_text(wanted.logins, encoding="utf-8")
        _run(["-U", str(more)])
        with file.open("a", encoding="utf-8") as passwords:
            passwords.write(more.read_text(encoding="utf-8"))
        more.unlink()


def _run(arguments: Sequence[str], words: str = "") -> None:
    command = [str(programs.mosquitto_passwd()), *arguments]
    done = subprocess.run(command, input=words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LeaseError(f"mosquitto_passwd could not write a file: {done.stderr.strip() or done.returncode}.")
