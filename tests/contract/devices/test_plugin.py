"""The device plugin, as kubelet sees it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from paddock.devices import leases
from paddock.devices.api import MESSAGES
from paddock.devices.daemon import Daemon
from paddock.devices.discovery import Machine
from paddock.devices.resources import Command, Device, Hardware, Mount
from paddock.errors import InfrastructureError
from tests.contract.devices.kubelet import PATIENCE, Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CORAL = "paddock.dev/coral"
HOLDS = """
import sys
from paddock.devices import leases

with leases.turns({sys.argv[1]: leases.Claim(device="d", run="k7", worker="gw0", test="t")}):
    print("has it", flush=True)
    sys.stdin.read()
"""
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"


@pytest.fixture(scope="module", autouse=True)
def grpc_is_there() -> None:
    """The library keeps threads and files for as long as the process lives."""
    with tempfile.TemporaryDirectory(prefix="paddock-") as folder:
        kubelet = Kubelet(Path(folder))
        kubelet.start()
        with grpc.insecure_channel(f"unix:{folder}/kubelet.sock") as channel:
            grpc.channel_ready_future(channel).result(PATIENCE)
        kubelet.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Kubelet's folder; a socket's path has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="paddock-") as found:
        yield Path(found)


@pytest.fixture
def kubelet(folder: Path) -> Iterator[Kubelet]:
    found = Kubelet(folder)
    yield found
    found.stop()


@pytest.fixture
def begin(folder: Path, tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """Begins a plugin for devices below ``tmp_path`` and returns the lines that it says."""
    running: list[tuple[Daemon, threading.Thread]] = []

    def begin_one(*kinds: Hardware) -> list[str]:
        said: list[str] = []
        machine = Machine(str(tmp_path), is_device=lambda path: Path(path).exists())
        daemon = Daemon(kinds, folder, said.append, machine, period=0.02)
        thread = threading.Thread(target=daemon.run)
        thread.start()
        running.append((daemon, thread))
        return said

    yield begin_one
    for daemon, thread in running:
        daemon.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert not list(folder.glob("paddock-*"))


def coral(**more: object) -> Hardware:
    return Hardware(**{"kind": "coral", "resource": CORAL, "paths": ("/dev/apex_*",), **more})  # type: ignore[arg-type]


def until_said(said: list[str], words: str) -> None:
    """Wait until the plugin has said so; the test's own time limit bounds it."""
    while not any(words in line for line in said):
        threading.Event().wait(0.01)


def plug(tmp_path: Path, *numbers: int) -> None:
    (tmp_path / "dev").mkdir(exist_ok=True)
    for number in numbers:
        (tmp_path / f"dev/apex_{number}").touch()


def allocate(kubelet: Kubelet, *devices: str) -> Any:
    request = MESSAGES["AllocateRequest"]()
    request.container_requests.add(devices_ids=devices)
    return kubelet.call(CORAL, "Allocate", request).container_responses[0]


def test_a_device_goes_from_its_node_to_a_container(
    kubelet: Kubelet, begin: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Registered, listed, chosen, allocated: with its nodes, the mounts and the environment of its kind."""
    plug(tmp_path, 0, 1, 2)
    kubelet.start()
    begin(coral(environment={"A": "b"}, mounts=(Mount(host="/opt", container="/lib/opt"),), permissions="rwm"))
    kubelet.until(lambda: bool(kubelet.lists.get(CORAL)))
    assert kubelet.registered == [f"v1beta1 {CORAL}"]
    assert kubelet.lists[CORAL][0] == dict.fromkeys(("apex_0", "apex_1", "apex_2"), HEALTHY)
    for options in (kubelet.options[CORAL], kubelet.call(CORAL, "GetDevicePluginOptions", MESSAGES["Empty"]())):
        assert (options.pre_start_required, options.get_preferred_allocation_available) == (False, True)
    request = MESSAGES["PreferredAllocationRequest"]()
    request.container_requests.add(
        available_deviceIDs=["apex_0", "apex_1", "apex_2"], must_include_deviceIDs=["apex_2"], allocation_size=2
    )
    (chosen,) = kubelet.call(CORAL, "GetPreferredAllocation", request).container_responses
    assert list(chosen.deviceIDs) == ["apex_2", "apex_0"]
    got = allocate(kubelet, "apex_2")
    assert str(got.devices[0]).split("\n")[:3] == [
        'container_path: "/dev/apex_2"',
        'host_path: "/dev/apex_2"',
        'permissions: "rwm"',
    ]
    assert (got.mounts[0].host_path, got.mounts[0].container_path, got.mounts[0].read_only) == (
        "/opt",
        "/lib/opt",
        True,
    )
    assert got.envs["A"] == "b"
    assert json.loads(got.envs["PADDOCK_DEVICES_CORAL"])["devices"][0]["id"] == "apex_2"


def test_a_device_that_is_unplugged_is_not_handed_out_until_it_is_back(
    kubelet: Kubelet, begin: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Kubelet hears of both, and of new ones; who asks for one that is gone is told so."""
    plug(tmp_path, 0)
    kubelet.start()
    said = begin(coral())
    kubelet.until(lambda: kubelet.lists.get(CORAL, [])[-1:] == [{"apex_0": HEALTHY}])
    (tmp_path / "dev/apex_0").unlink()
    kubelet.until(lambda: kubelet.lists[CORAL][-1] == {"apex_0": UNHEALTHY})
    with pytest.raises(grpc.RpcError, match=r"paddock\.dev/coral has no healthy device apex_0 any more"):
        allocate(kubelet, "apex_0")
    plug(tmp_path, 0, 1)
    kubelet.until(lambda: kubelet.lists[CORAL][-1] == {"apex_0": HEALTHY, "apex_1": HEALTHY})
    assert "paddock.dev/coral: apex_0 (/dev/apex_0) is unplugged" in said


def test_those_who_share_a_device_get_the_line_for_their_turns(
    kubelet: Kubelet, begin: Callable[..., list[str]], tmp_path: Path
) -> None:
    """The same file at the same place, for every user to lock; where it cannot be made, nobody gets the device."""
    plug(tmp_path, 0)
    kubelet.start()
    begin(coral(shares=3, lines=f"{tmp_path}/lines"))
    kubelet.until(lambda: bool(kubelet.lists.get(CORAL)))
    line = f"{tmp_path}/lines/paddock.dev_coral/apex_0.line"
    for share in range(3):
        got = allocate(kubelet, f"apex_0::{share}")
        (mount,) = got.mounts
        assert (mount.host_path, mount.container_path, mount.read_only) == (line, line, False)
        assert json.loads(got.envs["PADDOCK_DEVICES_CORAL"])["devices"][0]["line"] == line
    assert Path(line).stat().st_mode & 0o777 == 0o666
    Path(line).unlink()
    Path(line).parent.rmdir()
    Path(line).parent.touch()
    with pytest.raises(grpc.RpcError, match=r"File exists.*paddock\.dev_coral"):
        allocate(kubelet, "apex_0::0")


def test_a_shared_device_is_not_reset_while_a_test_uses_it(
    kubelet: Kubelet, begin: Callable[..., list[str]], tmp_path: Path
) -> None:
    """A container that comes then gets it as it is."""
    plug(tmp_path, 0)
    reset = Command(arguments=("/bin/sh", "-c", f"echo >> {tmp_path}/resets"), timeout=60.0)
    shared = coral(shares=2, lines=f"{tmp_path}/lines", reset=reset)
    kubelet.start()
    begin(shared)
    kubelet.until(lambda: bool(kubelet.lists.get(CORAL)))
    line = leases.make(shared.line_of(Device(id="apex_0", paths=("/dev/apex_0",))))
    request = MESSAGES["PreStartContainerRequest"](devices_ids=["apex_0::1"])
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ}
    ) as test:
        assert test.stdout
        assert test.stdout.readline() == b"has it\n"
        kubelet.call(CORAL, "PreStartContainer", request)
        assert not (tmp_path / "resets").exists()
    kubelet.call(CORAL, "PreStartContainer", request)
    assert (tmp_path / "resets").read_text() == "\n"


def test_a_check_decides_whether_a_device_is_healthy(
    kubelet: Kubelet, begin: Callable[..., list[str]], tmp_path: Path
) -> None:
    """It fails, it passes, it hangs: the other device goes on being healthy, and the reason is told."""
    script = f'test -e {tmp_path}/hang-$0 && sleep 600; test ! -e {tmp_path}/sick-$0 || {{ echo "too hot"; exit 1; }}'
    check = Command(arguments=("/bin/sh", "-c", script, "{id}"), timeout=2.0)
    plug(tmp_path, 0, 1)
    (tmp_path / "sick-apex_0").touch()
    kubelet.start()
    said = begin(coral(health=check, health_period=0.05))
    kubelet.until(lambda: kubelet.lists.get(CORAL, [])[-1:] == [{"apex_0": UNHEALTHY, "apex_1": HEALTHY}])
    (tmp_path / "sick-apex_0").unlink()
    kubelet.until(lambda: kubelet.lists[CORAL][-1] == {"apex_0": HEALTHY, "apex_1": HEALTHY})
    assert f"{CORAL}: apex_0 (/dev/apex_0) is sick: /bin/sh ended with 1: too hot" in said
    (tmp_path / "hang-apex_1").touch()
    kubelet.until(lambda: kubelet.lists[CORAL][-1] == {"apex_0": HEALTHY, "apex_1": UNHEALTHY})
    assert f"{CORAL}: apex_1 (/dev/apex_1) is sick: /bin/sh took longer than 2 s" in said
    (tmp_path / "hang-apex_1").unlink()
    kubelet.until(lambda: kubelet.lists[CORAL][-1] == {"apex_0": HEALTHY, "apex_1": HEALTHY})


def test_a_kubelet_that_was_restarted_hears_of_everything_again(
    kubelet: Kubelet, begin: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Whether its plugins were there before it or not; devices that came meanwhile are among them."""
    plug(tmp_path, 0)
    said = begin(coral(), coral(kind="gpu", resource="a.b/gpu", paths=("/dev/gpu*",)))
    until_said(said, "kubelet does not listen at")
    kubelet.start()
    kubelet.until(lambda: {CORAL, "a.b/gpu"} <= set(kubelet.lists))
    kubelet.stop()
    plug(tmp_path, 1)
    kubelet.start()
    kubelet.until(lambda: kubelet.lists.get(CORAL, [])[-1:] == [{"apex_0": HEALTHY, "apex_1": HEALTHY}])
    assert allocate(kubelet, "apex_1").devices[0].host_path == "/dev/apex_1"


def test_a_socket_that_was_removed_is_made_anew(
    kubelet: Kubelet, begin: Callable[..., list[str]], tmp_path: Path, folder: Path
) -> None:
    """A kubelet that starts removes them all, some before and some after its own is there."""
    plug(tmp_path, 0)
    kubelet.start()
    begin(coral())
    kubelet.until(lambda: len(kubelet.registered) == 1)
    next(folder.glob("paddock-*")).unlink()
    kubelet.until(lambda: len(kubelet.registered) == 2)
    kubelet.until(lambda: kubelet.lists.get(CORAL, [])[-1:] == [{"apex_0": HEALTHY}])


def test_a_kubelet_that_refuses_is_asked_again(
    kubelet: Kubelet, begin: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Its reason is told once."""
    plug(tmp_path, 0)
    kubelet.refusal = "not today"
    kubelet.start()
    said = begin(coral())
    line = f"{CORAL} is not registered, which is tried again: not today"
    until_said(said, line)
    kubelet.refusal = ""
    kubelet.until(lambda: bool(kubelet.lists.get(CORAL)))
    assert said.count(line) == 1


def test_a_device_is_reset_before_a_container_starts(
    kubelet: Kubelet, begin: Callable[..., list[str]], tmp_path: Path
) -> None:
    """One that cannot be keeps the container from starting, with the reason."""
    plug(tmp_path, 0)
    reset = Command(arguments=("/bin/sh", "-c", f"echo stuck; rm {tmp_path}/resettable-$0", "{id}"), timeout=60.0)
    (tmp_path / "resettable-apex_0").touch()
    kubelet.start()
    begin(coral(reset=reset))
    kubelet.until(lambda: bool(kubelet.lists.get(CORAL)))
    assert kubelet.options[CORAL].pre_start_required
    request = MESSAGES["PreStartContainerRequest"](devices_ids=["apex_0"])
    kubelet.call(CORAL, "PreStartContainer", request)
    assert not (tmp_path / "resettable-apex_0").exists()
    with pytest.raises(grpc.RpcError, match="apex_0 could not be reset: /bin/sh ended with 1: rm: "):
        kubelet.call(CORAL, "PreStartContainer", request)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, folder: Path, kubelet: Kubelet) -> None:
    """Kubelet's own belongs to root; a path that is too long for a socket is refused alike."""
    kubelet.start()
    deep = folder / ("d" * 90)
    deep.mkdir()
    (deep / "kubelet.sock").touch()
    plug(tmp_path, 0)
    with pytest.raises(InfrastructureError, match=r"The socket .* cannot be made: .*kubelet's own belongs to root\."):
        Daemon([coral()], deep, print, Machine(str(tmp_path), is_device=os.path.exists)).run()
    shutil.rmtree(deep)


def test_the_command_serves_until_it_is_told_to_end(kubelet: Kubelet, folder: Path, tmp_path: Path) -> None:
    """Devices of this machine, as a file says; SIGTERM takes the socket away."""
    config = tmp_path / "devices.yaml"
    config.write_text("devices: {void: {paths: [/dev/null, /dev/full]}}")
    kubelet.start()
    command = [sys.executable, "-m", "paddock", "device-plugin", f"--config={config}", f"--folder={folder}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as plugin:
        try:
            there = [{"full": HEALTHY, "null": HEALTHY}]
            kubelet.until(lambda: kubelet.lists.get("paddock.dev/void", [])[-1:] == there)
        finally:
            plugin.send_signal(signal.SIGTERM)
            output = plugin.communicate(timeout=PATIENCE)[0]
    assert plugin.returncode == 0
    assert "paddock: paddock.dev/void: null (/dev/null) is healthy\n" in output
    assert "paddock: paddock.dev/void is registered with kubelet\n" in output
    assert not list(folder.glob("paddock-*"))
