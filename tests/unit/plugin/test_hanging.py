"""Which tests hang, and what is told of them before their worker is ended."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from paddock.plugin.hanging import Hanging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATIENCE = 10.0
TEXT = 'Thread 0x1 (most recent call first):\n  File "/src/test_a.py", line 3 in test_a\n'


class Levers:
    """Workers that answer, and note what is done to them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.text = TEXT
        self.ended = threading.Event()
        self.on_wait: Callable[[], object] = str

    def ask_stacks(self, worker: str) -> None:
        self.calls.append(f"ask {worker}")

    def wait_stacks(self, worker: str, timeout: float) -> str:
        self.calls.append(f"wait {worker} {timeout:g}")
        self.on_wait()
        return self.text

    def end(self, worker: str) -> None:
        self.calls.append(f"end {worker}")
        self.ended.set()


class Told:
    """What is kept and told."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, str]] = {}
        self.lines: list[str] = []


@pytest.fixture
def levers() -> Levers:
    """Workers that answer."""
    return Levers()


@pytest.fixture
def told() -> Told:
    """Nothing yet."""
    return Told()


@pytest.fixture
def made(levers: Levers, told: Told) -> Iterator[list[Hanging]]:
    """Those that a test makes, with limits in seconds; all are closed."""
    found: list[Hanging] = []
    found.extend(
        Hanging(lambda: levers, told.kept.__setitem__, told.lines.append, limit) for limit in (None, 0.01, PATIENCE)
    )
    yield found
    for one in found:
        one.close()


def begin(hanging: Hanging, worker: str = "gw0", test: str = "test_a.py::test_a") -> None:
    """Say that a worker begins a test."""
    hanging.hear(worker, "logstart", {"nodeid": test})


def report(test: str = "test_a.py::test_a") -> Any:
    """Return the report of a crash."""
    node = SimpleNamespace(gateway=SimpleNamespace(id="gw0"))
    return SimpleNamespace(nodeid=test, node=node, longrepr="worker 'gw0' crashed")


def test_a_test_that_takes_too_long_ends_its_worker_after_its_stacks_were_taken(
    made: list[Hanging], levers: Levers, told: Told
) -> None:
    """In this order; the report says why and where, the whole is kept."""
    hanging = made[1]
    begin(hanging)
    assert levers.ended.wait(PATIENCE)
    assert levers.calls == ["ask gw0", "wait gw0 2", "end gw0"]
    assert told.kept == {"gw0": {"stacks.txt": TEXT}}
    crashed = report()
    hanging.pytest_handlecrashitem(crashed)
    assert crashed.longrepr == (
        "worker 'gw0' crashed\nThe test took longer than 0.01 s, the limit of --paddock-test-limit, and its worker was "
        f"ended here:\n{TEXT.rstrip()}"
    )


def test_a_worker_that_gives_no_stacks_is_ended_all_the_same(made: list[Hanging], levers: Levers, told: Told) -> None:
    """It may be stuck in the kernel."""
    levers.text = ""
    begin(made[1])
    assert levers.ended.wait(PATIENCE)
    crashed = report()
    made[1].pytest_handlecrashitem(crashed)
    assert crashed.longrepr.endswith("and its worker was ended; it gave no stacks")
    assert told.kept == {}


def test_a_test_that_ends_while_its_stacks_are_taken_is_left_alone(made: list[Hanging], levers: Levers) -> None:
    """It was slow, and not hanging; the next one has its whole time."""
    hanging, looked = made[1], threading.Event()

    def finish() -> None:
        hanging.hear("gw0", "logfinish", {})
        looked.set()

    levers.on_wait = finish
    begin(hanging)
    assert looked.wait(PATIENCE)
    hanging.close()
    assert hanging._thread
    hanging._thread.join(PATIENCE)
    assert "end gw0" not in levers.calls
    crashed = report()
    levers.text = ""
    hanging.pytest_handlecrashitem(crashed)
    assert crashed.longrepr == "worker 'gw0' crashed"


def test_without_a_limit_nobody_looks(made: list[Hanging]) -> None:
    """There is not even a thread."""
    begin(made[0])
    assert made[0]._thread is None


def test_tests_within_their_limit_go_on(made: list[Hanging], levers: Levers) -> None:
    """Each begins anew."""
    hanging = made[2]
    for number in range(3):
        begin(hanging, test=f"test_{number}")
        hanging.hear("gw0", "logfinish", {})
    begin(hanging, "gw1")
    hanging.hear("gw1", "errordown", {})
    hanging.close()
    assert levers.calls == []


def test_an_interrupt_tells_where_tests_are_that_do_not_end(made: list[Hanging], levers: Levers, told: Told) -> None:
    """Asked when it comes, and once more where the grace has passed; workers between two tests are not told."""
    hanging = made[0]
    begin(hanging)
    begin(hanging, "gw1", "test_b")
    hanging.interrupted()
    hanging.hear("gw1", "logfinish", {})
    hanging.tell(["gw0", "gw1"], anew=True)
    assert levers.calls[:2] == ["ask gw0", "ask gw1"]
    assert [call.rpartition(" ")[0] for call in levers.calls[2:4]] == ["wait gw0", "wait gw1"]
    assert levers.calls[4:] == ["ask gw0", "wait gw0 2"]
    assert told.lines == [f"gw0 does not end: it is still in test_a.py::test_a here:\n{TEXT.rstrip()}"]
    assert told.kept == {"gw0": {"stacks.txt": TEXT}}


def test_a_second_interrupt_is_not_kept_waiting(made: list[Hanging], levers: Levers, told: Told) -> None:
    """What came after the first one is told."""
    begin(made[0])
    made[0].tell(["gw0"], anew=False)
    assert levers.calls == ["wait gw0 0"]
    assert len(told.lines) == 1


def test_a_worker_that_was_stopped_from_outside_says_where_it_was(
    made: list[Hanging], levers: Levers, told: Told
) -> None:
    """Its supervisor takes stacks before it ends it, as at the pod's deadline."""
    crashed = report()
    made[0].pytest_handlecrashitem(crashed)
    assert crashed.longrepr == f"worker 'gw0' crashed\nBefore its worker was ended, it was here:\n{TEXT.rstrip()}"
    assert told.kept == {"gw0": {"stacks.txt": TEXT}}
    assert levers.calls == ["wait gw0 0"]


def test_every_word_reaches_whoever_else_hears(made: list[Hanging]) -> None:
    """Words are passed on as they come."""
    heard: list[str] = []
    hear = made[0].beside(lambda _worker, word, _content: heard.append(word))
    hear("gw0", "logstart", {"nodeid": "test"})
    hear("gw0", "logfinish", {})
    assert heard == ["logstart", "logfinish"]
