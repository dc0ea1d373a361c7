"""``paddock device-plugin``: hands out the accelerators of this node by kubelet's device plugin API.

Owns the command's arguments. What is handed out, and how, ``paddock.devices`` knows.
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.cli import tables
from paddock.columns import aligned
from paddock.devices import configuration
from paddock.devices.commands import failure
from paddock.devices.discovery import Machine, without_claimed
from paddock.devices.resources import KUBELETS_FOLDER, MOST_SHARES, MOST_SIMULATED
from paddock.devices.simulation import Simulation
from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from paddock.devices.resources import Device, Hardware

_EXTRA = (
    "The device plugin needs {module}, which is not installed. "
    "Install Paddock with its extra: pip install 'paddock[device-plugin]'"
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("device-plugin", help="hand out this node's accelerators to pods")
    config_help = "YAML file with the key devices, or a pyproject.toml with [tool.paddock.devices]"
    parser.add_argument("--config", type=Path, metavar="FILE", help=config_help)
    simulate_help = "hand out so many simulated devices as well, loop devices that are made for it"
    parser.add_argument("--simulate", type=_count, default=0, metavar="N", help=simulate_help)
    shares_help = "how many pods may hold one simulated device at once"
    parser.add_argument("--simulate-shares", type=_shares, default=1, metavar="N", help=shares_help)
    together_help = "let them use it at once, and not one test at a time"
    parser.add_argument("--simulate-together", action="store_true", help=together_help)
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does, as its other end may")
    folder_help = "kubelet's folder of device plugins (default: %(default)s)"
    parser.add_argument("--folder", type=Path, default=Path(KUBELETS_FOLDER), metavar="FOLDER", help=folder_help)
    parser.add_argument("--list", action="store_true", help="check and list the devices that are here, and end")
    parser.set_defaults(handler=device_plugin)


def device_plugin(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C, or list what would be served."""
    kinds = _configured(arguments.config) if arguments.config or not arguments.simulate else []
    if arguments.list:
        return _list(kinds)
    stop = Stop(until_eof=arguments.until_eof)
    if not arguments.simulate:
        _serve(kinds, arguments.folder, stop)
        return 0
    shares, in_turn = arguments.simulate_shares, not arguments.simulate_together
    simulation = Simulation(arguments.simulate, shares=shares, in_turn=in_turn)
    try:
        if simulation.acquire(stop.wait):
            _serve([*kinds, simulation.begin()], arguments.folder, stop)
    finally:
        simulation.end()
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_SIMULATED:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of devices; expected 1 to {MOST_SIMULATED}")
    return int(text)


def _shares(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_SHARES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of shares; expected 1 to {MOST_SHARES}")
    return int(text)


def _configured(path: Path | None) -> list[Hardware]:
    if path is None:
        raise UsageError("Nothing says what is to be handed out; expected --config=FILE, or --simulate=N.")
    kinds = [kind for kind in configuration.read_file(path) if kind.is_ours]
    if not kinds:
        raise UsageError(f"The configuration {path} names no devices; expected paths or usb of a kind.")
    return kinds


class Stop:
    """When to end: on SIGTERM and Ctrl-C, and with ``until_eof`` when nobody holds the other end of standard input."""

    def __init__(self, *, until_eof: bool) -> None:
        self._orders: queue.SimpleQueue[None] = queue.SimpleQueue()  # a signal may come amidst its own methods
        self._wanted = False
        self.then: Callable[[], None] = lambda: None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._now())
        if until_eof:
            threading.Thread(target=self._until_eof, name="paddock-until-eof", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait so long at most, and return whether it is time to end."""
        with suppress(queue.Empty):
            self._orders.get(timeout=seconds)
            self._wanted = True
        return self._wanted

    def _until_eof(self) -> None:
        while os.read(sys.stdin.fileno(), 1 << 12):
            pass
        self._now()

    def _now(self) -> None:
        self._orders.put(None)
        self.then()


def _list(kinds: Sequence[Hardware]) -> int:
    found, overlaps = without_claimed({kind.resource: Machine().devices(kind) for kind in kinds})
    rows = [(kind.resource, *row) for kind in kinds for row in _rows(kind, found[kind.resource])]
    for line in aligned([("RESOURCE", "DEVICE", "NODES", "SERIAL", "HEALTH"), *rows]):
        tables.say(line)
    for line in overlaps:
        tables.hint(f"paddock: {line}")
    return 0


def _rows(kind: Hardware, devices: Sequence[Device]) -> Iterator[tuple[str, ...]]:
    if not devices:
        yield ("", ", ".join((*kind.paths, *kind.usb)), "", "none is there")
    for device in devices:
        why = failure(kind.health, device) if kind.health else ""
        yield (device.id, ", ".join(device.paths), device.serial, why or "healthy")


def _serve(kinds: Sequence[Hardware], folder: Path, stop: Stop) -> None:
    try:
        from paddock.devices.daemon import Daemon  # noqa: PLC0415 - needs the extra; a list does not
    except ImportError as error:
        raise UsageError(_EXTRA.format(module=error.name)) from None
    daemon = Daemon(kinds, folder, _say)
    stop.then = daemon.stop
    if not stop.wait(0):
        daemon.run()


def _say(line: str) -> None:
    tables.say(f"paddock: {line}")
