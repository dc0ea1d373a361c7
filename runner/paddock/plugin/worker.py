"""The worker's side of a run: what the controller must know beside what xdist tells it, and what placeholders need.

It must not know engines or clusters: it runs where they have put it.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock.errors import LeaseError
from paddock.fixtures import ordering
from paddock.fixtures.services import await_service
from paddock.plugin import examples, leasing, marks, probing, remote, timing, usage

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence


def prepare(config: pytest.Config, ours: Mapping[str, Any]) -> None:
    """Register what ``ours``, see ``remote.KEY``, asks of this worker, and complete its options."""
    config.pluginmanager.register(marks.Teller(ours["marks"]), "paddock-marks")
    if ours.get("retries"):  # a worker's failure may not be the test's verdict: the controller counts for --maxfail
        config.option.maxfail = 0
    if "orders" in ours:
        config.stash[ordering.KEY] = ordering.by_channel(ours["orders"])
    config.pluginmanager.register(timing.SharedTime(), "paddock-timing")
    config.pluginmanager.register(usage.Meter(), "paddock-usage")
    if ours.get("probes"):
        config.pluginmanager.register(probing.Probing(ours["probes"], probing.leaving(config)), "paddock-probing")
        config.pluginmanager.register(leasing.Leasing(ours["probes"], ours["turns"].send), leasing.PLUGIN)
    complete(config, ours)
    if ours.get("shows_output"):
        config.pluginmanager.register(Output(), "paddock-output")
    config.pluginmanager.register(LastCollection(), "paddock-last-collection")
    config.pluginmanager.register(examples.Keeper(Path(examples.FOLDER).absolute()), "paddock-examples")


def complete(config: pytest.Config, ours: Mapping[str, Any]) -> None:
    """Put values in the place of placeholders in options, and have their services awaited; where tests run."""
    values = remote.placeholder_values(dict(ours))
    for name, value in vars(config.option).items():  # also those from the project's addopts
        setattr(config.option, name, _completed(value, values))
    if ours.get("services"):
        config.pluginmanager.register(Readiness(ours["services"]), "paddock-readiness")


def _completed(value: object, values: dict[str, str]) -> object:
    if isinstance(value, str):
        return remote.substituted(value, values)
    return [_completed(one, values) for one in value] if isinstance(value, list) else value


class Readiness:
    """Waits for the services whose facts reach tests by placeholders: there is no fixture that would.

    Between the collection and the first test, so that services start while tests are collected, and no test's own
    time limit pays for it. A service that does not come is the error of every test.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._services = services
        self._failure = ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Wait once, before the first test."""
        try:
            for service in self._services:
                await_service(service)
        except LeaseError as error:
            self._failure = str(error)
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Say of each test why it cannot run."""
        if self._failure:
            pytest.fail(self._failure, pytrace=False)


class LastCollection:
    """Makes the process end sooner, which the run waits for: pytest looks for garbage five times at its end.

    The first look finds what there is; the others, and the interpreter's own, would go through all that stays anyway:
    45 ms of a processor for each worker (measured).
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """Look once, and keep the rest out of the looks to come; the session is over and reported."""
        gc.collect()
        gc.freeze()


class Output:
    """Lets tests print to the controller's terminal under -s, see ``remote.lead_output_to_stderr``."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Put stdout back: the reporter of this worker's own pytest has taken another one by now."""
        sys.stdout = sys.__stdout__
