"""A worker's turn with the devices that it shares: held while a test that needs them runs, set-up to tear-down.

Runs in the worker; whose turn it is, ``devices.leases`` knows. A wait lies before the test's own beginning, so that no
limit and no history counts it; one that takes long is told to the controller, which this module helps to say it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from paddock.devices import leases, probe
from paddock.devices.leases import PATIENCE, Claim
from paddock.plugin import probing
from paddock.plugin.doings import AWAITS
from paddock.specs import Awaited

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Mapping

    from paddock.plugin.hanging import Hear

PLUGIN = "paddock-leasing"
_FAILURE = (
    "This worker cannot wait for its turn with {}: {}. Expected a file that the worker's user may write to and lock; "
    'where tests may use the device at once, say shared-use = "together" in the configuration of its kind.'
)


class Leasing:
    """Takes turns with devices of these kinds; ``tell`` hears of a wait that takes long, once, in a thread.

    To be registered behind all that measures tests or looks at devices: the last one's wrapper is the outermost.
    """

    def __init__(
        self, kinds: Collection[str], tell: Callable[[Mapping[str, str]], None], patience: float = PATIENCE
    ) -> None:
        self._kinds, self._tell, self._patience = kinds, tell, patience
        self._failure = ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Have the turn with what the test's marks name of the worker's own devices, until its tear-down is over."""
        claims = self._claims(item)
        if not claims:
            return (yield)
        with ExitStack() as stack:
            try:
                stack.enter_context(leases.turns(claims, self._say, self._patience))
            except OSError as error:
                self._failure = _FAILURE.format(" and ".join(one.device for one in claims.values()), error)
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Say why a test does not run that could not wait for its turn."""
        failure, self._failure = self._failure, ""
        if failure:
            pytest.fail(failure, pytrace=False)

    def _claims(self, item: pytest.Item) -> dict[str, Claim]:
        kinds = [kind for kind in probing.kinds_of(item) if kind in self._kinds]
        run, worker = os.environ.get("PADDOCK_RUN", ""), os.environ.get("PADDOCK_WORKER", "")
        return {
            device.line: Claim(device=f"{device.id} of {kind!r}", run=run, worker=worker, test=item.nodeid)
            for kind, device in (probe.held(kinds, os.environ) if kinds else ())
            if device.line
        }

    def _say(self, mine: Claim, holder: Claim) -> None:
        awaited = Awaited(
            device=mine.device,
            test=mine.test,
            holder=holder.who,
            held_for=holder.test,
            since=holder.since,
        )
        self._tell(asdict(awaited))


def telling(line: Callable[[str], None], other: Hear) -> Hear:
    """Return what hears workers' words for ``other``, and has a line said of each long wait; in the controller."""

    def hear(worker: str, word: str, content: Mapping[str, str]) -> None:
        if word == AWAITS:
            line(f"{worker} {Awaited(**content).sentence}")
        other(worker, word, content)

    return hear
