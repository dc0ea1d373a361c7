from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from _pytest.terminal import TerminalReporter  # pytest exports it since 8.4

from paddock.plugin import terminal
from paddock.plugin.terminal import Progress, Terminal

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 10.0


class FakeTerminal:
    """Notes lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.told = threading.Event()

    def line(self, text: str) -> None:
        """Note a line."""
        self.lines.append(text)
        self.told.set()


@pytest.fixture
def fake() -> FakeTerminal:
    """Return a terminal that notes."""
    return FakeTerminal()


def test_a_slow_step_is_told(fake: FakeTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who waits sees for what."""
    monkeypatch.setattr(terminal, "SLOW", 0.01)
    progress = Progress(cast("Terminal", fake))
    progress.step("the image is being built")
    assert fake.told.wait(LIMIT)
    progress.end()
    assert fake.lines == ["the image is being built"]


def test_quick_steps_are_not_told(fake: FakeTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that end in time leave no line, and neither does one after the end."""
    monkeypatch.setattr(terminal, "SLOW", LIMIT)
    progress = Progress(cast("Terminal", fake))
    progress.step("one")
    progress.step("two")
    progress.end()
    monkeypatch.setattr(terminal, "SLOW", 0.0)
    progress.step("late")
    progress.end()
    assert fake.lines == []


def test_workers_lines_carry_their_name(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes that are no UTF-8 do not break the relay."""
    Terminal(pytestconfig).worker_line("gw3", b"caf\xe9\r\n")
    assert capsys.readouterr().err == "[gw3] caf\N{REPLACEMENT CHARACTER}\n"


def test_lines_arrive_in_a_pipe_when_they_are_written(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """A CI system's log shows what a run waits for while it waits, not when some buffer is full."""
    log = tmp_path / "log"
    with log.open("w") as file:
        reporter = TerminalReporter(pytestconfig, file)
        plugins = SimpleNamespace(get_plugin=lambda _: reporter)
        Terminal(cast("pytest.Config", SimpleNamespace(pluginmanager=plugins))).line("building etcd")
        assert log.read_text() == "paddock: building etcd\n"
