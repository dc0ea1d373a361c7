"""A pytest plugin for one test: xdist's workers run behind supervisors, over connections that are cut all the time.

The environment names the in-pod half (``OVER_LIBRARY``), a folder for sockets and the result (``OVER_FOLDER``) and the
life of a connection in seconds (``OVER_PERIOD``).
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import execnet
import pytest

from paddock.workers.connection import SocketConnection
from paddock.workers.stream import PodStream
from tests.contract.workers.places import supervised
from tests.contract.workers.proxy import CuttingProxy

if TYPE_CHECKING:
    from paddock.engines.protocol import WorkerStream

SERVE = """\
import sys
from execnet.gateway_base import serve, init_popen_io, get_execmodel
sys.stdout.write('1')
sys.stdout.flush()
serve(init_popen_io(get_execmodel('main_thread_only')), id='%s-worker')
"""


class StreamIO:
    """A worker's stream as execnet wants it."""

    remoteaddress = "stream"

    def __init__(self, stream: WorkerStream, execmodel: Any) -> None:
        self.stream, self.execmodel = stream, execmodel
        self.write, self.close_write, self.kill = stream.write, stream.close_write, stream.kill

    def read(self, count: int) -> bytes:
        """Return exactly ``count`` bytes."""
        data = b""
        while len(data) < count:
            part = self.stream.read(count - len(data))
            if not part:
                raise EOFError(f"expected {count} bytes and got {len(data)}")
            data += part
        return data

    def close_read(self) -> None:
        """Need nothing."""

    def wait(self) -> int | None:
        """Wait for the worker's end."""
        status = self.stream.wait(10)
        return status.code if status else None


class Over:
    """The controller's side: gateways over streams, and a count of what is reported."""

    def __init__(self) -> None:
        self.ends = ExitStack()
        self.proxies: list[CuttingProxy] = []
        self.reported: Counter[str] = Counter()
        self.pids: set[str] = set()

    def open(self, name: str) -> PodStream:
        """Start a worker behind a supervisor and a cutting proxy."""
        folder = Path(os.environ["OVER_FOLDER"]) / name
        folder.mkdir()
        place = self.ends.enter_context(supervised(Path(os.environ["OVER_LIBRARY"]), folder))
        proxy = CuttingProxy(place.socket, float(os.environ["OVER_PERIOD"]))
        self.ends.callback(proxy.close)
        self.proxies.append(proxy)
        stream = PodStream(lambda: SocketConnection(proxy.connect()), name=name)
        boot = [sys.executable, "-u", "-c", "import sys;exec(eval(sys.stdin.readline()))"]
        stream.start(boot, env=dict(os.environ), cwd=str(Path.cwd()))
        return stream

    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config) -> None:
        """Let xdist make its gateways from streams."""
        manager = config.pluginmanager.getplugin("dsession").nodemanager
        manager.group = OverGroup(self)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count each test's call, and the processes it ran in."""
        if report.when == "call":
            self.reported[report.nodeid] += 1
            self.pids.add(str(dict(report.user_properties)["pid"]))
            assert sum(text.count("x") for _, text in report.sections) == 20_000

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Write the result down."""
        result = {
            "tests": len(self.reported),
            "not once": [name for name, count in self.reported.items() if count != 1],
            "pids": len(self.pids),
            "cuts": sum(proxy.cuts for proxy in self.proxies),
        }
        (Path(os.environ["OVER_FOLDER"]) / "result.json").write_text(json.dumps(result))
        self.ends.close()


class OverGroup(execnet.Group):
    """A group whose gateways run over streams."""

    def __init__(self, over: Over) -> None:
        super().__init__(execmodel="main_thread_only")
        self.over = over

    def makegateway(self, spec: Any = None) -> Any:
        """Boot a worker as execnet does, without reading ahead of its greeting."""
        self.allocate_id(spec)
        stream = self.over.open(spec.id)
        stream.write((repr(SERVE % spec.id) + "\n").encode())
        assert stream.read(1) == b"1"
        gateway = execnet.Gateway(StreamIO(stream, self.execmodel), spec)
        self._register(gateway)
        return gateway


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the controller only."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Over())
