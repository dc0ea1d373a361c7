"""What ``--paddock-keep`` leaves on the node: only what failed, until its time is over, with commands that work."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock import names
from tests.cluster.on_the_node import project_folder
from tests.cluster.waiting_run import PATIENCE
from tests.contract.plugin.running import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

PASSES = "def test_passes(): pass\n"
FAILS = """\
import pathlib

def test_fails(mqtt_broker, database_server):
    pathlib.Path("/tmp/trace").write_text("what the test left")
    assert False
"""


@pytest.fixture
def project() -> Iterator[Path]:
    """A project with a file that passes and one that fails."""
    with project_folder("paddock-keeping") as folder:
        (folder / "test_a.py").write_text(PASSES, encoding="utf-8")
        (folder / "test_b.py").write_text(FAILS, encoding="utf-8")
        yield folder


def environment() -> dict[str, str]:
    """This environment, with the commands of the one that runs this test on PATH, as in a shell that has it active."""
    found = clean_environment()
    return {**found, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{found['PATH']}"}


def pytest_run(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--paddock", "-n2", "--dist=loadfile", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *options], cwd=project, env=environment(), capture_output=True, text=True, check=False
    )


def typed(project: Path, command: str, text: str = "") -> str:
    """Return what a command prints in a shell without a terminal; the text is typed into it."""
    argv = ["sh", "-c", command]
    done = subprocess.run(argv, cwd=project, env=environment(), input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def forwarded(project: Path, command: str) -> str:
    """Return what a command says that goes on until it is interrupted."""
    with subprocess.Popen(
        shlex.split(command), cwd=project, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    return first


def test_what_failed_is_kept_with_commands_that_work_until_its_time_is_over(
    project: Path, embedded_node: EmbeddedNode
) -> None:
    """Each command is pasted as it was printed; the namespace without a failure has gone."""
    run_id = names.new_run_id()
    run = pytest_run(project, "--paddock-keep=failed", f"--paddock-run-id={run_id}")
    try:
        assert run.returncode == 1, run
        assert "namespaces: created 2, deleted 1, kept 1, left 0" in run.stdout
        commands = re.findall(r"^  (\S*paddock.*)$", run.stdout, re.MULTILINE)
        said = {(words[1], words[-1]): line for line in commands if (words := shlex.split(line))}
        (worker,) = {words.rpartition("/")[2] for _, words in said if words.startswith(f"{run_id}/")}
        namespace = names.namespace_name(run_id, worker)
        embedded_node.wait_until_gone({namespace}, run=run_id)
        assert embedded_node.namespaces(run=run_id) == {namespace}

        get, logs, shell, into_broker, into_database, broker, database, end = commands
        assert "pod/worker" in typed(project, get)
        assert "worker started pid" in typed(project, logs)
        assert typed(project, shell, "cat /tmp/trace; echo; pwd\n") == f"what the test left\n{project}\n"
        assert "mosquitto -c mosquitto.conf" in typed(project, into_broker, "tr '\\0' ' ' </proc/1/cmdline\n")
        assert "1 row" in typed(project, into_database, "SELECT 1;\n")
        assert "broker of" in forwarded(project, broker)
        assert "database of" in forwarded(project, database)

        listed = typed(project, f"paddock ls {run_id}")
        assert re.search(rf"{run_id} +{worker} +kept 5\dm", listed), listed
        assert run_id not in typed(project, "paddock reap --dry-run")
        typed(project, f"paddock reap --run {run_id} --wait 0 --except-kept")
        assert embedded_node.namespaces(run=run_id) == {namespace}
        assert f"run {run_id}: namespaces: found 1, left 0" in typed(project, end)
        assert embedded_node.namespaces(run=run_id) == set()
    finally:
        typed(project, f"paddock reap --run {run_id}")


def test_what_is_kept_ends_when_its_time_is_over(project: Path, embedded_node: EmbeddedNode) -> None:
    """By whichever reaper looks next; every namespace says from its start how long it may live."""
    run_id = names.new_run_id()
    run = pytest_run(project, "--paddock-keep=all", "--paddock-keep-ttl=1", f"--paddock-run-id={run_id}", "-kpasses")
    try:
        assert "namespaces: created 2, deleted 0, kept 2, left 0" in run.stdout, run
        assert "paddock reap" in run.stdout
        typed(project, "paddock reap")  # may find it over at once, or look for as long as a led run may pause
        typed(project, "paddock reap")
        assert embedded_node.wait_until_gone(run=run_id) == set()
    finally:
        typed(project, f"paddock reap --run {run_id}")
