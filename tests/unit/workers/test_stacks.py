"""Stacks of a worker: when they are whole, and how a person reads them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from paddock.plugin import remote
from paddock.workers.inpod import stacks
from paddock.workers.inpod.stacks import PATIENCE, Stacks
from paddock.workers.stacks import LINES, arranged

if TYPE_CHECKING:
    from pathlib import Path

DEEP = "".join(f'  File "/src/app.py", line {number} in f{number}\n' for number in range(20))
TAKEN = f"""\
Thread 0x00007f17a05a66c0 (most recent call first):
{DEEP}
Current thread 0x00007f17a1fd4740 (most recent call first):
  File "/src/app.py", line 7 in wait
  File "/src/test_app.py", line 3 in test_waits
  File "/venv/lib/python3.11/site-packages/_pytest/python.py", line 194 in pytest_pyfunc_call
  File "/venv/lib/python3.11/site-packages/pluggy/_callers.py", line 121 in _multicall
"""


class Worker:
    """A worker that notes its signals."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    def signal(self, number: int) -> None:
        """Note it."""
        self.signals.append(number)


def test_both_sides_mean_the_same_signal_and_variable() -> None:
    """The worker's side stands alone, since its source is sent."""
    assert (remote.STACKS, remote.STACKS_SIGNAL) == (stacks.VARIABLE, stacks.SIGNAL)
    assert stacks.SIGNAL not in {signal.SIGRTMIN, signal.SIGRTMAX}


def test_a_worker_that_has_not_said_that_it_answers_is_not_signalled(tmp_path: Path) -> None:
    """The signal would end it."""
    worker = Worker()
    taking = Stacks(str(tmp_path / "stacks"))
    assert not taking.begin(worker, 0.0)  # type: ignore[arg-type]
    assert (worker.signals, taking.under_way, taking.look(1.0)) == ([], False, None)


def test_an_answer_is_whole_once_nothing_more_comes(tmp_path: Path) -> None:
    """It has no end mark; what earlier ones wrote is not part of it."""
    path, worker = tmp_path / "stacks", Worker()
    path.write_text("earlier\n")
    taking = Stacks(str(path))
    assert taking.begin(worker, 0.0)  # type: ignore[arg-type]
    assert taking.begin(worker, 0.0)  # type: ignore[arg-type]
    assert worker.signals == [stacks.SIGNAL]
    assert taking.look(0.1) is None
    with path.open("a") as file:
        file.write("Thread\n")
    assert taking.look(0.2) is None
    with path.open("a") as file:
        file.write("  File\n")
    assert taking.look(0.22) is None
    assert taking.look(0.26) is None
    assert 0 < taking.wait() < 1
    assert taking.look(0.28) == "Thread\n  File\n"
    assert (taking.look(0.3), taking.wait()) == (None, float("inf"))


def test_a_worker_that_does_not_answer_is_waited_for_no_longer_than_allowed(tmp_path: Path) -> None:
    """One that is stopped, or waits in the kernel for a disk; it can be asked again."""
    path, worker = tmp_path / "stacks", Worker()
    path.touch()
    taking = Stacks(str(path))
    for begun in (0.0, 10.0):
        assert taking.begin(worker, begun)  # type: ignore[arg-type]
        assert taking.look(begun + PATIENCE - 0.01) is None
        assert taking.look(begun + PATIENCE) == ""
    assert len(worker.signals) == 2


def test_the_tests_own_stack_comes_first_and_ends_where_pytest_begins() -> None:
    """The interpreter writes the newest thread first, and the main thread, in which tests run, last."""
    lines = arranged(TAKEN).splitlines()
    assert lines[:4] == [
        "Current thread 0x00007f17a1fd4740 (most recent call first):",
        '  File "/src/app.py", line 7 in wait',
        '  File "/src/test_app.py", line 3 in test_waits',
        "  … called by pytest",
    ]
    assert lines[5].startswith("Thread 0x00007f17a05a66c0")
    assert lines[-1] == "  … and 14 frames more"


def test_stacks_of_many_threads_are_cut() -> None:
    """The whole is in the worker's evidence."""
    lines = arranged(f"{TAKEN.partition('Current')[0]}" * 20 + TAKEN).splitlines()
    assert len(lines) == LINES + 1
    assert lines[-1].startswith("… and ")
    assert lines[1] == '  File "/src/app.py", line 7 in wait'


@pytest.mark.parametrize("nothing", ["", "\n\n"])
def test_no_stacks_are_no_text(nothing: str) -> None:
    """A worker that did not answer has none."""
    assert arranged(nothing) == ""


def test_a_worker_that_is_in_pytest_itself_shows_that() -> None:
    """It hangs between two tests, or collects."""
    text = 'Thread 0x1 (most recent call first):\n  File "/x/_pytest/python.py", line 1 in collect\n  File "/x/b.py"\n'
    assert arranged(text).splitlines()[1:] == ['  File "/x/_pytest/python.py", line 1 in collect', '  File "/x/b.py"']
