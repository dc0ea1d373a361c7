"""Run a command in a worker's pod as the worker itself would run it: its environment, its folder.

``python enter.py [COMMAND …]``, a shell by default. Owns reading what the worker was started with; standard library
only. A worker that has not been started yet has left nothing to read: the command then gets the container's own.
"""

from __future__ import annotations

import json
import os
import sys

FACTS = "/run/paddock/facts/worker.json"
"""Written when the worker was started: ``env`` and ``cwd``."""

SHELLS = ("/bin/bash", "/bin/sh")


def read(path: str) -> tuple[dict[str, str], str]:
    """Return environment and folder of the worker, or this process's own where nothing was written."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as all of this package
            told = json.load(file)
    except FileNotFoundError:
        sys.stderr.write("paddock: the worker has not been started yet: this is the bare container\n")
        return dict(os.environ), "/"
    return {**told["env"], "TERM": os.environ.get("TERM", "dumb")}, told["cwd"]


def main(command: list[str], facts: str = FACTS) -> int:
    """Become ``command``; returns only when it could not be started."""
    environment, folder = read(facts)
    wanted = command or [next((shell for shell in SHELLS if os.path.exists(shell)), SHELLS[-1])]  # noqa: PTH110 - see read
    try:
        os.chdir(folder)
        os.execvpe(wanted[0], wanted, environment)  # noqa: S606 - that is what it is for
    except OSError as error:
        sys.stderr.write(f"paddock: {wanted[0]!r} could not be started in {folder}: {error}\n")
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
