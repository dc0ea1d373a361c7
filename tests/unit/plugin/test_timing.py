"""Shared fixtures' time, told apart from the test's in real sessions of pytest in this process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from paddock.plugin.timing import FILE_SECONDS, RUN_SECONDS, SharedTime

if TYPE_CHECKING:
    from pathlib import Path

SUITE = """\
import pytest

@pytest.fixture(scope="{scope}")
def inner():
    clock.now += 2

@pytest.fixture(scope="{scope}")
def shared(inner):
    clock.now += 3

@pytest.fixture
def own():
    clock.now += 5

def test_a(shared, own): pass
def test_b(shared, own): pass
"""


class Clock:
    """Time that passes where the suite says so."""

    now = 0.0

    def perf_counter(self) -> float:
        """Return the time."""
        return self.now


class Reports:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.seen: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a report."""
        self.seen.append(report)

    def told(self, attribute: str) -> dict[tuple[str, str], float]:
        """Return (test, phase) -> seconds, where there are any."""
        found = {(one.nodeid.partition("::")[2], str(one.when)): vars(one).get(attribute) for one in self.seen}
        return {key: seconds for key, seconds in found.items() if seconds is not None}


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> Reports:
    """Return the reports of a suite that sees the clock."""
    clock, reports = Clock(), Reports()
    monkeypatch.setattr("paddock.plugin.timing.time", clock)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")

    class Shown:
        """Gives the suite the clock."""

        def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.Module:
            """Put it into each module."""
            module: pytest.Module = pytest.Module.from_parent(parent, path=module_path)
            vars(module.obj)["clock"] = clock
            return module

    arguments = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", f"--rootdir={folder}", str(folder)]
    try:
        assert pytest.main(arguments, plugins=[SharedTime(), reports, Shown()]) == 0
    finally:
        for name in files:  # the next test's suite has the same name
            sys.modules.pop(name, None)
    return reports


@pytest.mark.parametrize(
    ("scope", "attribute"),
    [("module", FILE_SECONDS), ("package", RUN_SECONDS), ("session", RUN_SECONDS)],
)
def test_shared_fixtures_are_told_where_they_are_made(
    scope: str, attribute: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the set-up of the first test that asks for them, each once though one asks for the other; own ones never."""
    reports = run(tmp_path, monkeypatch, test_s=SUITE.format(scope=scope))
    other = RUN_SECONDS if attribute == FILE_SECONDS else FILE_SECONDS
    setups = {key: one for key, one in reports.told(attribute).items() if key[1] == "setup"}
    assert setups == {("test_a", "setup"): 5.0}
    assert not any(phase == "setup" for _, phase in reports.told(other))


def test_a_tests_own_fixtures_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is told of them."""
    reports = run(tmp_path, monkeypatch, test_s=SUITE.format(scope="function"))
    assert not any(phase == "setup" for _, phase in reports.told(FILE_SECONDS) | reports.told(RUN_SECONDS))


def test_what_takes_the_files_fixtures_down_is_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tear-down of its last test here, whichever that is, for as long as it took."""
    reports = run(tmp_path, monkeypatch, test_s=SUITE.format(scope="module"), test_t=SUITE.format(scope="module"))
    torn = {key: one for key, one in reports.told(FILE_SECONDS).items() if key[1] == "teardown"}
    assert set(torn) == {("test_b", "teardown")}
    last = [one for one in reports.seen if one.when == "teardown" and one.nodeid.endswith("test_b")]
    assert [vars(one)[FILE_SECONDS] for one in last] == [one.duration for one in last]
    assert len(last) == 2
