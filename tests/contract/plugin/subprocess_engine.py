"""An engine for tests: each worker is a child process in a namespace of this machine, as far from us as a pod would be.

As root, a worker has its own host name, its own network, its own temporary folder and a copy of what is sent at the
same path; otherwise it is a plain child process. Loaded into the pytest under test with ``-p``; what shall go wrong
and where the engine writes down what it was asked are in its environment.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.engines.room import Resources, Room
from paddock.errors import ClusterError, InfrastructureError, LeaseError, StreamBroken, StreamClosed, UsageError
from paddock.namespaces import diagnosis
from paddock.specs import Account, Cause, ExitStatus, Fate, Way
from paddock.workers.artifacts import Gathering
from paddock.workers.inpod.artifacts import Gathered, Wanted, mark
from paddock.workers.inpod.artifacts import pack as pack_artifacts
from paddock.workers.inpod.stacks import VARIABLE, Stacks
from paddock.workers.inpod.unpack import unpack
from paddock.workers.sources import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paddock.engines.request import RunRequest
    from paddock.specs import Doing
    from paddock.workers.inpod.process import Worker

FAULTS = "SUBPROCESS_ENGINE_FAULTS"
"""JSON: worker -> ``{"after": seconds, "never": reason, "mistake": sentence, "cause": sentence, "fate": fate,
"held": sentence, "refuses": sentence}``;
``engine`` -> ``{"create" | "release" | "preserved": sentence, "left": {worker: reason}, "afterwards": [command]}``;
``engine`` -> ``{"holds": call}``: that call tells so on stderr, and waits until the file ``GO_ON`` is there."""
GO_ON = "go-on"
"""File in the folder of witnesses."""
RECORD = "SUBPROCESS_ENGINE_RECORD"
"""File to which the engine appends a line for each call."""
LONGEST_HOLD = 50.0  # seconds
BOOT = "import sys;exec(eval(sys.stdin.readline()))"
CAN_SEPARATE = os.geteuid() == 0 and shutil.which("unshare") is not None
_SEPARATE = """\
set -e
ip link set lo up
hostname "$NAME"
mount -t tmpfs none "$TEMPORARY"
while read -r copy root; do mkdir -p "$root"; mount --bind "$copy" "$root"; done <<< "$COPIES"
cd "$DIRECTORY"
exec "$@"
"""


class SubprocessStream:
    """A child process's stdin and stdout."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], directory: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            argv,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=environment,
            cwd=directory,
            bufsize=0,
            start_new_session=True,  # as in a pod: no Ctrl-C of a terminal arrives
        )
        self._lock = threading.Lock()
        self._closed = False
        self._stacks, self._text = Stacks(environment[VARIABLE]), ""

    def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        assert self.process.stdin
        with self._lock:
            if self._closed:
                raise StreamClosed("closed by this side")
            rest = memoryview(data)
            try:
                while rest:
                    rest = rest[self.process.stdin.write(rest) :]
            except OSError as error:
                raise StreamBroken(str(error)) from error

    def read(self, count: int) -> bytes:
        """Return what is there, up to ``count`` bytes; at the end nothing stays open."""
        assert self.process.stdout
        data = b"" if self.process.stdout.closed else self.process.stdout.read(count)
        if not data:
            self.process.stdout.close()
        return data or b""

    def close_write(self) -> None:
        """Close stdin."""
        assert self.process.stdin
        with self._lock:
            self._closed = True
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def interrupt(self) -> None:
        """Send SIGINT."""
        self.process.send_signal(signal.SIGINT)

    def ask_stacks(self) -> None:
        """Have the worker write its stacks, if it has said that it can."""
        self._stacks.begin(cast("Worker", SimpleNamespace(signal=self.process.send_signal)), time.monotonic())

    def wait_stacks(self, timeout: float) -> str:
        """Return the last stacks, once they are whole."""
        end, pause = time.monotonic() + timeout, threading.Event()
        while self._stacks.under_way and time.monotonic() < end:
            self._text = self._stacks.look(time.monotonic()) or self._text
            pause.wait(0.01)
        return self._text

    def kill(self) -> None:
        """Send SIGKILL."""
        self._closed = True
        self.process.kill()

    def wait(self, timeout: float) -> ExitStatus | None:
        """Return how it ended."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        return ExitStatus(code=code) if code >= 0 else ExitStatus(signal=-code)


class Packed:
    """What a worker left behind, as its stream would bring it."""

    def __init__(self, root: Path) -> None:
        self._root, self._since = root, mark(str(root))
        self._archive = io.BytesIO()
        self._gathered = Gathered()
        self._ended = threading.Event()

    def want_artifacts(self, root: str, patterns: Sequence[str], size: int) -> None:
        """Note what is wanted."""
        self._wanted = Wanted(root, patterns, size)

    def end(self) -> None:
        """Pack it: the worker's process has ended."""
        self._gathered = pack_artifacts(self._wanted, self._since, self._archive)
        self._archive.seek(0)
        self._ended.set()

    def read_artifacts(self, count: int) -> bytes:
        """Return bytes of the archive."""
        self._ended.wait()
        return self._archive.read(count)

    def drop_artifacts(self) -> None:
        """Nothing is under way here."""

    def gathered(self) -> Mapping[str, object]:
        """Return what was packed."""
        return self._gathered._asdict()

    def wait_started(self, _timeout: float) -> int:
        """Return a process id: it was started."""
        return 1

    def wait(self, _timeout: float) -> ExitStatus:
        """Return an end that says nothing."""
        return ExitStatus()


class SubprocessEngine:
    """``paddock.engines.protocol.Engine`` over child processes."""

    def __init__(self, request: RunRequest, report: Callable[[str], None]) -> None:
        self._request, self._report = request, report
        self._faults = json.loads(os.environ.get(FAULTS, "{}"))
        self._streams: dict[str, SubprocessStream] = {}
        self._created: list[str] = []
        self._packed: list[Packed] = []
        self._gathering = Gathering(request.artifacts) if request.artifacts else None
        self._ended = threading.Event()
        self._over = False
        self._scratch = Path(tempfile.mkdtemp(prefix="paddock-subprocess-", dir="/tmp"))
        self._note("create", run=request.run_id, root=str(request.root))
        if "create" in self._faults.get("engine", {}):
            raise InfrastructureError(self._faults["engine"]["create"])

    def _note(self, call: str, **details: object) -> None:
        path = os.environ.get(RECORD)
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"call": call, "at": time.monotonic(), **details}) + "\n")

    def _hold(self, call: str) -> None:
        if self._faults.get("engine", {}).get("holds") != call:
            return
        sys.stderr.write(f"the engine holds in {call}\n")
        sys.stderr.flush()
        end, pause = time.monotonic() + LONGEST_HOLD, threading.Event()
        while not (Path(os.environ["WITNESS"]) / GO_ON).exists() and time.monotonic() < end:
            pause.wait(0.01)

    def begin(self, workers: Sequence[str]) -> None:
        """Note the workers."""
        self._note("begin", workers=list(workers))
        self._created.extend(workers)
        self._hold("begin")

    def open(self, worker: str, on_stderr: Callable[[str, bytes], None]) -> SubprocessStream:
        """Start the worker's process, or fail as the test asked."""
        self._note("open", worker=worker)
        self._hold("open")
        fault = self._faults.get(worker, {})
        if self._ended.wait(fault.get("after", 0)):
            raise LeaseError(f"the run ended before {worker} came")
        if "mistake" in fault:
            raise UsageError(fault["mistake"])
        if "never" in fault:
            raise LeaseError(fault["never"])
        if worker not in self._created:
            self._created.append(worker)
        stream = self._streams[worker] = self._spawn(worker)
        threading.Thread(target=self._relay, args=(worker, stream, on_stderr), daemon=True).start()
        return stream

    def _spawn(self, worker: str) -> SubprocessStream:
        request = self._request
        argv = [sys.executable, "-u", "-c", BOOT]
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **request.environment}
        environment[VARIABLE] = str(self._scratch / f"{worker}-stacks")
        if not CAN_SEPARATE:
            self._begin_artifacts(worker, request.root)
            return SubprocessStream(argv, environment, request.working_directory)
        copy = self._scratch / f"{worker}-root"
        copies = {str(one.root): f"{copy}{number or ''}" for number, one in enumerate(request.sources)}
        for one in request.sources:
            unpack(io.BytesIO(b"".join(pack(one))), copies[str(one.root)])
        self._begin_artifacts(worker, copy)
        temporary = os.environ.get("PYTEST_DEBUG_TEMPROOT", "/mnt")
        place = {
            "NAME": f"pod-{worker}",
            "COPIES": "\n".join(f"{place} {root}" for root, place in copies.items()),
            "DIRECTORY": str(request.working_directory),
            "TEMPORARY": temporary,
        }
        separate = ["unshare", "-m", "-u", "-n", "bash", "-c", _SEPARATE, "worker", *argv]
        return SubprocessStream(separate, {**environment, **place}, Path("/"))

    def _begin_artifacts(self, worker: str, root: Path) -> None:
        if self._gathering:
            packed = Packed(root)
            self._packed.append(packed)
            self._gathering.begin(worker, packed, str(root))

    def _relay(self, worker: str, stream: SubprocessStream, on_stderr: Callable[[str, bytes], None]) -> None:
        assert stream.process.stderr
        with stream.process.stderr as lines:
            for line in lines:
                on_stderr(worker, line)

    def remarks(self) -> Sequence[str]:
        """Nothing is to be told."""
        return ()

    def holds_hardware(self, _worker: str) -> bool:
        """Return that every worker does: nothing here looks after devices."""
        return True

    def begun(self, worker: str) -> None:
        """Nothing waits for it here."""

    def foretell(self, seconds: float | None) -> None:
        """Write it down."""
        self._note("foretell", seconds=seconds)

    def note(self, worker: str, doing: Doing) -> None:
        """Write it down, until the end."""
        if not self._ended.is_set():
            self._note("note", worker=worker, **asdict(doing))

    def obstacle(self, worker: str) -> Cause | None:
        """Return what the test says."""
        held = self._faults.get(worker, {}).get("held")
        return Cause(kind="fault", sentence=held, remedy="Make room.", fate=Fate.LASTING) if held else None

    def way(self, worker: str) -> Way:
        """Say what the test asked for, until the process is there."""
        waits_for = self._faults.get(worker, {}).get("waits_for", "")
        return Way(waits_for="" if worker in self._streams else waits_for)

    def cause(self, worker: str) -> Cause | None:
        """Return how the process ended, or what the test says."""
        fault = self._faults.get(worker, {})
        if "cause" in fault:
            fate = Fate(fault.get("fate", "lasting"))
            return Cause(kind="fault", sentence=fault["cause"], remedy="Mend it.", fate=fate)
        status = self._streams[worker].wait(1) if worker in self._streams else None
        return diagnosis.of_process(status) if status else None

    def assist(self, worker: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer as told, and write down what was asked."""
        self._note("assist", worker=worker, order=dict(order))
        if refusal := self._faults.get(worker, {}).get("refuses"):
            raise LeaseError(refusal)
        return {
            "failure": "",
            "name": f"{order['name']}-1",
            "host": "there",
            "port": 8080,
            "text": "its log",
            "code": 3,
        }

    def preserve(self, worker: str, told: Mapping[str, str], *, lost: bool = False) -> None:
        """Write down what is told."""
        self._note("preserve", worker=worker, told=dict(told), lost=lost)

    def preserved(self) -> Sequence[str]:
        """Say what the test asked for."""
        self._note("preserved")
        return [self._faults["engine"]["preserved"]] if "preserved" in self._faults.get("engine", {}) else []

    def lose(self, worker: str) -> None:
        """End the worker's process."""
        self._note("lose", worker=worker)
        if worker in self._streams:
            self._streams[worker].kill()

    def give_back(self, worker: str) -> None:
        """Write it down, with how the worker's process ends."""
        threading.Thread(target=self._give_back, args=(worker,), daemon=True).start()

    def _give_back(self, worker: str) -> None:
        stream = self._streams.get(worker)
        ended = stream.wait(LONGEST_HOLD) if stream else None
        if not self._ended.is_set():  # as the real one, which leaves to the release what it has not begun
            self._note("give_back", worker=worker, code=ended.code if ended else None)

    def hold(self, *, passed: bool) -> None:
        """Nothing is given back before the end."""
        self._note("hold", passed=passed)

    def release(self) -> Account:
        """End everything."""
        self._note("release")
        self._ended.set()
        self._hold("release")
        for stream in self._streams.values():
            stream.kill()
            stream.wait(5)
        for packed in self._packed:
            packed.end()
        notes = self._gathering.finish(5) if self._gathering else []
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._over = True
        if "release" in self._faults.get("engine", {}):
            raise InfrastructureError(self._faults["engine"]["release"])
        left = self._faults.get("engine", {}).get("left", {})
        deleted = [worker for worker in self._created if worker not in left]
        return Account(created=tuple(self._created), deleted=deleted, left=left, notes=notes)

    def so_far(self) -> Account:
        """Account for the workers; their processes end with their streams."""
        self._note("so_far")
        left = () if self._over else self._created
        deleted = [worker for worker in self._created if worker not in left]
        return Account(created=tuple(self._created), deleted=deleted, left=dict.fromkeys(left, "not ended yet"))

    def afterwards(self) -> Sequence[str]:
        """Return the command that the test wants to look afterwards."""
        return list(self._faults.get("engine", {}).get("afterwards", ()))


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Put this engine in place of the real one."""
    if not early_config.pluginmanager.has_plugin("paddock-engine-factory"):
        early_config.pluginmanager.register(Factory(), "paddock-engine-factory")


class Factory:
    """``paddock.plugin.engine_factory.EngineFactory``."""

    def __call__(self, _name: str, request: RunRequest, report: Callable[[str], None]) -> SubprocessEngine:
        """Return the engine."""
        return SubprocessEngine(request, report)

    def room(self) -> Room:
        """Return what the test says: ``{"cores": number, "memory": bytes, "unknown": sentence}``."""
        fault = json.loads(os.environ.get(FAULTS, "{}")).get("room", {})
        if "unknown" in fault:
            raise ClusterError(fault["unknown"])
        free = Resources(cpu=fault.get("cores", 2), memory=fault.get("memory", 8 << 30), pods=100)
        return Room(free=[free], worker=Resources(cpu=0.1, memory=128 << 20), memory_limit=1 << 30)
