"""The duties of a pod's first process, seen through a stream."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.errors import LeaseError
from paddock.workers import inpod_files
from paddock.workers.connection import ProcessConnection, connect_unix
from paddock.workers.inpod import attach
from paddock.workers.sources import SharedArchive, collect
from paddock.workers.stream import PodStream
from tests.contract.workers.places import ENDING, await_condition, supervised
from tests.contract.workers.stream_contract import ECHO, PATIENCE, SLEEP, STUBBORN, read_all, read_exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paddock.specs import ExitStatus
    from paddock.workers.connection import Connection
    from tests.contract.workers.places import Place

PYTHON = [sys.executable, "-I", "-S", "-u", "-c"]


@contextmanager
def streaming(place: Place, dial: Callable[[], Connection] | None = None) -> Iterator[PodStream]:
    """Open a stream to ``place`` and end it."""
    stream = PodStream(dial or place.dial, give_up=PATIENCE)
    try:
        yield stream
    finally:
        stream.kill()
        stream.wait(ENDING)


def start(stream: PodStream, program: str, cwd: str = "/") -> None:
    """Start a Python program as the worker."""
    stream.start([*PYTHON, program], env={"PATH": os.environ["PATH"]}, cwd=cwd)


def ended(stream: PodStream) -> ExitStatus:
    """Return the worker's end."""
    status = stream.wait(PATIENCE)
    assert status
    return status


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def here(library: Path, folder: Path) -> Iterator[Place]:
    """Run a supervisor on this machine, with the limits shortened."""
    with supervised(library, folder, options=["--orphan", "0.4", "--grace", "0.2", "--cgroup", str(folder)]) as place:
        yield place


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a small project."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "data.txt").write_text("from here")
    (root / "tool").write_text("#!/bin/sh\necho a tool\n")
    (root / "tool").chmod(0o755)
    return root


def test_a_worker_finds_its_sources_links_and_folders(place: Place, project: Path) -> None:
    """Sources are unpacked, links and folders made, and only then the worker starts in its working folder."""
    link, parent = place.root / ".venv", place.root / "tmp" / "pytest-of-me"
    with streaming(place) as stream:
        stream.send_sources(SharedArchive(collect(project)).chunks(), str(place.root))
        stream.start(
            [*PYTHON, f"import os; os.system('cat data.txt; ./tool; readlink .venv; test -d {parent} && echo made')"],
            env={"PATH": os.environ["PATH"]},
            cwd=str(place.root),
            links={str(link): "/opt/paddock/venv"},
            folders=[str(parent)],
        )
        assert stream.wait_started(PATIENCE)
        assert read_all(stream) == b"from herea tool\n/opt/paddock/venv\nmade\n"


def test_sources_larger_than_the_window_arrive(here: Place, project: Path) -> None:
    """What is unpacked makes room for more."""
    (project / "model").write_bytes(os.urandom(12 << 20))
    with streaming(here) as stream:
        stream.send_sources(SharedArchive(collect(project)).chunks(), str(here.root))
        start(stream, "import os; print(os.stat('model').st_size)", cwd=str(here.root))
        assert read_all(stream) == b"%d\n" % (12 << 20)


def test_several_archives_go_to_their_own_roots(here: Place, project: Path) -> None:
    """Whatever is sent before the start is unpacked before the start, each below its root."""
    with streaming(here) as stream:
        for name in ("one", "two", "three"):
            (project / "data.txt").write_text(name)
            stream.send_sources(SharedArchive(collect(project)).chunks(), str(here.root / name))
        start(stream, "import os; os.system('cat */data.txt')", cwd=str(here.root))
        assert read_all(stream) == b"onethreetwo"


def test_sources_that_cannot_be_unpacked_end_it_with_a_sentence(here: Place) -> None:
    """Damaged sources are told instead of a worker that fails for want of them."""
    with streaming(here) as stream:
        stream.send_sources([b"not an archive" * 1000], str(here.root))
        start(stream, ECHO)
        assert stream.wait_started(PATIENCE) is None
        status = ended(stream)
        assert status.code is None
        assert f"The sources could not be unpacked at {here.root}" in status.cause
        assert stream.read(1) == b""


@pytest.mark.parametrize(
    ("argv", "cwd", "words"),
    [(["/no/such/python"], "/", "/no/such/python"), (PYTHON, "/no/such/folder", "/no/such/folder")],
)
def test_a_worker_that_cannot_start_is_told(here: Place, argv: list[str], cwd: str, words: str) -> None:
    """The cause names the program or the folder that is missing."""
    with streaming(here) as stream:
        stream.start(argv, env={}, cwd=cwd)
        assert words in ended(stream).cause


def test_a_link_that_cannot_be_made_is_told(here: Place) -> None:
    """The cause names the link."""
    with streaming(here) as stream:
        stream.start(PYTHON, env={}, cwd="/", links={str(here.folder): "/opt/paddock/venv"})
        assert f"The link '{here.folder}'" in ended(stream).cause


def test_facts_lie_beside_the_socket(place: Place) -> None:
    """Facts sent before the start are there when the worker begins."""
    with streaming(place) as stream:
        stream.send_facts("broker", {"failed": "its pod was evicted"})
        start(stream, f"print(open('{place.folder}/facts/broker.json').read(), end='')")
        assert json.loads(read_all(stream)) == {"failed": "its pod was evicted"}


def test_facts_with_an_impossible_name_do_no_harm(here: Place) -> None:
    """They are refused in the log, and the worker runs."""
    with streaming(here) as stream:
        stream.send_facts("../escape", {})
        start(stream, "")
        assert ended(stream).code == 0
    assert "'../escape'" in here.log()


def test_the_log_tells_what_happened(here: Place, project: Path) -> None:
    """A person who reads the pod's log sees each step, and the worker's own stderr between."""
    with streaming(here) as stream:
        stream.send_sources(SharedArchive(collect(project)).chunks(), str(here.root))
        start(stream, "import os; os.write(2, b'oh no\\n'); os._exit(3)")
        assert ended(stream).code == 3
    assert here.supervisor.wait(ENDING) == 3
    steps = ["connected", "sources 2 files 0.0 MB in", "worker started pid", "oh no", "worker ended 3", "over"]
    positions = [here.log().index(step) for step in steps]
    assert positions == sorted(positions)


def test_it_ends_with_its_worker_and_leaves_no_socket(library: Path, folder: Path) -> None:
    """Once the client knows the end, the process ends with the worker's status, long before its patience does."""
    with supervised(library, folder) as place:
        with streaming(place) as stream:
            start(stream, "import os; os.kill(os.getpid(), 11)")
            assert ended(stream).signal == signal.SIGSEGV
        assert place.supervisor.wait(ENDING) == 128 + signal.SIGSEGV
        assert not Path(place.socket).exists()


def test_what_the_worker_leaves_in_its_group_ends_with_it(here: Place) -> None:
    """Children of the worker do not outlive it, as in a container."""
    with streaming(here) as stream:
        start(
            stream,
            "import os, subprocess, sys\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            "print(child.pid, flush=True)\n"
            "os._exit(0)",
        )
        pid = int(read_all(stream))
        await_condition(lambda: not is_running(pid))


def test_a_pod_that_is_to_stay_outlives_its_worker(library: Path, folder: Path) -> None:
    """With what the worker left there, reaping orphans, until it is stopped."""
    with supervised(library, folder, options=["--stay", "600", "--orphan", "0.4"]) as place:
        with streaming(place) as stream:
            start(stream, f"open({str(folder / 'left')!r}, 'w').write('here')")
            assert ended(stream).code == 0
        await_condition(lambda: not Path(place.socket).exists())
        with pytest.raises(subprocess.TimeoutExpired):
            place.supervisor.wait(0.5)
        assert (folder / "left").read_text() == "here"
        place.supervisor.send_signal(signal.SIGTERM)
        assert place.supervisor.wait(ENDING) == 0


def test_a_pod_that_is_made_ahead_waits_for_its_first_client(library: Path, folder: Path) -> None:
    """Longer than for one that has been there and has gone."""
    options = ["--patience", "600", "--orphan", "0.2", "--grace", "0.1"]
    with supervised(library, folder, options=options) as place:
        with pytest.raises(subprocess.TimeoutExpired):
            place.supervisor.wait(0.6)
        connection = connect_unix(place.socket)
        await_condition(lambda: "connected" in place.log())
        connection.close()
        assert place.supervisor.wait(ENDING) == 1


def test_a_pod_stays_for_its_time_and_no_longer(library: Path, folder: Path) -> None:
    """Also when nobody ever came."""
    with supervised(library, folder, options=["--stay", "0.2", "--orphan", "0.1"]) as place:
        assert place.supervisor.wait(ENDING) == 1


def test_a_deleted_pod_ends_the_worker_and_says_so(here: Place) -> None:
    """SIGTERM goes to the worker, one that ignores it is killed after the grace, and the client hears the cause."""
    with streaming(here) as stream:
        start(stream, STUBBORN)
        assert stream.read(1) == b"!"
        here.supervisor.send_signal(signal.SIGTERM)
        status = ended(stream)
        assert status.signal == signal.SIGKILL
        assert "SIGTERM" in status.cause
    assert here.supervisor.wait(ENDING)


def test_a_deleted_pod_ends_without_a_worker_and_without_a_client(here: Place) -> None:
    """Before anybody came, SIGTERM ends it at once: a pod must not use up its grace period."""
    await_condition(lambda: Path(here.socket).exists())
    here.supervisor.send_signal(signal.SIGTERM)
    assert here.supervisor.wait(ENDING)


def test_a_worker_without_a_client_is_ended(here: Place) -> None:
    """When no client was connected for the orphan time, the worker is ended and the process, too."""
    await_condition(lambda: Path(here.socket).exists())
    connections: list[Connection] = []

    def dial() -> Connection:
        if connections:
            raise LeaseError("This client never comes back.")
        connections.append(connect_unix(here.socket))
        return connections[0]

    with streaming(here, dial) as stream:
        start(stream, SLEEP)
        pid = stream.wait_started(PATIENCE)
        assert pid
        connections[0].close()
        assert "never comes back" in ended(stream).cause
        assert here.supervisor.wait(ENDING)
    assert not is_running(pid)
    assert "No client was connected for 0.4 s" in here.log()


def test_signals_that_a_parent_ignored_are_not_inherited(library: Path, folder: Path) -> None:
    """A supervisor started with SIGINT ignored, as shells do in the background, does not pass that on."""
    ignoring = ["sh", "-c", 'trap "" INT HUP; exec "$@"', "sh"]
    program = "import signal; print(signal.getsignal(2) is signal.default_int_handler, signal.getsignal(1).name)"
    with supervised(library, folder, wrapper=ignoring) as place, streaming(place) as stream:
        start(stream, program)
        assert read_all(stream) == b"True SIG_DFL\n"


def test_nobody_ever_coming_ends_it(here: Place) -> None:
    """A pod whose client died before the first connection does not stay either."""
    assert here.supervisor.wait(ENDING) == 1


@pytest.mark.parametrize(("limit", "words"), [("536870912", "memory limit (512 MiB)"), ("max", "its memory limit.")])
def test_a_kill_for_memory_is_said(here: Place, limit: str, words: str) -> None:
    """A worker ended by SIGKILL while the kernel counted a memory kill was killed for its memory."""
    (here.folder / "memory.events").write_text("oom_kill 4\n")
    (here.folder / "memory.max").write_text(limit)
    with streaming(here) as stream:
        start(stream, SLEEP)
        assert stream.read(1) == b"!"
        pid = stream.wait_started(PATIENCE)
        assert pid
        (here.folder / "memory.events").write_text("oom_kill 5\n")
        os.kill(pid, signal.SIGKILL)
        status = ended(stream)
    assert status.signal == signal.SIGKILL
    assert words in status.cause


def test_the_newest_connection_wins(here: Place) -> None:
    """A second visitor takes the line; the client dials again and nothing is lost."""
    with streaming(here) as stream:
        start(stream, ECHO)
        stream.write(b"before")
        assert read_exactly(stream, 6) == b"before"
        visitor = connect_unix(here.socket)
        assert visitor.receive()
        stream.write(b"after")
        assert read_exactly(stream, 5) == b"after"
        visitor.close()
    assert "a newer one takes its place" in here.log()


def test_foreign_bytes_close_a_connection_and_nothing_else(here: Place) -> None:
    """Whoever talks nonsense to the socket is shown the door; the client goes on."""
    with streaming(here) as stream:
        start(stream, ECHO)
        stream.write(b"before")
        assert read_exactly(stream, 6) == b"before"
        visitor = connect_unix(here.socket)
        visitor.send(b"GET / HTTP/1.1\r\n\r\n")
        while visitor.receive():
            pass
        visitor.close()
        stream.write(b"after")
        assert read_exactly(stream, 5) == b"after"
    assert "GET / HTTP" in here.log()


def test_the_first_process_reaps_orphans(pod: Place) -> None:
    """In a pod, processes whose parents have gone are adopted by the first process and do not stay as zombies."""
    program = """
import os, time
reading, writing = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.write(writing, str(os.getpid()).encode())
        os._exit(0)
    os._exit(0)
os.wait()
pid = int(os.read(reading, 20))
end = time.monotonic() + 20
while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
    time.sleep(0.001)
print(os.getppid(), os.path.exists(f"/proc/{pid}"))
"""
    with streaming(pod) as stream:
        start(stream, program)
        assert read_all(stream) == b"1 False\n"


def test_an_attach_waits_for_a_late_supervisor(library: Path, folder: Path) -> None:
    """A pod counts as running a moment before its first process listens; the stream does not fail for it."""
    command = inpod_files.command(sys.executable, "attach", str(folder / "worker.sock"), library=str(library))
    connection = ProcessConnection(command)
    with supervised(library, folder):
        assert connection.receive().startswith(b"\xad")
    assert connection.receive() == b""
    connection.close()


def test_an_attach_without_a_supervisor_gives_up(folder: Path) -> None:
    """Nobody listens: after its patience it connects no more."""
    assert attach._connect(str(folder / "absent.sock"), time.monotonic()) is None


def test_a_wrong_role_is_told(library: Path) -> None:
    """The in-pod half says what it expected to be started as."""
    argv = inpod_files.command(sys.executable, "dance", "/run/w.sock", library=str(library))
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Expected 'supervise --socket PATH'" in result.stderr


ANSWERS = """
import faulthandler, os, signal, sys
path = os.environ["PADDOCK_STACKS"]
faulthandler.register(signal.SIGRTMAX - 3, file=open(path + ".new", "wb", buffering=0), all_threads=True)
os.rename(path + ".new", path)
"""
STUCK_IN_C = f"""{ANSWERS}
import ctypes
def test_hangs():
    mutex = ctypes.create_string_buffer(64)
    os.write(1, b"!")
    for _ in range(2):  # waits for itself, and holds the interpreter's lock: no thread of Python's runs any more
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)
test_hangs()
"""
DEAF = f"""{ANSWERS}
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMAX - 3])
os.write(1, b"!")
signal.pause()
"""


def test_stacks_are_taken_of_a_worker_that_is_stuck_in_c(here: Place) -> None:
    """Nothing of Python's runs any more, and it says all the same where it is; as often as it is asked."""
    with streaming(here) as stream:
        start(stream, STUCK_IN_C)
        assert read_exactly(stream, 1) == b"!"
        for _ in range(2):
            stream.ask_stacks()
            text = stream.wait_stacks(PATIENCE)
            assert text.count("most recent call first") == 1
            assert "in test_hangs" in text
        assert stream.wait(0) is None


def test_a_worker_that_does_not_answer_is_not_harmed(here: Place) -> None:
    """Neither one that has not said that it can, nor one that cannot for now; those that were taken before stay."""
    with streaming(here) as stream:
        start(stream, SLEEP)
        assert read_exactly(stream, 1) == b"!"
        stream.ask_stacks()
        assert stream.wait_stacks(PATIENCE) == ""
        assert stream.wait(0.2) is None


def test_a_deaf_worker_has_no_stacks(here: Place) -> None:
    """It is waited for half a second."""
    with streaming(here) as stream:
        start(stream, DEAF)
        assert read_exactly(stream, 1) == b"!"
        stream.ask_stacks()
        assert stream.wait_stacks(PATIENCE) == ""
        assert stream.wait(0) is None


def test_stacks_are_taken_before_a_pod_is_stopped(here: Place) -> None:
    """At the pod's deadline nobody asks; they are told, and stand in the pod's log."""
    with streaming(here) as stream:
        start(stream, STUCK_IN_C)
        assert read_exactly(stream, 1) == b"!"
        here.supervisor.send_signal(signal.SIGTERM)
        assert ended(stream).signal == signal.SIGTERM
        assert "in test_hangs" in stream.wait_stacks(0)
    assert "stacks of the worker, before it is ended" in here.log()
    assert "in test_hangs" in here.log()


def test_a_client_that_stays_away_leaves_the_stacks_in_the_log(here: Place) -> None:
    """Nobody is there to be told."""
    with streaming(here) as stream:
        start(stream, STUCK_IN_C)
        assert read_exactly(stream, 1) == b"!"
        stream._conversation.receiver.stop()
        await_condition(lambda: "in test_hangs" in here.log())
