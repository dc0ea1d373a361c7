"""This machine's devices: one worker's at a time over all runs, and nobody's once their holders have ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.declared_services import DeclaredService, Holding
from paddock.devices import leases
from paddock.devices.discovery import Machine
from paddock.devices.resources import Command, Device, Hardware, Wanted
from paddock.engines.local import device_locks, devices
from paddock.engines.local.devices import Devices
from paddock.engines.request import RunRequest
from paddock.errors import LeaseError, UsageError
from paddock.specs import EVERY_WORKER, FREE_DEVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CORAL = Hardware(kind="coral", resource="paddock.dev/coral", paths=("/dev/apex_*",), environment={"EDGE": "1"})
HAILO = Hardware(kind="hailo", resource="paddock.dev/hailo", paths=("/dev/hailo*",))
NEVER = threading.Event()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Two of the one kind, one of the other."""
    (tmp_path / "root" / "dev").mkdir(parents=True)
    for name in ("apex_0", "apex_1", "hailo0"):
        (tmp_path / "root" / "dev" / name).touch()
    return Machine(str(tmp_path / "root"), is_device=lambda _: True)


class Runs:
    """Runs of one machine."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._machine, self._folder = machine, folder
        self._made: list[Devices] = []
        self.sick: dict[str, str] = {}
        self.looks: list[str] = []

    def probe(self, device: Device, _: Command | None) -> str:
        self.looks.append(device.id)
        return self.sick.get(device.id, "")

    def begin(
        self,
        run: str,
        workers: int | str = FREE_DEVICES,
        wait: float = 60.0,
        services: Sequence[DeclaredService] = (),
        known: Sequence[Hardware] = (CORAL, HAILO),
        **kinds: int,
    ) -> Devices:
        wanted = tuple(Wanted(kind=kind, count=count, resource="") for kind, count in kinds.items())
        here = Path("/srv/project")
        asked = RunRequest(
            run_id=run,
            root=here,
            working_directory=here,
            hardware=wanted,
            devices=tuple(known),
            wait=wait,
            services=services,
        )
        self._made.append(Devices(replace(asked, hardware_workers=workers), self._machine, self._folder, self.probe))
        return self._made[-1]

    def close(self) -> None:
        for one in self._made:
            one.close()


@pytest.fixture
def runs(machine: Machine, tmp_path: Path) -> Iterator[Runs]:
    made = Runs(machine, tmp_path)
    yield made
    made.close()


def test_a_device_is_one_workers_over_all_runs(runs: Runs) -> None:
    """The first workers of a run hold what is free, the others nothing; what they let go others can have."""
    first, second = runs.begin("aa", coral=1), runs.begin("bb", coral=1)
    told = first.take("gw0", NEVER)
    assert (told["EDGE"], "apex_0" in told["PADDOCK_DEVICES_CORAL"]) == ("1", True)
    assert "apex_1" in second.take("gw0", NEVER)["PADDOCK_DEVICES_CORAL"]
    assert first.take("gw1", NEVER) == second.take("gw1", NEVER) == {}
    assert [worker in first for worker in ("gw0", "gw1")] == [True, False]
    second.leave("gw0")
    assert "apex_1" in first.take("gw2", NEVER)["PADDOCK_DEVICES_CORAL"]


def test_a_service_holds_its_part_and_the_worker_the_rest(runs: Runs) -> None:
    """Each is told of its own; all of it is let go together."""
    held = Holding(kind="coral", resource="paddock.dev/coral")
    service = DeclaredService(name="inference", port=1, readiness={}, hardware=held)
    run = runs.begin("aa", services=[service], coral=2, hailo=1)
    own = run.take("gw0", NEVER)
    lease = run.services("gw0")["inference"]
    assert ("apex_0" in lease.variables["PADDOCK_DEVICES_CORAL"], lease.variables["EDGE"]) == (True, "1")
    assert "PADDOCK_DEVICES_HAILO" not in lease.variables
    assert "apex_0" not in str(own)
    assert {name: path in own[name] for name, path in zip(sorted(own)[1:], ("apex_1", "hailo0"), strict=True)} == {
        "PADDOCK_DEVICES_CORAL": True,
        "PADDOCK_DEVICES_HAILO": True,
    }
    assert (len(lease.descriptors), len(run.descriptors("gw0"))) == (1, 2)
    assert run.services("gw1") == {}
    run.leave("gw0")
    only = runs.begin("bb", services=[service], coral=1)
    assert only.take("gw0", NEVER) == {}
    assert "gw0" in only
    assert "apex_0" in only.services("gw0")["inference"].variables["PADDOCK_DEVICES_CORAL"]


def test_a_sick_device_is_nobodys(runs: Runs) -> None:
    """Others are handed out; who waits for it says so, and looks at it no more often than its kind's period."""
    runs.sick = {"apex_0": "it coughs"}
    run = runs.begin("aa", wait=0.3, coral=1)
    assert "apex_1" in run.take("gw0", NEVER)["PADDOCK_DEVICES_CORAL"]
    assert run.take("gw1", NEVER) == {}
    with pytest.raises(LeaseError, match=r"held by aa/gw0; sick are /dev/apex_0 \(it coughs\)"):
        runs.begin("bb", wait=0.3, coral=1).take("gw0", NEVER)
    assert runs.looks.count("apex_0") == 2
    runs.sick = {}
    assert "apex_0" in runs.begin("cc", coral=1).take("gw0", NEVER)["PADDOCK_DEVICES_CORAL"]


def test_all_or_nothing_is_held(runs: Runs) -> None:
    """Two runs that each wait for what the other has would wait for ever."""
    other, run = runs.begin("aa", hailo=1), runs.begin("bb", wait=0.01, coral=2, hailo=1)
    other.take("gw0", NEVER)
    with pytest.raises(LeaseError, match=r"in vain for its turn for coral and hailo; held by aa/gw0\.$"):
        run.take("gw0", NEVER)
    assert "apex_0" in runs.begin("cc", coral=2).take("gw0", NEVER)["PADDOCK_DEVICES_CORAL"]


def test_only_who_still_holds_a_device_is_named(runs: Runs, tmp_path: Path) -> None:
    """Files keep what their last holder wrote; who has just taken one and not said so yet is not called by its name."""
    gone, there = runs.begin("aa", coral=1), runs.begin("bb", coral=1)
    gone.take("gw0", NEVER)
    there.take("gw0", NEVER)
    gone.leave("gw0")
    assert "aa/gw0" in (tmp_path / "dev-apex_0").read_text()
    with pytest.raises(LeaseError, match=r"its turn for coral; held by bb/gw0\.$"):
        runs.begin("cc", wait=0.01, coral=2).take("gw0", NEVER)
    lock = device_locks.lock(tmp_path / "dev-apex_0")
    assert lock is not None
    with pytest.raises(LeaseError, match=r"its turn for coral; held by bb/gw0\.$"):
        runs.begin("dd", wait=0.01, coral=1).take("gw0", NEVER)
    os.close(lock)


def test_who_finds_nothing_free_waits_with_one_worker(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tells for what; it has the device as soon as the other run lets go."""
    monkeypatch.setattr(devices, "_LOOK_EVERY", 0.001)
    other, run = runs.begin("aa", hailo=1), runs.begin("bb", hailo=1)
    other.take("gw0", NEVER)
    had: list[object] = []
    waiting = threading.Thread(target=lambda: had.append(run.take("gw0", NEVER)))
    waiting.start()
    while not run.words_for("gw0"):
        threading.Event().wait(0.001)
    assert run.words_for("gw0") == "its turn for hailo; held by aa/gw0"
    assert run.take("gw1", NEVER) == {}
    assert run.words_for("gw1") == ""
    other.leave("gw0")
    waiting.join(60)
    assert "hailo0" in str(had)
    assert ("gw0" in run, run.words_for("gw0")) == (True, "")


SHARED = replace(CORAL, shares=2)


def held(run: Devices, worker: str) -> list[tuple[str, str]]:
    """Id and name of the line of each device that the worker gets."""
    told = run.take(worker, NEVER).get("PADDOCK_DEVICES_CORAL", '{"devices": []}')
    return [(one["id"], Path(one.get("line", "")).name) for one in json.loads(told)["devices"]]


def test_a_device_is_as_many_workers_as_may_share_it(runs: Runs) -> None:
    """Over all runs, the least shared first; each is told of the line in which its tests wait for their turn."""
    first, second = (runs.begin(name, coral=1, known=[SHARED]) for name in ("aa", "bb"))
    line = "dev-apex_{}.line".format
    assert held(first, "gw0") == [("apex_0", line(0))]
    assert held(second, "gw0") == [("apex_1", line(1))]
    assert held(first, "gw1") == [("apex_0", line(0))]
    assert held(second, "gw1") == [("apex_1", line(1))]
    assert held(second, "gw2") == []
    first.leave("gw0")
    assert held(second, "gw3") == [("apex_0", line(0))]
    with pytest.raises(LeaseError, match=r"held by aa/gw1, bb/gw0, bb/gw1, bb/gw3\.$"):
        runs.begin("cc", wait=0.01, coral=1, known=[SHARED]).take("gw0", NEVER)


def test_who_wants_a_device_alone_waits_for_all_who_share_it(runs: Runs) -> None:
    """Another project's configuration may say so of the same device."""
    shared, alone = runs.begin("aa", coral=2, known=[SHARED]), runs.begin("bb", wait=0.01, coral=1)
    assert len(held(shared, "gw0")) == 2
    with pytest.raises(LeaseError):
        alone.take("gw0", NEVER)
    shared.leave("gw0")
    assert held(alone, "gw0") == [("apex_0", "")]
    with pytest.raises(LeaseError):
        runs.begin("cc", wait=0.01, coral=2, known=[SHARED]).take("gw0", NEVER)


def test_devices_that_serve_several_at_once_have_no_line(runs: Runs) -> None:
    """As the configuration says."""
    run = runs.begin("aa", coral=1, known=[replace(SHARED, in_turn=False)])
    assert [held(run, f"gw{number}") for number in range(3)] == [[("apex_0", "")], [("apex_1", "")], [("apex_0", "")]]


def test_a_device_that_a_test_uses_now_is_not_looked_at(runs: Runs, tmp_path: Path) -> None:
    """It would be opened under the test's hands; the worker that gets it looks when it has its turn."""
    waiting = """if True:
        import sys
        from paddock.devices import leases
        with leases.turns({sys.argv[1]: leases.Claim(device="d", run="r", worker="w", test="t")}):
            print("has it", flush=True)
            sys.stdin.read()
    """
    line = leases.make(f"{tmp_path}/dev-apex_0.line")
    with subprocess.Popen(
        [sys.executable, "-c", waiting, line], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as another:
        assert another.stdout
        assert another.stdout.readline() == b"has it\n"
        assert len(held(runs.begin("aa", coral=2, known=[SHARED]), "gw0")) == 2
        assert runs.looks == ["apex_1"]
    assert len(held(runs.begin("bb", coral=2, known=[SHARED]), "gw0")) == 2
    assert runs.looks == ["apex_1", "apex_0", "apex_1"]


def test_as_many_hold_devices_as_the_user_says(runs: Runs) -> None:
    """With a number no more than that; with "all" each worker waits for its own."""
    one = runs.begin("aa", workers=1, coral=1)
    assert one.take("gw0", NEVER)
    assert one.take("gw1", NEVER) == {}
    every = runs.begin("bb", workers=EVERY_WORKER, wait=0.01, coral=1)
    assert every.take("gw0", NEVER)
    with pytest.raises(LeaseError, match="held by aa/gw0, bb/gw0"):
        every.take("gw1", NEVER)


def test_the_end_of_the_run_ends_the_wait(runs: Runs) -> None:
    """Nobody waits for what nobody needs."""
    runs.begin("aa", hailo=1).take("gw0", NEVER)
    over = threading.Event()
    over.set()
    with pytest.raises(LeaseError, match="ended before it was its turn"):
        runs.begin("bb", hailo=1).take("gw0", over)


def test_a_device_is_held_until_its_workers_process_has_ended(runs: Runs) -> None:
    """Also when the run has let go, as one that is killed does; and no longer, however the process ends."""
    run, next_run = runs.begin("aa", hailo=1), runs.begin("bb", wait=0.01, hailo=1)
    run.take("gw0", NEVER)
    program = [sys.executable, "-c", "print(flush=True); input()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, pass_fds=run.descriptors("gw0")) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        run.leave("gw0")
        with pytest.raises(LeaseError, match="held by aa/gw0"):
            next_run.take("gw0", NEVER)
        worker.kill()
    assert next_run.take("gw0", NEVER)


@pytest.mark.parametrize(
    ("hardware", "count", "words"),
    [
        (replace(CORAL, paths=("/dev/none*",)), 1, r"1 of 'coral', and this machine has 0 \(/dev/none\*\)"),
        (CORAL, 3, "3 of 'coral', and this machine has 2"),
        (Hardware(kind="coral", resource="nvidia.com/gpu"), 1, "by a plugin of its vendor"),
        (None, 1, "--paddock-simulate-hardware makes devices for the embedded node"),
    ],
)
def test_what_this_machine_cannot_hand_out_is_refused(
    machine: Machine, hardware: Hardware | None, count: int, words: str
) -> None:
    """Before anything is made."""
    here = Path("/srv/project")
    wanted = (Wanted(kind="coral", count=count, resource=""),)
    known = (hardware,) if hardware else ()
    asked = RunRequest(run_id="aa", root=here, working_directory=here, hardware=wanted, devices=known)
    with pytest.raises(UsageError, match=words):
        Devices(asked, machine)


def test_all_users_of_a_machine_lock_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody may make a file there and lock everybody's, and remove nobody else's."""
    monkeypatch.setattr(device_locks, "_FOLDERS", (tmp_path / "none", tmp_path))
    folder = device_locks.shared_folder()
    assert folder == tmp_path / "paddock-devices" == device_locks.shared_folder()
    assert folder.stat().st_mode & 0o7777 == 0o1777
