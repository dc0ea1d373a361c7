"""What ``tests/plugins/leaks.py`` promises, shown by breaking it in small pytest runs of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins import traces

ROOT = Path(__file__).resolve().parents[2]

LEAKY = """
import os, subprocess, threading

KEPT = []

def test_thread():
    threading.Thread(target=threading.Event().wait, name="stray", daemon=True).start()

def test_process():
    KEPT.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE))

def test_file():
    KEPT.append(open(__file__))

def test_environment():
    os.environ["LEFT_OVER"] = "1"

def test_folder():
    os.chdir("/")
"""

LEAKY_SESSION = """
import subprocess
import pytest

@pytest.fixture(scope="session")
def server():
    return subprocess.Popen(["cat"], stdin=subprocess.PIPE)

def test_uses_it(server): pass
"""

TIDY = """
import os, subprocess, threading
import pytest

KEPT = []

def test_ends_what_it_starts(tmp_path, monkeypatch):
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    subprocess.run(["true"], check=True)
    (tmp_path / "file").write_text("closed")
    monkeypatch.setenv("LEFT_OVER", "1")
    monkeypatch.chdir("/")

@pytest.fixture(scope="module")
def server():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    yield
    stop.set()
    thread.join()

def test_starts_a_wider_fixture(server): pass

def test_uses_a_wider_fixture(server): pass

@pytest.mark.may_leave("file", reason="the library keeps its log open")
def test_says_what_it_leaves():
    KEPT.append(open(__file__))
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a pytester whose runs find our plugins and do not wait long."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest("from tests.plugins import leaks\nleaks.GRACE = 0.05")
    return pytester


def outcome(run: pytest.Pytester, source: str) -> pytest.RunResult:
    """Run ``source`` under the leak check."""
    run.makepyfile(source)
    return run.runpytest_subprocess("-p", "tests.plugins.leaks", "-p", "no:cacheprovider")


def test_each_kind_left_behind_fails_its_own_test_and_is_named(run: pytest.Pytester) -> None:
    """A leak is an error of the test that made it, in words that find it, and the session's end repeats it."""
    result = outcome(run, LEAKY)
    result.assert_outcomes(passed=5, errors=5)
    for words in (
        "thread: stray*",
        "process: pid * (cat)*",
        "file: * -> *",
        "environment: LEFT_OVER: unset -> 1",
        "folder: *",
    ):
        result.stdout.fnmatch_lines(f"*left behind: {words}")
    result.stdout.fnmatch_lines("*left behind by the session: process: pid *")


@pytest.mark.parametrize("workers", [[], ["-n1"]])
def test_what_a_session_leaves_fails_it_wherever_it_ran(run: pytest.Pytester, workers: list[str]) -> None:
    """A worker of xdist's has a session too, and nobody reads its exit code: who started it tells it."""
    run.makepyfile(LEAKY_SESSION)
    result = run.runpytest_subprocess("-p", "tests.plugins.leaks", "-p", "no:cacheprovider", *workers)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("*left behind by the session: process: pid * (cat)*")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_tidy_tests_and_wider_fixtures_pass(run: pytest.Pytester) -> None:
    """No false alarms: what is closed, restored, owned by a wider fixture or allowed with a reason is no leak."""
    outcome(run, TIDY).assert_outcomes(passed=4)


def test_an_allowance_without_a_reason_is_refused(run: pytest.Pytester) -> None:
    """Whoever leaves something behind says why."""
    result = outcome(run, "import pytest\n@pytest.mark.may_leave('thread')\ndef test_it(): pass")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("*may_leave on * needs a reason*")


def test_mounts_are_seen_but_for_the_nodes_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded node's mounts come and go by themselves; any other new mount is somebody's leak."""
    table = tmp_path / "mounts"
    places = ("/run/containerd/x", "/var/lib/kubelet", "/runner", "/mnt/mine")
    table.write_text("".join(f"tmpfs {place} tmpfs rw 0 0\n" for place in places), encoding="utf-8")
    monkeypatch.setattr(traces, "_proc", lambda _pattern: [table])
    assert traces.appeared({}, traces.mounts()) == ["tmpfs on /runner", "tmpfs on /mnt/mine"]


def test_a_value_that_changed_back_is_no_difference() -> None:
    """Variables are compared by value: set, changed and removed ones are told apart."""
    before: traces.Seen = {"kept": "1", "changed": "1", "removed": "1"}
    after: traces.Seen = {"kept": "1", "changed": "2", "added": "1"}
    assert traces.changed(before, after) == ["added: unset -> 1", "changed: 1 -> 2", "removed: 1 -> unset"]
