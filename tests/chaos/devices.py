"""Two devices of the embedded node, handed out by the real plugin as its DaemonSet would: begun anew when it ends.

Owns the loop devices and the plugin's process. It must not know what is done to them when, nor judge.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.suite import FILES
from tests.contract.plugin.running import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COUNT = 2
SIZE = 1 << 20
RESOURCE = "paddock.dev/coral"
_READS = "import sys; sys.exit(not open(sys.argv[1], 'rb').read(1))"
_HEALTH = json.dumps([sys.executable, "-c", _READS, "{path}"])
"""A loop device without its file can still be opened, and has no byte to read."""
_TABLE = """
[tool.paddock.devices.coral]
paths = [{paths}]
permissions = "rw"
health = {health}
health-period = 1
"""
USES = """
import os
import pytest

pytestmark = pytest.mark.hardware("coral")


@pytest.mark.parametrize("number", range(6))
def test_opens(number, accelerator):
    os.close(os.open(accelerator.paths[0], os.O_RDWR | os.O_EXCL))
"""
SUITE: Mapping[str, str] = {
    "test_coral.py": USES,
    "test_victim.py": FILES["test_victim.py"] + '\n\npytestmark = pytest.mark.hardware("coral")\n',
}
VERDICTS: Mapping[str, str] = {f"test_coral.py::test_opens[{number}]": "passed" for number in range(6)}


class Bench:
    """The devices, and who hands them out."""

    def __init__(self, folder: Path) -> None:
        self._files = [folder / f"{number}.img" for number in range(COUNT)]
        for file in self._files:
            file.write_bytes(b"x" * SIZE)
        self.paths = [_losetup("--find", "--show", str(file)) for file in self._files]
        self._config = folder / "pyproject.toml"
        self._config.write_text(self.table, encoding="utf-8")
        self._plugin = self._start()

    @property
    def table(self) -> str:
        """Return what stands of the devices in pyproject.toml."""
        return _TABLE.format(paths=", ".join(f'"{path}"' for path in self.paths), health=_HEALTH)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "paddock", "device-plugin", f"--config={self._config}", "--until-eof"]
        return subprocess.Popen(command, cwd="/", env=clean_environment(), stdin=subprocess.PIPE)

    def kill_plugin(self) -> None:
        """Kill it, and begin another a moment after, as the DaemonSet's controller does."""
        self._plugin.kill()
        self._let_go()
        threading.Event().wait(1.0)
        self._plugin = self._start()

    def unplug(self, path: str) -> None:
        """Take a device away: its node stays, as in every pod that was given it, and answers nobody."""
        _losetup("--detach", path)

    def plug_in(self, path: str) -> None:
        """Put a device back."""
        _losetup(path, str(self._files[self.paths.index(path)]))

    def close(self) -> None:
        """End the plugin and remove the devices."""
        self._let_go()
        for path in self.paths:
            with contextlib.suppress(subprocess.CalledProcessError):  # it was taken away, and not put back
                self.unplug(path)

    def _let_go(self) -> None:
        assert self._plugin.stdin is not None
        self._plugin.stdin.close()
        self._plugin.wait(30)


_benches: list[Bench] = []


def bench() -> Bench:
    """Return the devices of the trials that are made."""
    return _benches[-1]


@contextlib.contextmanager
def present(project: Path) -> Iterator[None]:
    """Have the devices for as long as trials are made, and say in the project what they are."""
    with tempfile.TemporaryDirectory(prefix="paddock-chaos-devices-") as folder, contextlib.ExitStack() as stack:
        found = Bench(Path(folder))
        stack.callback(found.close)
        stack.callback(_benches.remove, found)
        _benches.append(found)
        settings = project / "pyproject.toml"
        settings.write_text(settings.read_text(encoding="utf-8") + found.table, encoding="utf-8")
        yield


def _losetup(*arguments: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    command: Sequence[str] = ["losetup", *arguments]
    done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True)
    return done.stdout.strip()
