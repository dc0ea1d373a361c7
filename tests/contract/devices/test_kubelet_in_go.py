"""The device plugin's command, driven by Kubernetes' own client code for Go: registration to restart.

The rest of these tests drive it with messages that are made as the plugin's own are: a mistake in them would be on both
sides. ``kubelet_in_go`` is built from pinned modules; it shares nothing with the plugin.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import pytest

from paddock.node import toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).with_name("kubelet_in_go")
VOID = "paddock.dev/void"
HEALTHY = {"full": "Healthy", "null": "Healthy"}
CONFIGURATION = """
devices:
  void:
    paths: [/dev/null, /dev/full]
    reset: [/bin/sh, -c, 'rm "$0"', {reset}]
"""


class Kubelet:
    """What the program says, as it comes: each line is one word with its value."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._input, self._output = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

    def until(self, word: str) -> Any:
        """Return the value of the next ``word``; the test's own limit bounds the wait."""
        for line in self._output:
            found = json.loads(line)
            if word in found:
                return found[word]
            assert "error" not in found, found
        raise AssertionError(f"it ended without {word}")

    def do(self, what: str, *ids: str, answer: str = "", size: int = 0) -> Any:
        """Have it ask the plugin, and return what came of it."""
        order = {"do": what, "resource": VOID, "ids": ids, "size": size}
        self._input.write(json.dumps(order) + "\n")
        self._input.flush()
        return self.until(answer or what)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it: a minute on two cores, seconds once Go has compiled the modules."""
    target = tmp_path_factory.mktemp("kubelet") / "kubelet"
    go = str(toolchain.find(print))
    command = [go, "build", "-trimpath", "-mod=readonly", "-buildvcs=false", f"-o={target}", "."]
    environment = toolchain.environment()
    done = subprocess.run(command, cwd=SOURCES, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def folder() -> Iterator[Path]:
    """Kubelet's folder; a socket's path has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="paddock-") as found:
        yield Path(found)


@pytest.fixture
def kubelet(program: Path, folder: Path) -> Iterator[Kubelet]:
    pipe = subprocess.PIPE
    with subprocess.Popen([program, folder], stdin=pipe, stdout=pipe, text=True) as process:
        yield Kubelet(process)
        process.communicate()
    assert process.returncode == 0


@pytest.fixture
def plugin(kubelet: Kubelet, folder: Path, tmp_path: Path) -> Iterator[Path]:
    """Start the command beside it; the path is of a file without which a device cannot be reset."""
    assert kubelet.until("started")
    config, resettable = tmp_path / "devices.yaml", tmp_path / "resettable"
    resettable.touch()
    config.write_text(CONFIGURATION.format(reset=resettable))
    command = [sys.executable, "-m", "paddock", "device-plugin", f"--config={config}", f"--folder={folder}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        yield resettable
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def test_a_client_that_is_not_ours_gets_along_with_the_plugin(kubelet: Kubelet, plugin: Path) -> None:
    """Registration, options, list, choice, allocation, reset; and all of it again after a restart of kubelet."""
    for _ in range(2):
        assert kubelet.until("registered") == VOID
        assert kubelet.until("options") == {"prefers": True, "prestart": True}
        assert kubelet.until("devices") == HEALTHY
        assert kubelet.do("prefer", "null", "full", size=1) in (["full"], ["null"])
        got = kubelet.do("allocate", "null")
        assert got["devices"] == [{"container_path": "/dev/null", "host_path": "/dev/null", "permissions": "rw"}]
        assert json.loads(got["envs"]["PADDOCK_DEVICES_VOID"])["devices"][0]["id"] == "null"
        assert kubelet.do("prestart", "null") is True
        assert not plugin.exists()
        assert "null could not be reset" in kubelet.do("prestart", "null", answer="error")
        assert "gone" in kubelet.do("allocate", "gone", answer="error")
        plugin.touch()
        kubelet.do("restart", answer="started")
