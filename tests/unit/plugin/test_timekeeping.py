"""The times of a run: from its reports to the history."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.cli.history import lines as shown
from paddock.plugin.attempts import RERUN
from paddock.plugin.timekeeping import WORTH_SHARING, Timekeeper
from paddock.plugin.timing import FILE_SECONDS, RUN_SECONDS
from paddock.scheduling import history, history_file
from paddock.scheduling.foresight import seconds_of_needy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from paddock.plugin.terminal import Terminal


class Lines:
    """A terminal that keeps its lines."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, text: str, *, yellow: bool = False) -> None:
        """Keep a line."""
        assert yellow
        self.said.append(text)


class Subtest(pytest.TestReport):
    """A report of a part of a test."""


def report(
    test: str,
    when: str,
    seconds: float,
    outcome: str = "passed",
    *,
    kind: type[pytest.TestReport] = pytest.TestReport,
    extra: Mapping[str, float] | None = None,
) -> pytest.TestReport:
    """Return a report with what the worker has told beside."""
    told: dict[str, Any] = {"outcome": outcome, "when": when, "duration": seconds}
    made = kind(test, ("t.py", 0, "test"), {}, longrepr=None, **told)
    vars(made).update(extra or {})
    return made


def keeper(path: Path, *reports: pytest.TestReport) -> tuple[Timekeeper, Lines]:
    """Return one that has heard of these."""
    lines = Lines()
    made = Timekeeper(path, cast("Terminal", lines))
    made.pytest_sessionstart()
    for one in reports:
        made.pytest_runtest_logreport(one)
    return made, lines


def test_a_test_takes_what_its_phases_take(tmp_path: Path) -> None:
    """Without what other tests share: that is its file's, by how often the file was begun, or nobody's."""
    timekeeper, _ = keeper(
        tmp_path / "h",
        report("t.py::a", "setup", 6.0, extra={FILE_SECONDS: 4.0, RUN_SECONDS: 1.0}),
        report("t.py::a", "call", 2.0),
        report("t.py::a", "teardown", 0.5, extra={FILE_SECONDS: 0.5}),
        report("t.py::b", "setup", 4.0, extra={FILE_SECONDS: 3.5}),
        report("t.py::b", "teardown", 0.0, extra={FILE_SECONDS: 0.0}),
    )
    assert timekeeper.measured() == {"t.py::a": 3.0, "t.py::b": 0.5, "t.py": 4.0}


def test_little_that_is_shared_is_not_kept(tmp_path: Path) -> None:
    """It is no reason to keep tests together."""
    shared = {FILE_SECONDS: WORTH_SHARING / 2}
    timekeeper, _ = keeper(tmp_path / "h", report("t.py::a", "setup", 1.0, extra=shared))
    assert set(timekeeper.measured()) == {"t.py::a"}


@pytest.mark.parametrize(
    "other",
    [
        report("t.py::a", "call", 9.0, kind=Subtest),
        report("t.py::a", "???", 9.0, "failed"),
        report("t.py::a", "call", 9.0, RERUN),
    ],
    ids=["subtest", "crash", "attempt"],
)
def test_only_the_verdicts_phases_count(other: pytest.TestReport, tmp_path: Path) -> None:
    """Not its parts, not a crash, not an attempt that another one followed."""
    timekeeper, _ = keeper(tmp_path / "h", other, report("t.py::a", "call", 2.0))
    assert timekeeper.measured() == {"t.py::a": 2.0}


def known(path: Path, **seconds: float) -> None:
    """Have a history of one run."""
    history_file.save(path, history.measured(int(time.time()), {f"t.py::{name}": one for name, one in seconds.items()}))


def test_a_failure_is_no_time_where_there_is_another(tmp_path: Path) -> None:
    """A test that fails at once would else begin last."""
    path = tmp_path / "h"
    known(path, a=10.0)
    failed = [report(f"t.py::{name}", "call", 0.1, "failed") for name in "ab"]
    timekeeper, _ = keeper(path, *failed)
    assert set(timekeeper.measured()) == {"t.py::b"}


def test_a_slower_machine_is_taken_out(tmp_path: Path) -> None:
    """Times are kept as the machines of the history would have measured them."""
    path = tmp_path / "h"
    names = [f"n{number}" for number in range(20)]
    known(path, **dict.fromkeys(names, 1.0))
    slow = [report(f"t.py::{name}", "call", 3.0) for name in names]
    timekeeper, _ = keeper(path, *slow, report("t.py::new", "call", 6.0))
    assert timekeeper.measured()["t.py::new"] == pytest.approx(2.0)


def test_times_are_kept_at_the_end(tmp_path: Path) -> None:
    """Whoever plans the next run finds them; a run without tests writes nothing."""
    path = tmp_path / "h"
    empty, _ = keeper(path)
    empty.pytest_sessionfinish()
    assert not path.exists()
    timekeeper, lines = keeper(path, report("t.py::a", "call", 2.0))
    timekeeper.pytest_sessionfinish()
    assert lines.said == []
    again, _ = keeper(path)
    assert [seconds for _, seconds in again.history.samples["t.py::a"]] == [2.0]


def test_a_history_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """And the run goes on without."""
    path = tmp_path / "h"
    path.write_text("no history\n")
    timekeeper, lines = keeper(path)
    assert timekeeper.history.samples == {}
    assert len(lines.said) == 1
    assert "cannot be read" in lines.said[0]


def test_what_needs_hardware_is_known_before_it_is_collected(tmp_path: Path) -> None:
    """Its time stands in the history once more, under its kinds; `paddock history show` leaves that out."""
    timekeeper, _ = keeper(tmp_path / "h", report("t.py::a", "call", 2.0), report("t.py::b", "call", 1.0))
    timekeeper.pytest_runtest_logreport(report("t.py::refused", "setup", 0.0, "failed"))
    timekeeper.kinds = lambda test: [] if test == "t.py::b" else ["hailo", "coral"]
    timekeeper.pytest_sessionfinish()
    kept = history_file.load(tmp_path / "h").history
    assert seconds_of_needy(kept, ["t.py"], ["coral", "hailo"]) == 2.0
    assert set(kept.samples) == {"t.py::a", "t.py::b", "t.py::refused", "::hardware coral,hailo t.py::a"}
    assert [line for line in shown(kept) if "::hardware" in line] == []
