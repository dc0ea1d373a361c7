"""A look at the worker's devices before and after each test that needs some: a sick one is used by no further test.

Runs in the worker. It ends the worker's process, since what replaces a worker gets devices anew; what the controller
makes of that, ``losses`` knows. Which device is sick, ``devices.probe`` knows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from paddock.devices import probe
from paddock.devices.resources import Command
from paddock.fixtures import accelerators, ordering

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from paddock.devices.resources import Hardware, Wanted

    Sent = Mapping[str, tuple[Sequence[str], float] | None]
    """Kind of hardware that workers hold -> arguments and seconds of its health command, if it has one."""

SICK = "sick"
"""Key of an order that tells of a sick device; its value is what the row of causes is filled with."""
_EXIT = 1


def told(held: Sequence[Wanted], devices: Sequence[Hardware]) -> Sent:
    """Return what workers are told of the hardware that they hold; nothing where they hold none."""
    health = {one.kind: one.health for one in devices}
    commands = {one.kind: health.get(one.kind) for one in held}
    return {kind: (list(one.arguments), one.timeout) if one else None for kind, one in commands.items()}


class Probing:
    """Looks at devices; ``tell`` hears of the first sick one: device, when it was found, and reason."""

    def __init__(self, sent: Sent, tell: Callable[[Mapping[str, str]], None]) -> None:
        self._commands = {
            kind: Command(arguments=tuple(one[0]), timeout=one[1]) if one else None for kind, one in sent.items()
        }
        self._tell = tell
        self._sick: Mapping[str, str] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Look before the test is begun, so that another worker can run it, and once it is over and reported."""
        kinds = [kind for kind in kinds_of(item) if kind in self._commands]
        self._look(kinds, f"before {item.nodeid}")
        result = yield
        self._look(kinds, f"after {item.nodeid}")
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Where there is no other worker, say of each further test why it cannot run."""
        if self._sick and kinds_of(item):
            pytest.fail(
                "No other worker has the hardware. The device {device} was sick {when}: {reason}".format(**self._sick),
                pytrace=False,
            )

    def _look(self, kinds: Sequence[str], when: str) -> None:
        for kind, device in probe.held(kinds, os.environ) if kinds and not self._sick else ():
            if reason := probe.sickness(device, self._commands[kind]):
                self._sick = {"device": f"{device.id} of {kind!r}", "when": when, "reason": reason}
                self._tell(self._sick)
                return


def leaving(config: pytest.Config) -> Callable[[Mapping[str, str]], None]:
    """Return what tells the controller of a sick device, and ends this process."""

    def leave(sick: Mapping[str, str]) -> None:
        try:
            config.stash[ordering.KEY]({SICK: sick, "name": sick["device"]})
        finally:
            os._exit(_EXIT)  # fixtures are not torn down: they may wait for the device

    return leave


def kinds_of(item: pytest.Item) -> list[str]:
    """Return the kinds of hardware that a test's marks name."""
    return [accelerators.asked(mark)[0] for mark in item.iter_markers("hardware")]
