"""The worker's side of a run: what the controller must know beside what xdist tells it, and what placeholders need.

It must not know engines or clusters: it runs where they have put it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock.errors import LeaseError
from paddock.fixtures.services import await_service
from paddock.plugin import examples, remote

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    import execnet


def prepare(config: pytest.Config, ours: Mapping[str, Any]) -> None:
    """Register what ``ours``, see ``remote.KEY``, asks of this worker, and complete its options."""
    if "groups" in ours:
        config.pluginmanager.register(GroupTeller(ours["groups"]), "paddock-worker")
    values = remote.placeholder_values(dict(ours))
    for name, value in vars(config.option).items():  # also those from the project's addopts
        setattr(config.option, name, _completed(value, values))
    if ours.get("shows_output"):
        config.pluginmanager.register(Output(), "paddock-output")
    config.pluginmanager.register(examples.Keeper(Path(examples.FOLDER).absolute()), "paddock-examples")
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


class Output:
    """Lets tests print to the controller's terminal under -s, see ``remote.lead_output_to_stderr``."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Put stdout back: the reporter of this worker's own pytest has taken another one by now."""
        sys.stdout = sys.__stdout__


class GroupTeller:
    """Tells the controller which tests carry ``xdist_group``, for --dist loadgroup.

    xdist hides the group in the node id, which pytest 9.2 no longer lets it change (pytest-xdist issue 1386): its
    groups fall apart without a word. Here they travel beside the node ids.
    """

    def __init__(self, channel: execnet.Channel) -> None:
        self._channel = channel

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Send the groups just before xdist sends the node ids: one connection keeps the order."""
        groups = {item.nodeid: _group(item) for item in session.items}
        self._channel.send({node_id: group for node_id, group in groups.items() if group})


def _group(item: pytest.Item) -> str:
    """Return the test's group as xdist names it: several marks make one name."""
    names = {str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in _marks(item)}
    return "_".join(sorted(names))


def _marks(item: pytest.Item) -> list[pytest.Mark]:
    return list(item.iter_markers("xdist_group"))
