"""Lines for shared devices: first come first, one at a time, and nobody's once its process has ended."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import pytest

from paddock.devices import leases
from paddock.devices.leases import Claim
from paddock.devices.resources import LINE_SUFFIX
from paddock.fixtures.conditions import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WITHIN = 30.0
STANDS = """
import sys, time
from paddock.devices import leases

name, *paths = sys.argv[1:]
claims = {path: leases.Claim(device=path[-6:], run="k7", worker=name, test="t.py::" + name) for path in paths}
for line in sys.stdin:
    with leases.turns(claims, lambda mine, holder: print("told", holder.worker, flush=True), float(line)):
        print(time.monotonic(), flush=True)
        sys.stdin.readline()
    print("left", flush=True)
"""
"""A process that enters the lines at each first line of its input, with that patience, and leaves them at the next."""
WORKS = """
import os, random, sys
from paddock.devices import leases

seed, rounds, *paths = sys.argv[1:]
chance = random.Random(seed)
for number in range(int(rounds)):
    chosen = chance.sample(paths, chance.randint(1, len(paths)))
    claims = {path: leases.Claim(device=path, run="k7", worker=seed, test=str(number)) for path in chosen}
    with leases.turns(claims):
        for path in chosen:
            os.close(os.open(path + ".used", os.O_CREAT | os.O_EXCL))  # the kernel lets one at a time
        if chance.random() < 0.02:
            for path in chosen:
                os.unlink(path + ".used")
            os.kill(os.getpid(), 9)
        for path in chosen:
            os.unlink(path + ".used")
print("done")
"""


class Comer:
    """A process in lines."""

    def __init__(self, name: str, *paths: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-c", STANDS, name, *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._input, self._output = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)

    def comes(self, patience: float = 3600.0) -> Comer:
        self._input.write(f"{patience}\n")
        self._input.flush()
        return self

    def hears(self) -> str:
        return self._output.readline().strip()

    def has_its_turn(self, since: float = 0.0) -> None:
        """Wait for it; it must not have come before ``since``."""
        assert float(self.hears()) >= since

    def leaves(self) -> None:
        self._input.write("\n")
        self._input.flush()
        assert self.hears() == "left"

    def dies(self, number: int = signal.SIGKILL) -> int:
        self._process.send_signal(number)
        return self._process.wait(WITHIN)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._input.close()
        self._output.close()


class Crowd:
    """Processes of one test, and what their lines say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.line = leases.make(f"{folder}/apex_0.line")
        self._all: list[Comer] = []

    def one(self, name: str, *paths: str) -> Comer:
        self._all.append(Comer(name, *(paths or (self.line,))))
        return self._all[-1]

    def enter(self, *names: str) -> list[Comer]:
        """Have some come, each once the one before stands in the line."""
        found = []
        for name in names:
            found.append(self.one(name).comes())
            wait_until(lambda: self.standing()[-1:] == [name], WITHIN)  # noqa: B023 - called at once
        return found

    def standing(self) -> list[str]:
        return [claim.worker for line in leases.standing([self.folder]) for claim in line]

    def close(self) -> None:
        for one in self._all:
            one.close()


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    found = Crowd(tmp_path)
    yield found
    found.close()
    assert [path.name for path in tmp_path.iterdir() if path.suffix != LINE_SUFFIX] == []


def test_first_come_first_served(crowd: Crowd) -> None:
    """Who leaves and comes again goes to the end."""
    first, second, third = crowd.enter("a", "b", "c")
    first.has_its_turn()
    first.leaves()
    first.comes()
    wait_until(lambda: crowd.standing() == ["b", "c", "a"], WITHIN)
    for one in (second, third):
        one.has_its_turn()
        one.leaves()
    first.has_its_turn()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_next_has_its_turn_when_the_holder_dies(crowd: Crowd, number: int) -> None:
    """However it ends."""
    first, second = crowd.enter("a", "b")
    first.has_its_turn()
    began = time.monotonic()
    first.dies(number)
    second.has_its_turn(began)
    assert crowd.standing() == ["b"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_who_dies_waiting_lets_nobody_in_early(crowd: Crowd, number: int) -> None:
    """A signal ends the wait at once, and those behind wait on for who has the turn."""
    comers = crowd.enter("a", "b", "c", "d")
    comers[0].has_its_turn()
    for one in comers[1:3]:
        one.dies(number)
    assert crowd.standing() == ["a", "d"]
    late = crowd.enter("e")[0]
    assert crowd.standing() == ["a", "d", "e"]
    began = time.monotonic()
    comers[0].leaves()
    comers[3].has_its_turn(began)
    assert crowd.standing() == ["d", "e"]
    comers[3].dies()
    late.has_its_turn()


def test_a_long_wait_is_told_with_who_has_the_turn(crowd: Crowd) -> None:
    """Once; and when it is over, since when that is so."""
    first = crowd.enter("a")[0]
    first.has_its_turn()
    second = crowd.one("b").comes(patience=0.0)
    assert second.hears() == "told a"
    (line,) = leases.standing([crowd.folder])
    assert [(one.run, one.worker, one.test, one.device) for one in line] == [
        ("k7", "a", "t.py::a", "0.line"),
        ("k7", "b", "t.py::b", "0.line"),
    ]
    first.leaves()
    second.has_its_turn()
    (line,) = leases.standing([crowd.folder])
    assert time.strptime(line[0].since, "%Y-%m-%dT%H:%M:%SZ")


def test_the_next_has_its_turn_at_once(crowd: Crowd) -> None:
    """Well below what a test takes: the kernel wakes it, nobody looks from time to time."""
    first, second = crowd.enter("a", "b")
    first.has_its_turn()
    spans = []
    for _ in range(20):
        began = time.perf_counter()
        first.leaves()
        second.has_its_turn()
        spans.append(time.perf_counter() - began)
        first.comes()
        wait_until(lambda: crowd.standing() == [second.name, first.name], WITHIN)  # noqa: B023 - called at once
        first, second = second, first
    assert sorted(spans)[len(spans) // 2] < 0.05, spans  # the median, of a machine that others use as well


def test_any_number_with_several_devices_never_share_one_and_never_wait_for_ever(crowd: Crowd) -> None:
    """In whichever order they name them, and though some die with their turns."""
    paths = [leases.make(f"{crowd.folder}/{name}.line") for name in "xyz"]
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKS, str(seed), "60", *paths], stdout=subprocess.PIPE, text=True)
        for seed in range(8)
    ]
    ends = [(one.communicate(timeout=120)[0].strip(), one.returncode) for one in workers]
    assert set(ends) <= {("done", 0), ("", -signal.SIGKILL)}, ends
    assert {("done", 0), ("", -signal.SIGKILL)} == set(ends), "the seeds have both"
    assert crowd.standing() == []


def test_the_order_holds_whatever_dies(crowd: Crowd) -> None:
    """For any course of comings, leavings and deaths the one who came first of those alive has the turn, alone."""
    chance = random.Random(7)  # noqa: S311 - a course that is the same each time
    alive: list[Comer] = []
    for number in range(40):
        if len(alive) < 2 or (len(alive) < 5 and chance.random() < 0.5):
            alive += crowd.enter(f"w{number}")
            if len(alive) == 1:
                alive[0].has_its_turn()
            continue
        gone = alive.pop(chance.randrange(len(alive)))
        was_first, began = crowd.standing()[0] == gone.name, time.monotonic()
        gone.dies()
        assert crowd.standing() == [one.name for one in alive]
        if was_first:
            alive[0].has_its_turn(began)


def claim(worker: str = "gw0") -> Claim:
    return Claim(device="apex_0", run="k7", worker=worker, test="t")


@pytest.fixture
def forked() -> Iterator[Callable[[], int]]:
    """Forks children that do nothing until the test is over."""
    children: list[int] = []

    def fork() -> int:
        children.append(os.fork())
        if children[-1] == 0:
            signal.pause()
            os._exit(0)
        return children[-1]

    yield fork
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_child_that_outlives_the_process_holds_nothing(crowd: Crowd, forked: Callable[[], int]) -> None:
    """The turn is its parent's alone, though it has the file open."""
    with leases.turns({crowd.line: claim()}):
        assert forked()
        second = crowd.one("b").comes()
        wait_until(lambda: crowd.standing() == ["gw0", "b"], WITHIN)
        began = time.monotonic()
    second.has_its_turn(began)


def test_who_looks_disturbs_nobody_not_even_himself(crowd: Crowd) -> None:
    """A process that has its turn keeps it when it lists or makes lines; the kernel takes it with a closed file."""
    with leases.turns({crowd.line: claim()}):
        assert crowd.standing() == ["gw0"]
        assert leases.make(crowd.line) == crowd.line
        second = crowd.one("b").comes(patience=0.0)
        assert second.hears() == "told gw0"
        assert crowd.standing() == ["gw0", "b"]
    second.has_its_turn()


def test_a_turn_is_taken_only_if_it_is_free(crowd: Crowd) -> None:
    """Who asks so does not wait, and keeps nobody waiting."""
    with leases.if_free(crowd.line, claim()) as is_free:
        assert is_free
    (first,) = crowd.enter("a")
    first.has_its_turn()
    with leases.if_free(crowd.line, claim()) as is_free:
        assert not is_free
    assert crowd.standing() == ["a"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]\n{}\n", '{"place": -1}\n', json.dumps({"place": 1 << 70, **vars(claim())}), "\udcff\x00"]
)
def test_what_the_file_says_changes_nothing(crowd: Crowd, text: str) -> None:
    """The order is the kernel's; half a text, or nonsense of a pod's, is left out."""
    (first,) = crowd.enter("a")
    first.has_its_turn()
    Path(crowd.line).write_text(text, errors="surrogateescape")
    assert crowd.standing() == []
    (second,) = crowd.enter("b")
    first.leaves()
    second.has_its_turn()
    assert crowd.standing() == ["b"]


def test_what_is_shown_does_nothing_to_a_terminal(crowd: Crowd) -> None:
    """And is not longer than a line."""
    odd = Claim(device="apex_0", run="k7", worker="gw0", test="\x1b[2J" + "x" * 1000)
    with leases.turns({crowd.line: odd}):
        ((shown,),) = leases.standing([crowd.folder])
        assert shown.test == odd.test, "one's own"
        look = "import pathlib, sys; from paddock.devices import leases; ((one,),) = leases.standing([pathlib.Path("
        seen = subprocess.run(
            [sys.executable, "-c", f"{look}{str(crowd.folder)!r})]); print(repr(one.test))"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert seen.stdout.strip() == repr("?[2J" + "x" * 296)


def test_every_user_may_stand_in_a_line(crowd: Crowd) -> None:
    """Whatever the mask of who made its file; it is made once."""
    before = os.umask(0o077)
    try:
        path = leases.make(f"{crowd.folder}/below/usb-1-1.4.line")
    finally:
        os.umask(before)
    assert Path(path).stat().st_mode & 0o777 == 0o666
    inode = Path(path).stat().st_ino
    assert Path(leases.make(path)).stat().st_ino == inode
    Path(path).unlink()
    Path(path).parent.rmdir()
