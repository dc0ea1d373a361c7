"""A command in a worker's pod, run as the worker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paddock.namespaces.manifests import SOCKET
from paddock.workers.inpod import enter

SHOW = [
    sys.executable,
    "-c",
    "import os; print(os.getcwd(), os.environ.get('PADDOCK_WORKER'), os.environ.get('SECRET'))",
]


def run(facts: Path, *command: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.argv = ['enter']; from runpy import run_path; enter = run_path({enter.__file__!r}); "
    code += f"sys.exit(enter['main']({list(command)!r}, {str(facts)!r}))"
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    """What the engine tells about a started worker."""
    file = tmp_path / "worker.json"
    env = {"PADDOCK_WORKER": "gw0", "SECRET": "s", "PATH": "/usr/bin:/bin"}
    file.write_text(json.dumps({"env": env, "cwd": str(tmp_path)}), encoding="utf-8")
    return file


def test_a_command_sees_what_the_worker_sees(facts: Path) -> None:
    """Its environment and its folder."""
    assert run(facts, *SHOW).stdout.split() == [str(facts.parent), "gw0", "s"]


def test_without_a_command_it_is_a_shell(facts: Path) -> None:
    """Whichever the image has; at the end of its input it ends."""
    done = run(facts)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_worker_that_was_not_started_leaves_the_bare_container(tmp_path: Path) -> None:
    """It is said, since a person would look for the environment in vain."""
    done = run(tmp_path / "worker.json", *SHOW)
    assert done.stdout.split() == ["/", "None", "None"]
    assert done.stderr == "paddock: the worker has not been started yet: this is the bare container\n"


def test_a_command_that_is_not_there_is_one_line(facts: Path) -> None:
    """And the exit code of a shell for it."""
    done = run(facts, "no-such-command")
    assert done.returncode == 127
    assert done.stderr.startswith("paddock: 'no-such-command' could not be started in ")


def test_it_reads_where_the_supervisor_writes() -> None:
    """The engine sends these facts under the name ``worker`` beside the socket."""
    assert Path(enter.FACTS) == Path(SOCKET).parent / "facts" / "worker.json"
