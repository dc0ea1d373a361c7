"""A worker process that is started before anybody has asked for it.

An interpreter that has imported pytest takes 0.3 s to come by (measured); the pod has that time while its client
learns that it runs. What the process is for, environment and folder, it reads as one line of JSON before the boot line.
Owns the program and the hand-over. It must not know the wire.
"""

from __future__ import annotations

import json
import os
from typing import Any

from paddock.workers.inpod.process import StartError, Worker

PROGRAM = """\
import json, os, site, sys, time
def add_late_folders():
    for place in filter(os.path.isdir, [*site.getsitepackages(), site.getusersitepackages()]):
        for name in sorted(name for name in os.listdir(place) if name.endswith(".pth") and place in sys.path):
            with open(os.path.join(place, name), encoding="utf-8", errors="replace") as lines:
                for line in map(str.rstrip, lines):
                    folder = os.path.abspath(os.path.join(place, line))
                    if not line.startswith(("#", "import")) and folder not in sys.path and os.path.isdir(folder):
                        sys.path.append(folder)
try:
    import execnet.gateway_base, pytest
except ImportError:
    pass
order = json.loads(sys.stdin.readline())
os.environ.clear()
os.environ.update(order["env"])
os.chdir(order["cwd"])
time.tzset()
add_late_folders()
exec(eval(sys.stdin.readline()))
"""
"""Imports what every worker needs and nothing that a plugin or a test could want to be first at: xdist and all
plugins come after pytest's assertion rewriting. Folders that .pth files name, such as those of editable installs, come
with the sources: the interpreter has passed them over at its start, since they were not there."""


def begin(order: str) -> Worker | None:
    """Start the process that ``order`` names, JSON with ``argv`` and ``env``; ``None`` without one, or if it fails.

    A failure is no loss: the worker is started in the usual way when it is asked for, and fails with its reason.
    """
    if not order:
        return None
    wanted = json.loads(order)
    try:
        return Worker(wanted["argv"], wanted["env"], "/")
    except StartError:
        return None


def assign(worker: Worker, message: dict[str, Any]) -> Worker:
    """Tell a waiting process what it is for, and return it.

    Raises:
        StartError: the folder is not there, or the process has just gone.
    """
    if not os.path.isdir(message["cwd"]):  # noqa: PTH112 - pathlib takes 10 ms to import
        raise StartError(f"The worker could not be started in {message['cwd']!r}: there is no such folder.")
    line = json.dumps({"env": message["env"], "cwd": message["cwd"]}).encode() + b"\n"
    try:
        worker.pipes[0].write(line)
    except OSError as error:
        raise StartError(f"The worker ended while it waited for its first order: {error}.") from error
    return worker
