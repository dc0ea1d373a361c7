"""The lines of workers below pytest's output, in a terminal, and what a log gets in their place."""

from __future__ import annotations

import re
import signal
import termios
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._io import TerminalWriter

from paddock.plugin import live
from tests.contract.plugin.conftest import arguments
from tests.contract.plugin.in_terminal import Seen, run_in_terminal
from tests.contract.plugin.running import write

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.contract.plugin.running import Run

SUITE = {
    "test_live.py": """
        import os, pathlib, time
        import pytest

        @pytest.mark.parametrize("number", range(30))
        def test_short(number): pass

        def test_shown():
            end = time.monotonic() + 30
            while not pathlib.Path(os.environ["WITNESS"], "seen").exists() and time.monotonic() < end:
                time.sleep(0.02)

        def test_fails(): assert 1 == 2
    """,
}
"""One test lasts until it was seen in the terminal."""


class Watch:
    """Lets the suite's long test end, or interrupts it, once its line is on the screen."""

    def __init__(self, folder: Path, text: str = "gw[01] test_live.py::test_shown") -> None:
        self._witness, self._text = folder / "witness" / "seen", text
        self.seen = self.interrupts = False

    def __call__(self, seen: Seen, process: subprocess.Popen[bytes], _terminal: int) -> None:
        """Look at the screen."""
        if not self.seen and any(re.match(self._text, line) for line in seen.moments[-1]):
            self.seen = True
            if self.interrupts:
                process.send_signal(signal.SIGINT)
            else:
                self._witness.touch()


def in_terminal(folder: Path, *args: str, **options: Any) -> Seen:
    """Run the suite in a terminal, on child processes."""
    for name in ("project", "temp", "witness"):
        (folder / name).mkdir(exist_ok=True)
    write(folder / "project", SUITE)
    ours, environment = arguments(folder, options.pop("faults", None))
    environment |= options.pop("environment", {})
    for name in options.pop("without", ()):
        environment.pop(name, None)
    return run_in_terminal(
        [*ours, "--paddock-env=WITNESS", "--paddock-order=collected", *args], folder / "project", environment, **options
    )


def steady(lines: list[str]) -> list[str]:
    """Return lines without times and names that differ from run to run, and without empty ends of lines."""
    told = [re.sub(r"[0-9.]+s\b|run [a-z0-9-]+|PYTHONHASHSEED=\d+|=+|_{5,}", "*", line) for line in lines]
    return [line for line in told if line]


@pytest.mark.parametrize("options", [("-p", "no:randomly"), ("-v",), ("-s",), ("--color=no",)], ids=lambda one: one[0])
def test_each_worker_has_a_line_below_and_none_is_left(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The line names the running test; at the end the terminal holds what it holds without the lines."""
    watch = Watch(tmp_path)
    seen = in_terminal(tmp_path, "-n1", *options, then=watch)
    assert watch.seen, seen.moments[-1]
    assert seen.had("paddock: ", "gw0 test_live.py::test_shown")
    assert seen.code == 1
    without = in_terminal(tmp_path, "-n1", *options, "-p", "no:paddock-live")
    assert steady(seen.end()) == steady(without.end())


def test_a_narrow_terminal_and_one_that_changes_are_no_trouble(tmp_path: Path) -> None:
    """Lines are cut to the width there is; what a smaller terminal showed before is taken away."""
    watch = Watch(tmp_path, "gw0 test_l")

    def narrower(seen: Seen, process: subprocess.Popen[bytes], terminal: int) -> None:
        if not watch.seen and any("gw0 " in line for line in seen.moments[-1]) and seen.screen.columns > 40:
            seen.screen.resize(24, 40)
            termios.tcsetwinsize(terminal, (24, 40))
            return
        if seen.screen.columns == 40:
            watch(seen, process, terminal)

    seen = in_terminal(tmp_path, "-n1", then=narrower)
    assert watch.seen, seen.moments[-1]
    assert not [line for line in seen.end() if line.startswith("gw0 ") or "workers," in line]


@pytest.mark.parametrize(
    "environment", [{"TERM": "dumb"}, {"TERM": ""}], ids=["a terminal that can nothing", "an unknown one"]
)
def test_terminals_that_cannot_show_lines_are_spared(tmp_path: Path, environment: dict[str, str]) -> None:
    """No sequence is written that they would show as characters."""
    (tmp_path / "witness").mkdir()
    (tmp_path / "witness" / "seen").touch()
    seen = in_terminal(tmp_path, "-n1", environment=environment)
    assert seen.code == 1
    assert not [line for line in seen.end() if line.startswith("gw0 ")]


def test_the_lines_have_no_colours_where_none_are_wanted(tmp_path: Path) -> None:
    """NO_COLOR takes the colours, and leaves the lines."""
    watch = Watch(tmp_path)
    seen = in_terminal(tmp_path, "-n1", then=watch, environment={"NO_COLOR": "1"})
    assert watch.seen
    colours = {cell.fg for line in seen.screen.buffer.values() for cell in line.values()}
    assert colours <= {"default"}


def test_a_worker_that_waits_says_for_what(tmp_path: Path) -> None:
    """Before a worker has said anything, its line says what its place waits for."""
    faults = {"gw1": {"after": 3, "waits_for": "a node: Insufficient memory"}}
    watch = Watch(tmp_path, "gw1 waits for a node: Insufficient memory")
    in_terminal(tmp_path, "-n2", faults=faults, then=watch)
    assert watch.seen


def test_our_lines_are_lines_of_their_own(tmp_path: Path) -> None:
    """Xdist's count of workers is a half line when a worker is told that never came."""
    (tmp_path / "witness").mkdir()
    (tmp_path / "witness" / "seen").touch()
    seen = in_terminal(tmp_path, "-n2", faults={"gw1": {"after": 3, "never": "no room"}, "gw0": {"after": 4}})
    assert seen.had("worker gw1 never came"), seen.end()
    assert [line for line in seen.end() if "worker gw1 never came" in line and line.startswith("paddock: ")], seen.end()


def test_an_interrupt_leaves_nothing_of_the_lines(tmp_path: Path) -> None:
    """What follows a Ctrl-C is pytest's summary and our account, on a terminal as before."""
    watch = Watch(tmp_path)
    watch.interrupts = True
    seen = in_terminal(tmp_path, "-n2", "--color=no", then=watch)  # three lines of ours below three of pytest's
    assert watch.seen
    assert "(to show a full traceback on KeyboardInterrupt use --full-trace)" in seen.end()
    assert not [line for line in seen.end() if re.match(r"gw\d |paddock: \d+ of", line)]
    assert seen.end()[-1].startswith("paddock: namespaces: created 2")


def test_a_log_hears_of_long_waits_only(run: Run) -> None:
    """Where there is no terminal a run that goes well has no lines of ours but the ones it always had."""
    result = run("-n1", files={"test_it.py": "def test_it(): pass\n"})
    told = [line.split()[1] for line in result.out.splitlines() if line.startswith("paddock:")]
    assert set(told) <= {"run", "sources", "namespaces:"}, result.out
    assert "\x1b" not in result.out


def test_pytest_writes_through_the_file_that_we_replace() -> None:
    """``TerminalWriter._file`` is where everything passes, and has ``isatty`` and ``fileno``."""
    source = TerminalWriter.write_raw.__code__.co_names
    assert "_file" in source
    assert live.PLUGIN == "paddock-live"
