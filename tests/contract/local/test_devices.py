"""Tests that need devices in the local engine: this machine's, each one worker's at a time."""

from __future__ import annotations

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from paddock.cli import main
from paddock.devices import leases
from paddock.devices.resources import LINE_SUFFIX
from paddock.engines.local import device_locks
from paddock.fixtures.conditions import wait_until
from tests.contract.plugin.running import Interrupt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run

WITHIN = 60.0
NODES = {"-n3": ["/dev/full", "/dev/zero"], "-n2": ["/dev/random", "/dev/urandom"], "-n0": ["/dev/null"]}
NODES |= {"-n1": ["/dev/kmsg"]}
"""Devices that every machine has and nobody hands out: they stand in for accelerators, each test's for its own."""
TESTS = """
    import os, pathlib, time
    import pytest

    WORKER = os.environ["PADDOCK_WORKER"]

    @pytest.mark.parametrize("n", range(8))
    def test_plain(n):
        pathlib.Path(f"plain-{WORKER}").touch()
        time.sleep(0.05)

    @pytest.mark.hardware("tester")
    @pytest.mark.parametrize("n", range(8))
    def test_uses_one(n, accelerator):
        (path,) = accelerator.paths
        os.close(os.open(path, os.O_RDWR))
        pathlib.Path(f"used-{WORKER}-{path[5:]}").touch()
        time.sleep(0.05)
"""
ASKED = "--paddock-hardware=tester"


def lock_of(node: str) -> Path:
    return device_locks.shared_folder() / node.strip("/").replace("/", "-")


@pytest.fixture
def workers(request: pytest.FixtureRequest) -> Iterator[str]:
    """How many there are; the locks of their devices are removed, which Paddock leaves for runs that may wait."""
    yield request.param
    for node in NODES[request.param]:
        lock_of(node).unlink(missing_ok=True)


@pytest.fixture
def terminals() -> Iterator[list[str]]:
    """Two device nodes of the test's own."""
    ends = [os.openpty() for _ in range(2)]
    names = [os.ttyname(theirs) for _, theirs in ends]
    yield names
    for descriptor in (one for pair in ends for one in pair):
        os.close(descriptor)
    for lock in map(lock_of, names):
        for file in (lock, *lock.parent.glob(f"{lock.name}.*")):
            file.unlink(missing_ok=True)


def files(workers: str) -> dict[str, str]:
    return {"pyproject.toml": f"[tool.paddock.devices.tester]\npaths = {NODES[workers]}\n", "test_devices.py": TESTS}


@pytest.mark.parametrize(
    ("workers", "holders"), [("-n3", {"gw0", "gw1", "gw2"}), ("-n0", {"master"})], indirect=["workers"]
)
def test_each_device_is_one_workers(run: Run, tmp_path: Path, workers: str, holders: set[str]) -> None:
    """Of three workers two hold one each, the third runs what needs none; without workers the process holds one."""
    result = run(workers, ASKED, files=files(workers))
    assert (result.code, result.counts) == (0, {"passed": 16}), result
    used = [tuple(path.name.split("-")[1:]) for path in (tmp_path / "project").glob("used-*")]
    assert len(used) == len({device for _, device in used}) == len({worker for worker, _ in used}), used
    assert len(used) == min(2, len(holders))
    assert {worker for worker, _ in used} <= holders


@pytest.mark.parametrize("workers", ["-n2"], indirect=True)
def test_a_run_waits_its_turn_for_what_another_process_holds(run: Run, tmp_path: Path, workers: str) -> None:
    """Its other tests run meanwhile."""
    locks = [device_locks.lock(lock_of(node)) for node in NODES[workers]]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, workers, ASKED, files=files(workers))
        wait_until(lambda: list((tmp_path / "project").glob("plain-*")), WITHIN)
        assert not list((tmp_path / "project").glob("used-*"))
        for lock in locks:
            assert lock is not None
            os.close(lock)
        result = running.result()
    assert (result.code, result.counts) == (0, {"passed": 16}), result
    assert list((tmp_path / "project").glob("used-*"))


SERVICE = """
import http.server, json, os, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(json.loads(os.environ["PADDOCK_DEVICES_TESTER"])["devices"][0]["paths"]).encode())

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
DECLARED = """
[tool.paddock.services.inference]
port = 8080
command = ["python", "{{here}}/service.py", "{{inference.port}}"]
readiness = {{httpGet = {{path = "/", port = 8080}}}}
hardware = "tester"
url = "http://{{inference.host}}:{{inference.port}}/"

[tool.paddock.devices.tester]
paths = {nodes}
environment = {{EDGE = "1"}}
"""
ASKING = """
import json, os, pathlib, urllib.request
import pytest
from paddock.fixtures.conditions import wait_until

WORKER = os.environ["PADDOCK_WORKER"]

@pytest.mark.hardware("tester")
@pytest.mark.parametrize("n", range(8))
def test_uses_it(n, accelerator_service, inference_service):
    assert accelerator_service.url == inference_service.url
    with urllib.request.urlopen(accelerator_service.url, timeout=10) as answer:
        path, = json.load(answer)
    assert path not in os.environ.get("PADDOCK_DEVICES_TESTER", "")
    pathlib.Path(f"used-{WORKER}-{path[5:].replace('/', '-')}").touch()
    wait_until(lambda: len(list(pathlib.Path().glob("used-*"))) >= HOLDERS, 30)
    if n == 0 and CRASH and not pathlib.Path("crashed").exists():
        pathlib.Path("crashed").touch()
        os.kill(os.getpid(), 9)

@pytest.mark.hardware("tester", count=COUNT)
def test_uses_both(accelerator_service, request):
    path = [*request.getfixturevalue("accelerator").paths, "none"][0] if COUNT > 1 else "none"
    pathlib.Path(f"own-{WORKER}-{path[5:].replace('/', '-')}").touch()

@pytest.mark.parametrize("n", range(8))
def test_plain(n): pass
"""


def serving(project: Path, nodes: list[str], count: int, *, holders: int = 1, crash: bool = False) -> dict[str, str]:
    declared = DECLARED.format(nodes=nodes).replace("{here}", str(project))
    tests = ASKING.replace("COUNT", str(count)).replace("CRASH", str(crash)).replace("HOLDERS", str(holders))
    return {"pyproject.toml": declared, "service.py": SERVICE, "test_devices.py": tests}


def used(project: Path, what: str = "used") -> set[tuple[str, str]]:
    return {(worker, device) for _, worker, device in (one.name.split("-", 2) for one in project.glob(f"{what}-*"))}


def test_a_service_holds_its_workers_device(run: Run, tmp_path: Path, terminals: list[str]) -> None:
    """Two of four workers have such a service, each with a device of its own, and nobody else runs its tests."""
    project = tmp_path / "project"
    result = run("-n4", "-x", ASKED, files=serving(project, terminals, 1, holders=2))
    assert (result.code, result.counts) == (0, {"passed": 17}), result
    assert len({device for _, device in used(project)}) == len({worker for worker, _ in used(project)}) == 2


def test_a_service_holds_one_device_and_its_worker_another(run: Run, tmp_path: Path, terminals: list[str]) -> None:
    """Of the two that the worker's place has."""
    project = tmp_path / "project"
    result = run("-n4", f"{ASKED}=2", files=serving(project, terminals, 2))
    assert (result.code, result.counts) == (0, {"passed": 17}), result
    ((worker, theirs),), ((same, own),) = used(project), used(project, "own")
    assert (worker, {theirs, own}) == (same, {node[5:].replace("/", "-") for node in terminals})


@pytest.mark.parametrize("workers", ["-n1"], indirect=True)
def test_who_replaces_a_lost_worker_has_its_services_device(run: Run, tmp_path: Path, workers: str) -> None:
    """The service of the one that was lost ends, and lets the device go."""
    project = tmp_path / "project"
    result = run(workers, ASKED, "--paddock-wait=20", files=serving(project, NODES[workers], 1, crash=True))
    assert (result.code, result.counts) == (1, {"passed": 16, "failed": 1}), result
    assert used(project) == {("gw0", NODES[workers][0][5:]), ("gw1", NODES[workers][0][5:])}


@pytest.mark.parametrize("workers", ["-n0"], indirect=True)
def test_without_workers_the_process_has_such_a_service(run: Run, tmp_path: Path, workers: str) -> None:
    """As it has devices."""
    project = tmp_path / "project"
    result = run(workers, ASKED, files=serving(project, NODES[workers], 1))
    assert (result.code, result.counts) == (0, {"passed": 17}), result
    assert {worker for worker, _ in used(project)} == {"master"}


BREAKING = """
import os, pathlib
import pytest

WORKER = os.environ["PADDOCK_WORKER"]
HERE = pathlib.Path(__file__).parent

@pytest.mark.hardware("tester")
@pytest.mark.parametrize("n", range(12))
def test_uses_one(n, accelerator):
    (path,) = accelerator.paths
    with (HERE / f"used-{WORKER}-{path[9:]}").open("a") as used:
        used.write(f"{n} ")
    if n == 0:
        (HERE / f"broken-{path[9:]}").touch()

@pytest.mark.parametrize("n", range(4))
def test_plain(n): pass
"""


def breaking(project: Path, *nodes: str) -> dict[str, str]:
    """A project whose first test breaks the device that it has: its kind's command says so."""
    check = ["/bin/sh", "-c", 'test ! -e "$0/broken-${1##*/}" || { echo no answer; exit 1; }', str(project), "{path}"]
    table = f"[tool.paddock.devices.tester]\npaths = {list(nodes)}\nhealth = {json.dumps(check)}\n"
    return {"pyproject.toml": table, "test_devices.py": BREAKING}


def test_the_rest_of_a_sick_devices_tests_run_on_other_workers(run: Run, tmp_path: Path, terminals: list[str]) -> None:
    """The test that broke it is named and has its own verdict; no further one sees that device."""
    project = tmp_path / "project"
    result = run("-n2", ASKED, files=breaking(project, *terminals))
    assert (result.code, result.counts) == (0, {"passed": 16}), result
    assert re.search(r"gw\d was lost: The device \S+ of 'tester' that it held was sick after test_devices", result.out)
    assert "test_devices.py::test_uses_one[0]: /bin/sh ended with 1: no answer. Look at the device" in result.out
    runs = {name: (project / f"used-{name}").read_text().split() for name in map("-".join, used(project))}
    (broken,) = project.glob("broken-*")
    assert [tests[-1] for name, tests in runs.items() if name.endswith(broken.name.removeprefix("broken"))] == ["0"]
    assert sorted(int(test) for tests in runs.values() for test in tests) == list(range(12))


def test_with_no_other_device_the_rest_is_never_run_and_says_why(
    run: Run, tmp_path: Path, terminals: list[str]
) -> None:
    """Whoever replaces the worker waits in vain for the device to be well again."""
    result = run("-n1", ASKED, "--paddock-wait=2", files=breaking(tmp_path / "project", terminals[0]))
    assert result.code != 0, result
    assert "held by nobody any more; sick are /dev/pts/" in result.out
    assert "(/bin/sh ended with 1: no answer)" in result.out


def test_without_workers_the_rest_fails_with_the_reason(run: Run, tmp_path: Path, terminals: list[str]) -> None:
    """There is nobody to move to."""
    result = run("-n0", ASKED, files=breaking(tmp_path / "project", terminals[0]))
    assert (result.code, result.counts) == (1, {"passed": 5, "error": 11}), result
    assert "was sick after test_devices.py::test_uses_one[0]: /bin/sh ended with 1: no answer" in result.out


SHARING = """
import json, os, pathlib, signal, time
import pytest
from paddock.devices import leases
from paddock.fixtures.conditions import wait_until

WORKER, HERE = os.environ["PADDOCK_WORKER"], pathlib.Path(__file__).parent

def note(what):
    (HERE / f"{what}-{WORKER}").touch()

def line():
    (device,) = json.loads(os.environ["PADDOCK_DEVICES_TESTER"])["devices"]
    path = pathlib.Path(device["line"])
    return [one for each in leases.standing([path.parent]) for one in each if each[0].test.startswith("test_devices")]

@pytest.fixture
def exclusive(accelerator):
    (path,) = accelerator.paths
    claim = HERE / f"claim-{path[5:].replace('/', '-')}"
    os.close(os.open(claim, os.O_CREAT | os.O_EXCL))  # the kernel lets one at a time
    yield claim
    claim.unlink()

@pytest.mark.hardware("tester")
@pytest.mark.parametrize("n", range(12))
def test_uses_it(n, exclusive):
    note("used")
    time.sleep(0.02)
    assert line()[0].worker == WORKER
    assert exclusive.exists()
    if WORKER == "gw0" and DIES and not (HERE / "died-gw0").exists():
        wait_until(lambda: {one.worker for one in line()} == {"gw0", "gw1", "gw2"}, 30)
        note("died")
        exclusive.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

@pytest.mark.parametrize("n", range(6))
def test_plain(n): pass
"""


def sharing(node: str, more: str = "", *, dies: bool = False) -> dict[str, str]:
    """A project whose tests would collide if two used the device at once."""
    table = f"[tool.paddock.devices.tester]\npaths = [{node!r}]\nshares = 3\n{more}\n"
    return {"pyproject.toml": table, "test_devices.py": SHARING.replace("DIES", str(dies))}


def test_workers_that_share_a_device_use_it_in_turn(run: Run, tmp_path: Path, terminals: list[str]) -> None:
    """Those of one run, of another at the same time, and of one without workers: each test has it alone."""
    files = sharing(terminals[0])
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(run, workers, ASKED, files=files) for workers in ("-n2", "-n0")]
        results = [one.result() for one in running]
    for result in results:
        assert (result.code, result.counts) == (0, {"passed": 18}), result
    assert not list((tmp_path / "project").glob("claim-*"))


def test_a_device_goes_to_the_next_when_its_holder_is_killed(run: Run, tmp_path: Path, terminals: list[str]) -> None:
    """In the midst of a test, while others wait for their turn."""
    result = run("-n3", ASKED, files=sharing(terminals[0], dies=True))
    assert (result.code, result.counts) == (1, {"passed": 17, "failed": 1}), result
    used = {path.name for path in (tmp_path / "project").glob("used-*")}
    assert len(used - {"used-gw0"}) >= 2, "others waited, and had it afterwards"
    assert re.search(r"worker 'gw0' crashed while running .*test_uses_it", result.out), result


TOGETHER = """
import os, pytest
from pathlib import Path
from paddock.fixtures.conditions import wait_until

@pytest.mark.hardware("tester")
@pytest.mark.parametrize("n", range(8))
def test_meets(n, accelerator):
    here = Path(__file__).parent
    (here / f"met-{os.environ['PADDOCK_WORKER']}").touch()
    wait_until(lambda: len(list(here.glob("met-*"))) == 2, 30)
"""


def test_devices_that_serve_several_at_once_do(run: Run, terminals: list[str]) -> None:
    """As the configuration of the kind says: two tests meet that would else wait for one another."""
    files = {**sharing(terminals[0], 'shared-use = "together"'), "test_devices.py": TOGETHER}
    result = run("-n2", ASKED, files=files)
    assert (result.code, result.counts) == (0, {"passed": 8}), result


LONG = """
import pytest

@pytest.mark.hardware("tester")
def test_waits(accelerator): pass
"""


def test_a_wait_says_who_has_the_device(
    run: Run, tmp_path: Path, terminals: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the run's terminal, once; whoever asks on this machine hears it as well."""
    line = leases.make(f"{lock_of(terminals[0])}{LINE_SUFFIX}")
    claim = leases.Claim(device="pts of 'tester'", run="k7x2mq", worker="gw7", test="far.py::test_long")
    with ThreadPoolExecutor(1) as pool:
        with leases.turns({line: claim}):
            files = {**sharing(terminals[0]), "test_devices.py": LONG}
            told_of = [Interrupt("waits for its turn", where="out", touch="told")]
            running = pool.submit(run, "-n1", "-v", ASKED, files=files, interrupts=told_of)
            wait_until((tmp_path / "witness" / "told").exists, WITHIN)
            assert main.main(["devices", "--json"]) == 0
        result = running.result()
    assert (result.code, result.counts) == (0, {"passed": 1}), result
    (told,) = [one for one in json.loads(capsys.readouterr().out)["turns"] if one["now"] == "k7x2mq/gw7"]
    assert len(told["then"]) == 1
    said = "gw0 waits for its turn with .* of 'tester', to run test_devices.py::test_waits: k7x2mq/gw7 has it since 20"
    assert len(re.findall(said, result.out)) == 1, result
    assert "for far.py::test_long" in result.out


LOOKS = """
import pathlib, sys
from paddock.devices import leases

own = [line for line in leases.standing([pathlib.Path(sys.argv[1]).parent]) if line[0].device.startswith("pts")]
sys.exit(0 if own else "nobody has its turn with it")
"""


def test_a_shared_device_is_looked_at_in_turn(run: Run, terminals: list[str]) -> None:
    """By the worker before and after its tests, and by who hands it out: a look may open it."""
    check = json.dumps([sys.executable, "-c", LOOKS, str(lock_of(terminals[0]))])
    tests = SHARING.replace("DIES", "False").replace("range(12)", "range(3)")
    files = {**sharing(terminals[0], f"health = {check}\nhealth-timeout = 60"), "test_devices.py": tests}
    result = run("-n2", ASKED, files=files)
    assert (result.code, result.counts) == (0, {"passed": 9}), result
    assert "sick" not in result.out


def test_who_waits_for_a_turn_can_be_interrupted(run: Run, terminals: list[str]) -> None:
    """By Ctrl-C as at any other time, though the test that it waits for goes on."""
    line = leases.make(f"{lock_of(terminals[0])}{LINE_SUFFIX}")
    files = {**sharing(terminals[0]), "test_devices.py": LONG}
    with leases.turns({line: leases.Claim(device="pts", run="k7x2mq", worker="gw7", test="far.py::test_long")}):
        result = run("-n1", ASKED, files=files, interrupts=[Interrupt("waits for its turn", where="out")])
        ((only,),) = [one for one in leases.standing([lock_of(terminals[0]).parent]) if one[0].worker == "gw7"]
    assert result.code == 2, result
    assert "does not end" not in result.out
    assert only.run == "k7x2mq", "nobody waits behind it any more"


def test_what_this_machine_has_not_is_refused(run: Run) -> None:
    """In a line, before anything is made."""
    result = run(
        "-n1", ASKED, files={"pyproject.toml": '[tool.paddock.devices.tester]\npaths = ["/dev/paddock-none-*"]\n'}
    )
    assert result.code == 4, result
    assert "A worker is to hold 1 of 'tester', and this machine has 0 (/dev/paddock-none-*)." in result.out + result.err
