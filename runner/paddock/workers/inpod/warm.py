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
import json, os, sys, time
try:
    import execnet.gateway_base, pytest
except ImportError:
    pass
order = json.loads(sys.stdin.readline())
os.environ.clear()
os.environ.update(order["env"])
os.chdir(order["cwd"])
time.tzset()
exec(eval(sys.stdin.readline()))
"""
"""Imports what every worker needs and nothing that a plugin or a test could want to be first at: xdist and all
plugins come after pytest's assertion rewriting."""


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
