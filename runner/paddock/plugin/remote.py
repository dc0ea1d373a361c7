"""Runs in the worker before xdist's own worker code: folder, search path, temporary folder, cache and placeholders.

Its source text is sent through execnet, so it stands alone: standard library only, and nothing of Paddock.
It changes what xdist.remote receives and then runs xdist.remote as it is.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import os
import re
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

KEY = "paddock"
"""Where our part of ``workerinput`` stands: ``directory``, ``cache`` (key -> JSON, or ``None`` without a cache),
``marks`` (a channel to tell what marks say, see ``plugin.marks``), ``ports`` (pairs of a port of the controller and
a channel that takes a channel for each connection to it), ``placeholders`` (name -> variable of this process that holds
its value), ``orders`` (a channel for what tests ask of their worker's place, see ``plugin.assisting``),
``environment`` (variable -> template), ``services`` (those that placeholders use), ``fixtures`` (see
``plugin.fixtures``), ``shows_output`` (whether -s was given), ``retries`` (how often a failed test runs again), and
``probes`` (kinds of hardware that it holds, see ``plugin.probing``), and with them ``turns`` (a channel to tell what a
test waits for, see ``plugin.leasing``)."""

STACKS = "PADDOCK_STACKS"
STACKS_SIGNAL = signal.SIGRTMAX - 3
"""``workers.inpod.stacks`` says why; a test holds the two together."""

_PLACEHOLDER = re.compile(r"(\{?)\{([A-Za-z_]\w*\.[A-Za-z_]\w*)\}(\}?)")
_NODE_ID = re.compile(r"::.*\[")  # ``services.placeholders`` says why; a test holds the two together

Call = tuple[dict[str, Any], list[str], dict[str, Any], list[str]]
"""What xdist sends first: workerinput, arguments, options, the controller's search path."""


class FirstAnswered:
    """A channel whose first ``receive`` has been answered already; the rest goes to the real one."""

    def __init__(self, channel: Any, first: Call) -> None:  # noqa: ANN401 - execnet's type may be missing here
        self._channel, self._first = channel, [first]

    def receive(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - a channel carries anything
        """Return the prepared call once, then what the channel brings."""
        return self._first.pop() if self._first else self._channel.receive(timeout)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a channel's own attributes
        return getattr(self._channel, name)


def prepare(call: Call) -> Call:
    """Make this process what the controller thinks it is, and return the call that xdist.remote is to see."""
    answer_with_stacks(os.environ.pop(STACKS, ""))
    workerinput, arguments, options, controller_path = call
    ours = workerinput[KEY]
    os.chdir(ours["directory"])
    if ours.get("shows_output"):
        lead_output_to_stderr()
    for port, requests in ours.get("ports", ()):
        forward(port, requests)
    values = placeholder_values(ours)
    templates = ours.get("environment", {})
    os.environ.update({name: substituted(text, values) for name, text in templates.items()})
    arguments = [substituted(argument, values) for argument in arguments]
    scratch = temporary_folder(options, workerinput["workerid"])
    if ours["cache"] is not None:
        arguments = [*arguments, "-o", f"cache_dir={fill_cache(Path(f'{scratch}-cache'), ours['cache'])}"]
    path = own_path(ours["directory"], controller_path)
    return workerinput, arguments, {**options, "basetemp": scratch}, path


def answer_with_stacks(path: str) -> None:
    """Have the interpreter itself write all threads' stacks to ``path`` at a signal, whatever it is busy with.

    Its handler is in C and waits for no lock. The file is there once the signal is answered: before, it would kill.
    """
    if path:
        file = open(f"{path}.new", "wb", buffering=0)  # noqa: PTH123, SIM115 - as long as the process
        faulthandler.register(STACKS_SIGNAL, file=file, all_threads=True)
        Path(f"{path}.new").rename(path)


def lead_output_to_stderr() -> None:
    """Have what tests print reach the controller: execnet has led stdout to nowhere, stderr comes line by line.

    The worker's own pytest must go on writing to nowhere: its reporter takes the stdout of now, and the worker's side
    of the plugin puts the real one in place afterwards.
    """
    os.dup2(2, 1)
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process


def placeholder_values(ours: dict[str, Any]) -> dict[str, str]:
    """Return what placeholders stand for in this worker, from the variables that its engine set."""
    known = ours.get("placeholders", {})
    return {name: os.environ[variable] for name, variable in known.items() if variable in os.environ}


def substituted(text: str, values: dict[str, str]) -> str:
    """Return ``text`` with the values of its placeholders; ids of parametrised tests are left alone."""
    if _NODE_ID.search(text):
        return text

    def value(match: re.Match[str]) -> str:
        left, name, right = match.groups()
        if left and right:
            return f"{{{name}}}"
        return f"{left}{values[name]}{right}" if name in values else match[0]

    return _PLACEHOLDER.sub(value, text)


def own_path(directory: str, controller_path: list[str]) -> list[str]:
    """Return this process's search path; the current folder stands on it if it does so in the controller."""
    path = [entry for entry in sys.path if entry not in {"", directory}]
    return [directory, *path] if {"", directory} & set(controller_path) else path


def temporary_folder(options: dict[str, Any], worker: str) -> str:
    """Return the folder of ``tmp_path``: the controller's choice, or one of our own where that cannot be made."""
    wanted = options.get("basetemp")
    try:
        Path(wanted or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        wanted = None
    return wanted or str(Path(tempfile.mkdtemp(prefix="pytest-")) / f"popen-{worker}")


def fill_cache(folder: Path, values: dict[str, str]) -> Path:
    """Write the controller's cache, from which --lf, --ff, --nf and --sw choose, into a folder of this worker's own."""
    for key, text in values.items():
        file = folder / "v" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def forward(port: int, requests: Any) -> None:  # noqa: ANN401 - execnet's type may be missing here
    """Listen where a plugin expects the controller, and pass each connection on; see ``plugin.forwarding``."""
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()  # the controller's own network: the plugin listens itself
        return
    listener.listen()
    threading.Thread(target=_accept, args=(listener, requests), name=f"forward-{port}", daemon=True).start()


def _accept(listener: socket.socket, requests: Any) -> None:  # noqa: ANN401 - see forward
    while True:
        connection, _ = listener.accept()
        channel = requests.gateway.newchannel()
        channel.setcallback(lambda data, to=connection: to.sendall(data) if data else to.close(), endmarker=b"")
        requests.send(channel)
        threading.Thread(target=pump, args=(connection, channel), name="forward", daemon=True).start()


def pump(connection: socket.socket, channel: Any) -> None:  # noqa: ANN401 - see forward
    """Send all that ``connection`` brings into ``channel``, and close both at its end."""
    with contextlib.suppress(OSError), connection:  # either side may go first; execnet's errors are OSErrors
        while data := connection.recv(1 << 16):
            channel.send(data)
    with contextlib.suppress(OSError):
        channel.close()


def run_xdist(channel: Any) -> None:  # noqa: ANN401 - execnet's type may be missing here
    """Run xdist.remote on the prepared call."""
    # Found, not imported: importing xdist here would come before pytest's assertion rewriting and make it warn.
    found = importlib.util.find_spec("xdist")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the worker's Python environment lacks pytest-xdist: install it into the image")
    origin = Path(found.origin).with_name("remote.py")
    code = compile(origin.read_text(encoding="utf-8"), str(origin), "exec")
    exec(code, {"channel": FirstAnswered(channel, prepare(channel.receive())), "__name__": "__channelexec__"})  # noqa: S102 - execnet runs sources, ours and xdist's


if __name__ == "__channelexec__":
    run_xdist(channel)  # type: ignore[name-defined] # noqa: F821 - execnet puts it there
