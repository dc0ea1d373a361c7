"""When a worker looks at its devices, and what it says of a sick one."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from paddock.devices import probe
from paddock.devices.resources import Command, Device, Hardware, Wanted
from paddock.fixtures import ordering
from paddock.plugin import probing

if TYPE_CHECKING:
    from collections.abc import Mapping

TESTS = """
import pytest
def test_plain(): pass
@pytest.mark.hardware("coral")
def test_first(): pass
@pytest.mark.hardware("gpu")
def test_of_a_service(): pass
@pytest.mark.hardware("coral")
def test_second(): pass
"""


class Looked:
    """Runs tests with devices whose health is a list: each look takes one."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester, self._monkeypatch = pytester, monkeypatch
        self.told: list[Mapping[str, str]] = []
        self.looks: list[str] = []

    def run(self, *health: str) -> pytest.RunResult:
        answers = list(health)

        def look(device: Device, _: Command | None) -> str:
            self.looks.append(device.id)
            return answers.pop(0)

        self._monkeypatch.setattr(probe, "sickness", look)
        own = Hardware(kind="coral", resource="r", paths=("/dev/x",)).environment_with([Device(id="x0", paths=("/x",))])
        for name, value in own.items():
            self._monkeypatch.setenv(name, value)
        self._pytester.makepyfile(TESTS)
        self._pytester.makeini("[pytest]\nmarkers = hardware")
        plugin = probing.Probing({"coral": None, "gpu": None}, self.told.append)
        return self._pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:paddock", plugins=[plugin])


@pytest.fixture
def tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Looked:
    return Looked(pytester, monkeypatch)


def test_devices_are_looked_at_before_and_after_each_test_that_needs_them(tests: Looked) -> None:
    """Not for plain tests, nor for those whose devices the worker's own pod has not."""
    tests.run(*[""] * 4).assert_outcomes(passed=4)
    assert (tests.looks, tests.told) == (["x0"] * 4, [])


@pytest.mark.parametrize(
    ("health", "when", "passed"),
    [(("", "it coughs"), "after", 2), (("", "", "it coughs"), "before", 3)],
    ids=["by the first", "between the two"],
)
def test_the_test_is_named_by_which_a_device_was_found_sick(
    tests: Looked, health: tuple[str, ...], when: str, passed: int
) -> None:
    """Once; where the process goes on, no further test with hardware runs in it."""
    result = tests.run(*health)
    result.assert_outcomes(passed=passed, errors=4 - passed)
    test = "test_first" if when == "after" else "test_second"
    (told,) = tests.told
    assert (told["device"], told["reason"]) == ("x0 of 'coral'", "it coughs")
    assert told["when"].startswith(when)
    assert told["when"].endswith(f"::{test}")
    result.stdout.fnmatch_lines(f"*The device x0 of 'coral' was sick {when} *::{test}: it coughs")


def test_a_worker_leaves_once_the_controller_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or if nobody answers."""
    said: list[Any] = []
    monkeypatch.setattr(os, "_exit", said.append)
    asked = SimpleNamespace(stash={ordering.KEY: lambda order: said.append(order["sick"])})
    probing.leaving(asked)({"device": "x0"})  # type: ignore[arg-type] # as much of it as is looked at
    assert said == [{"device": "x0"}, 1]
    with pytest.raises(KeyError):
        probing.leaving(SimpleNamespace(stash={}))({"device": "x0"})  # type: ignore[arg-type] # as above
    assert said[2:] == [1]


def test_workers_are_told_the_commands_of_what_they_hold() -> None:
    """Of other kinds there is nothing to look at."""
    check = Command(arguments=("/bin/check", "{path}"), timeout=3)
    known = [Hardware(kind="coral", resource="r", health=check), Hardware(kind="other", resource="r", health=check)]
    held = [Wanted(kind=kind, count=1, resource="r") for kind in ("coral", "gpu")]
    assert probing.told(held, known) == {"coral": (["/bin/check", "{path}"], 3), "gpu": None}
    assert probing.told([], known) == {}
