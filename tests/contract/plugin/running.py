"""Runs the pytest under test as a person would, and reads what a person would see.

The engine is the caller's affair: ``Run`` is what the cases are written against.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT = 150.0
"""Seconds for one run; a hang is a failure and not a wait."""


@dataclass(frozen=True)
class Result:
    """What a run left for its user."""

    code: int
    out: str
    err: str
    folder: Path
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """The figures of pytest's last line, such as ``{"passed": 3}``."""
        found = re.findall(
            r"(\d+) (passed|failed|errors?|skipped|deselected|xfailed|xpassed)", self.last_line_of_pytest
        )
        return {word.removesuffix("s") if word == "errors" else word: int(number) for number, word in found}

    @property
    def last_line_of_pytest(self) -> str:
        """The line with the figures."""
        lines = [line for line in self.out.splitlines() if re.search(r" in [0-9.]+s", line)]
        return "".join(lines[-1:])

    @property
    def ran(self) -> list[tuple[str, str]]:
        """(worker, node id) in the order of their reports; needs ``-v``."""
        found = re.findall(r"^\[(gw\d+)\] \[ *\d+%\] [A-Z]+ (\S+)", self.out, flags=re.MULTILINE)
        return [(worker, node_id) for worker, node_id in found]

    @property
    def coverage(self) -> str:
        """The share in coverage's last line."""
        return "".join(re.findall(r"^TOTAL.* (\d+%)$", self.out, flags=re.MULTILINE))

    @property
    def last_line(self) -> str:
        """The last line that is not empty."""
        return [line for line in self.out.splitlines() if line.strip()][-1]

    @property
    def accounts(self) -> list[str]:
        """What stands in the closing accounts, behind the word for what is accounted for."""
        return re.findall(r"^paddock: (?:namespaces|workers): (created .*)$", self.out, flags=re.MULTILINE)

    @property
    def account(self) -> str:
        """The account that is the last line; empty where that is something else."""
        return next((one for one in self.accounts if self.last_line.endswith(f": {one}")), "")


@dataclass(frozen=True)
class Interrupt:
    """A signal for the running pytest as soon as ``after`` stands on its stderr, and again for each further entry."""

    after: str
    number: signal.Signals = signal.SIGINT
    touch: str = ""
    """File in the folder of witnesses that is made in place of a signal."""
    where: str = "err"
    """``out`` to look at its stdout instead."""


class Run(Protocol):
    """Runs pytest in the case's folder, after writing ``files`` there; a case may run several times."""

    def __call__(
        self,
        *args: str,
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        faults: Mapping[str, Mapping[str, object]] | None = None,
        interrupts: Sequence[Interrupt] = (),
        paddock: bool = True,
    ) -> Result:
        """Return what came of it."""


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, indentation taken off."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")


@dataclass
class Child:
    """A pytest process whose output is read while it runs."""

    process: subprocess.Popen[str]
    texts: dict[str, str] = field(default_factory=lambda: {"out": "", "err": ""})
    grown: threading.Condition = field(default_factory=threading.Condition)

    def follow(self, name: str, pipe: IO[str]) -> threading.Thread:
        """Begin to read one of its pipes."""
        thread = threading.Thread(target=self._read, args=(name, pipe))
        thread.start()
        return thread

    def _read(self, name: str, pipe: IO[str]) -> None:
        for line in pipe:
            with self.grown:
                self.texts[name] += line
                self.grown.notify_all()

    def signal_after(self, interrupt: Interrupt, end: float, witness: Path) -> None:
        """Send the signal, or make the file, once its text was seen."""
        with self.grown:
            text, within = interrupt.after, end - time.monotonic()
            seen = self.grown.wait_for(lambda: text in self.texts[interrupt.where], within)
        assert seen, f"{interrupt.after!r} never came:\n{self.texts['out']}\n{self.texts['err']}"
        if interrupt.touch:
            (witness / interrupt.touch).touch()
        else:
            self.process.send_signal(interrupt.number)


def run_pytest(
    args: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    interrupts: Sequence[Interrupt] = (),
    *,
    python: str = sys.executable,
    limit: float = LIMIT,
) -> Result:
    """Run ``python -m pytest`` in the folder; kills it and fails when it takes longer than ``limit`` seconds."""
    begin = time.monotonic()
    argv = [python, "-m", "pytest", *args]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        assert process.stderr
        child = Child(process)
        readers = [child.follow("out", process.stdout), child.follow("err", process.stderr)]
        try:
            for interrupt in interrupts:
                child.signal_after(interrupt, begin + limit, Path(environment.get("WITNESS", folder)))
            code = process.wait(limit)
        finally:
            process.kill()
            for reader in readers:
                reader.join()
    return Result(code, child.texts["out"], child.texts["err"], folder, time.monotonic() - begin)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what an outer pytest run or a CI system left there."""
    # pytest prints its short summary in full where a CI system says that it is one.
    foreign = ("PYTEST", "PADDOCK", "COV_", "BUILD_NUMBER")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign) and name != "CI"}
