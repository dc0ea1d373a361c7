"""When a worker has its turn with the devices that it shares, and what it says of a long wait."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import pytest

from paddock.devices import leases, probe
from paddock.devices.resources import Device, Hardware
from paddock.plugin import leasing, probing
from paddock.plugin.doings import AWAITS
from paddock.specs import Awaited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paddock.devices.leases import Claim

TESTS = """
import os, pathlib
import pytest
from paddock.devices import leases

def now():
    lines = leases.standing([pathlib.Path(os.environ["LINES"])])
    return [one.test.partition("::")[2] for line in lines for one in line if one.worker == "gw0"]

@pytest.fixture
def fixture(request):
    assert now() == [request.node.name]
    yield
    assert now() == [request.node.name]

@pytest.fixture(scope="module")
def wide():
    yield
    assert now() == ["test_second"], "the last test's turn is not over yet"

def test_plain():
    assert now() == []

@pytest.mark.hardware("coral")
def test_first(fixture, wide):
    assert now() == ["test_first"]

@pytest.mark.hardware("gpu")
def test_of_a_kind_without_lines():
    assert now() == []

@pytest.mark.hardware("coral")
@pytest.mark.hardware("hailo")
def test_second(fixture, wide): pass
"""
HOLDS = """
import sys
from paddock.devices import leases

claim = leases.Claim(device="d", run="p4", worker="gw7", test="far.py::test_long")
with leases.turns({sys.argv[1]: claim}):
    print("has it", flush=True)
    sys.stdin.readline()
"""


class Suite:
    """Runs tests in a process that shares a device, and notes what they made known."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._pytester, self._monkeypatch = pytester, monkeypatch
        self.coral = Hardware(kind="coral", resource="p/coral", paths=("/dev/x",), shares=2, lines=str(folder))
        self.line = leases.make(self.coral.line_of(Device(id="x0", paths=("/x",))))
        self.notes: list[str] = []
        self.looks: list[Sequence[str]] = []
        self.told: list[Mapping[str, str]] = []
        for name, value in {"LINES": str(folder), "PADDOCK_RUN": "k7", "PADDOCK_WORKER": "gw0"}.items():
            monkeypatch.setenv(name, value)

    def run(self, *arguments: str, patience: float = leases.PATIENCE) -> pytest.RunResult:
        gpu = replace(self.coral, kind="gpu", resource="p/gpu", in_turn=False)
        for one in (self.coral, gpu):
            device = Device(id="x0", paths=("/x",), line=one.line_of(Device(id="x0", paths=("/x",))))
            for name, value in one.environment_with([device]).items():
                self._monkeypatch.setenv(name, value)
        self._monkeypatch.setattr(probe, "sickness", self._look)
        self._pytester.makepyfile(TESTS)
        self._pytester.makeini("[pytest]\nmarkers = hardware")
        kinds = {"coral": None, "gpu": None}
        plugins = [self, probing.Probing(kinds, lambda _: None), leasing.Leasing(kinds, self.tell, patience)]
        given = ("-p", "no:cacheprovider", "-p", "no:paddock", *arguments)
        return self._pytester.runpytest_inprocess(*given, plugins=plugins)

    def _look(self, device: Device, _: object) -> str:
        self.looks += [[one.test for one in line] for line in leases.standing([Path(device.line).parent])]
        return ""

    def tell(self, awaited: Mapping[str, str]) -> None:
        self.told.append(awaited)
        self.notes.append("told")

    @pytest.hookimpl
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note that a test begins, for all that measures and limits it."""
        self.notes.append(nodeid.partition("::")[2])

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self) -> bool:
        """Note that pytest-timeout begins to count."""
        self.notes.append("timer")
        return True


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Suite:
    return Suite(pytester, monkeypatch, tmp_path / "lines")


@pytest.fixture
def another(suite: Suite) -> Iterator[IO[str]]:
    """Another process that has its turn until it hears a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, suite.line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        heard = cast("IO[str]", process.stdout)
        assert heard.readline() == "has it\n"
        yield cast("IO[str]", process.stdin)


def test_a_test_has_its_turn_from_its_set_up_to_its_tear_down(suite: Suite) -> None:
    """And with the looks at its devices before and after it; tests that need none have none."""
    suite.run().assert_outcomes(passed=4)
    named = "test_a_test_has_its_turn_from_its_set_up_to_its_tear_down.py::test_"
    assert suite.looks == [[f"{named}first"]] * 2 + [[f"{named}second"]] * 2
    assert leases.standing([Path(suite.line).parent]) == []


def test_the_wait_is_over_before_the_test_begins(
    suite: Suite, another: IO[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it counts neither as its time nor for its limits; it is told once, with who has the device."""

    def tell(awaited: Mapping[str, str]) -> None:
        Suite.tell(suite, awaited)
        another.write("\n")
        another.flush()

    monkeypatch.setattr(suite, "tell", tell)
    suite.run("--timeout=60", patience=0.0).assert_outcomes(passed=4)
    assert suite.notes[:5] == ["timer", "test_plain", "told", "timer", "test_first"]
    (told,) = suite.told
    awaited = Awaited(**told)
    test = "test_the_wait_is_over_before_the_test_begins.py::test_first"
    assert awaited.sentence == (
        f"waits for its turn with x0 of 'coral', to run {test}: p4/gw7 has it since {awaited.since}, "
        "for far.py::test_long"
    )


def test_a_line_that_cannot_be_entered_is_the_tests_error(suite: Suite) -> None:
    """With the way out; others run."""
    Path(suite.line).unlink()
    result = suite.run()
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        ["This worker cannot wait for its turn with x0 of 'coral': *No such file*shared-use = \"together\"*"]
    )


def test_a_long_wait_is_a_line_of_the_run() -> None:
    """Once told; every other word goes on as it is."""
    lines: list[str] = []
    words: list[tuple[str, str]] = []
    hear = leasing.telling(lines.append, lambda worker, word, _: words.append((worker, word)))
    awaited = {"device": "x0", "test": "t", "holder": "k7/gw1", "held_for": "u", "since": "now"}
    hear("gw0", AWAITS, awaited)
    hear("gw0", "logstart", {"nodeid": "t"})
    assert lines == ["gw0 waits for its turn with x0, to run t: k7/gw1 has it since now, for u"]
    assert words == [("gw0", AWAITS), ("gw0", "logstart")]


def test_whose_turn_is_asked_for_is_said_of_the_run_and_the_worker(suite: Suite) -> None:
    """As a person finds them elsewhere."""
    claims: list[Claim] = []
    original = leases.Place.__init__

    def enter(place: leases.Place, path: str, claim: Claim) -> None:
        claims.append(claim)
        original(place, path, claim)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases.Place, "__init__", enter)
        suite.run()
    assert {(one.run, one.worker, one.device) for one in claims} == {("k7", "gw0", "x0 of 'coral'")}
