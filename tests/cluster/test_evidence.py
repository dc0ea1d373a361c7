"""What a failure leaves on this machine when its real namespace has gone, and that no secret is in it."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names
from tests.cluster.on_the_node import project_folder, runner
from tests.cluster.waiting_run import GO_ON, LOOK_EVERY, PATIENCE, Run, is_waiting, waiting_project, waiting_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

FAILING = f"""
import sys, time
from pathlib import Path

def test_waits(mqtt_broker, database_server):
    print("waiting, with", mqtt_broker.password, database_server.password, file=sys.stderr)
    end = time.monotonic() + 120
    while not Path("{GO_ON}").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert mqtt_broker.password == "guess"
"""


@pytest.fixture
def project() -> Iterator[Path]:
    """A project whose tests wait, and fail in the end."""
    with waiting_project() as folder:
        for name in ("test_a.py", "test_b.py"):
            (folder / name).write_text(FAILING, encoding="utf-8")
        yield folder


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    pause, end = threading.Event(), time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        pause.wait(LOOK_EVERY)


def await_printed(run: Run) -> None:
    """Wait until the test on gw0 has said that it waits, and the one on gw1 waits as well."""
    run.await_workers(is_waiting)
    eventually(lambda: "waiting, with" in run.paddock("logs", f"{run.run_id}/gw0", "worker"))


def pod(node: EmbeddedNode, run: Run, worker: str, name: str) -> dict[str, Any]:
    namespace = f"--namespace=paddock-{run.run_id}-{worker}"
    return dict(json.loads(node.kubectl("get", "pod", name, namespace, "-o", "json")))


def passwords(node: EmbeddedNode, run: Run) -> list[str]:
    """Return everything that was drawn for the run's workers, as the cluster keeps it."""
    listed = node.kubectl("get", "secrets", "-A", "-l", f"paddock.dev/run={run.run_id}", "-o", "json")
    found = [base64.b64decode(one["data"]["PASSWORD"]).decode() for one in json.loads(listed)["items"]]
    assert len(set(found)) == 4
    return found


def kill_container(uid: str) -> None:
    """Kill all processes of a pod's containers, as the kernel would; the node runs on this machine."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            inside = f"pod{uid}" in (place / "cgroup").read_text().replace("_", "-")
            if inside and "pause" not in (place / "cmdline").read_text():
                os.kill(int(place.name), signal.SIGKILL)


def report(run: Run) -> Path:
    return run.folder / "paddock-report" / run.run_id


def text(run: Run, name: str) -> str:
    """Return a file of the report."""
    return (report(run) / name).read_text(encoding="utf-8")


def test_failing_tests_leave_what_explains_them_and_no_secret(project: Path, embedded_node: EmbeddedNode) -> None:
    """Logs with the ones before a restart, events, states, also of a pod that was deleted; secrets nowhere."""
    with waiting_run(project) as run:
        run.await_workers(is_waiting)
        drawn = passwords(embedded_node, run)
        kill_container(pod(embedded_node, run, "gw0", "database")["metadata"]["uid"])
        eventually(
            lambda: pod(embedded_node, run, "gw0", "database")["status"]["containerStatuses"][0]["restartCount"] > 0
        )
        embedded_node.kubectl("delete", "pod", "broker", f"--namespace=paddock-{run.run_id}-gw1", "--force")
        code, output = run.finish()
    assert code == 1, output
    assert output.splitlines()[-2] == f"paddock: evidence of gw0, gw1: {report(run)}"
    assert "test_a.py::test_waits (call)" in text(run, "gw0/failures.txt") + text(run, "gw1/failures.txt")
    for worker in ("gw0", "gw1"):
        assert "assert" in text(run, f"{worker}/failures.txt")
        assert "paddock: worker started pid" in text(run, f"{worker}/logs/worker.txt")
        assert "waiting, with *** ***" in text(run, f"{worker}/logs/worker.txt")
        assert "Scheduled" in text(run, f"{worker}/events.txt")
        assert "ready to accept connections" in text(run, f"{worker}/logs/database.txt")
    assert "ready to accept connections" in text(run, "gw0/logs/database.previous.txt")
    assert "exitCode: 137" in text(run, "gw0/describe.txt")
    assert (report(run) / "gw0/logs/broker.txt").exists()
    assert "gone; last seen: " in next(line for line in text(run, "gw1/pods.txt").splitlines() if "broker" in line)
    files = [path for path in report(run).rglob("*") if path.is_file()]
    assert [path for path in files if any(secret in path.read_text() for secret in drawn)] == []


def test_a_namespace_deleted_under_the_run_leaves_its_logs(project: Path, embedded_node: EmbeddedNode) -> None:
    """The namespace controller waits five seconds before it deletes what is in it: by then everything is here."""
    with waiting_run(project, "--max-worker-restart=0") as run:
        await_printed(run)
        embedded_node.kubectl("delete", "namespace", f"paddock-{run.run_id}-gw0", "--wait=false")
        eventually((report(run) / "gw0/describe.txt").exists)
        run.paddock("shell", f"{run.run_id}/gw1", "--", "touch", GO_ON)
        output, _ = run.process.communicate(timeout=PATIENCE)
    assert run.process.returncode == 3, output  # the lost test runs on no other worker
    assert "was being deleted from outside while the run used it" in text(run, "gw0/deleted.txt")
    assert "waiting, with *** ***" in text(run, "gw0/logs/worker.txt")
    assert "ready to accept connections" in text(run, "gw0/logs/database.txt")
    assert "Started" in text(run, "gw0/events.txt")
    assert "cause.txt" in {path.name for path in (report(run) / "gw0").iterdir()}
    assert f"paddock: evidence of gw0, gw1: {report(run)}" in output


def test_a_pod_deleted_under_the_run_leaves_what_was_seen_of_it(project: Path, embedded_node: EmbeddedNode) -> None:
    """Its log went with it; its last words had come over the stream."""
    with waiting_run(project, "--max-worker-restart=0") as run:
        await_printed(run)
        embedded_node.kubectl("delete", "pod", "worker", f"--namespace=paddock-{run.run_id}-gw0", "--force")
        eventually((report(run) / "gw0/describe.txt").exists)
        run.paddock("shell", f"{run.run_id}/gw1", "--", "touch", GO_ON)
        output, _ = run.process.communicate(timeout=PATIENCE)
    assert run.process.returncode == 3, output  # the lost test runs on no other worker
    assert "gone; last seen: " in next(line for line in text(run, "gw0/pods.txt").splitlines() if "worker" in line)
    assert "waiting, with *** ***" in text(run, "gw0/stderr.txt")
    assert "The pod worker had gone" in text(run, "gw0/notes.txt")


def test_workers_that_crash_or_never_come_leave_why(tmp_path: Path) -> None:
    """How the pod ended, and what the scheduler said."""
    with waiting_project() as folder:
        run = runner(folder, tmp_path)
        first, second, third = (names.new_run_id() for _ in range(3))
        for name in ("test_a.py", "test_b.py"):
            (folder / name).unlink()
        crash = {"test_c.py": "import os\ndef test_dies(): os.kill(os.getpid(), 9)\n"}
        result = run("-n1", "--max-worker-restart=0", f"--paddock-run-id={first}", files=crash)
        assert result.code == 1, result
        place = folder / "paddock-report" / first / "gw0"
        assert "SIGKILL" in (place / "cause.txt").read_text()
        assert "worker ended SIGKILL" in (place / "logs/worker.txt").read_text()
        assert "exitCode: 137" in (place / "describe.txt").read_text()
        huge = ("--paddock-worker-cpu=900", "--paddock-scheduling-limit=5")
        result = run("-n1", *huge, f"--paddock-run-id={second}", files=crash)
        assert result.code == 3, result
        place = folder / "paddock-report" / second / "gw0"
        assert "FailedScheduling" in (place / "events.txt").read_text()
        assert "Insufficient cpu" in (place / "pods.txt").read_text()
        result = run("-n1", f"--paddock-run-id={third}", files={"test_c.py": "def test_passes(): pass\n"})
        assert result.code == 0, result
        assert "paddock: evidence" not in result.out
        assert not (folder / "paddock-report" / third / "gw0").exists()


HANGS = """
import ctypes
def hang():
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):  # the second time it waits for itself, with the interpreter's lock held
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)
def test_hangs():
    hang()
"""


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--paddock-test-limit=3", "The test took longer than 3 s, the limit of --paddock-test-limit"),
        ("--paddock-deadline=20", "Before its worker was ended, it was here:"),
    ],
)
def test_a_test_that_hangs_in_c_leaves_its_stacks(tmp_path: Path, option: str, sentence: str) -> None:
    """Its own limit ends it, or the pod's deadline; no thread of Python's runs any more by then."""
    with project_folder("paddock-hanging") as folder:
        run = runner(folder, tmp_path)
        run_id = names.new_run_id()
        given = ("-n1", "--max-worker-restart=0", f"--paddock-run-id={run_id}", "--junitxml=junit.xml", option)
        result = run(*given, files={"test_hangs.py": HANGS})
        assert result.code == 1, result
        place = folder / "paddock-report" / run_id / "gw0"
        for text in (result.out, (folder / "junit.xml").read_text(), (place / "failures.txt").read_text()):
            assert sentence in text
            assert text.index("in hang") < text.index("in test_hangs")
        assert "in pytest_pyfunc_call" in (place / "stacks.txt").read_text()
        assert (place / "cause.txt").exists()
