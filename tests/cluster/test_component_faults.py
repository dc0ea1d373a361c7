"""Parts of the node die while tests run: every test is still reported once, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from paddock import node
from paddock.cluster import connect, requests
from paddock.cluster.watching import Watch
from paddock.deadlines import Deadline
from tests.contract.plugin.running import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster

TESTS = 120
SUITE = f"""
import threading, pytest
@pytest.mark.parametrize("number", range({TESTS}))
def test_takes_a_while(number):
    threading.Event().wait(0.5)
"""
BACK_WITHIN = 60.0
"""Seconds for a component to be ready again; kubelet and API server need some 3 s on a quiet machine (measured)."""


def kill_and_await(component: str) -> None:
    """Kill a component as a crash would, and wait until the supervisor has brought it back."""
    before = {one.name: one for one in node.status().components}[component]
    assert before.process, component
    os.kill(before.process.pid, signal.SIGKILL)
    deadline, pause = Deadline(BACK_WITHIN), threading.Event()
    while not deadline.passed:
        now = {one.name: one for one in node.status().components}[component]
        if now.ready and now.process != before.process:
            return
        pause.wait(0.1)
    pytest.fail(f"{component} did not come back within {BACK_WITHIN:.0f} s")


def kill_each_component() -> None:
    """Kill all components, one after the other."""
    for component in node.status().components:
        kill_and_await(component.name)


def test_a_run_outlives_every_component_of_its_node(tmp_path: Path, embedded_node: EmbeddedNode) -> None:
    """Streams are dialled again and the components come back: no verdict is lost, doubled or changed."""
    (tmp_path / "test_long.py").write_text(SUITE)
    argv = [sys.executable, "-u", "-m", "pytest", "--paddock", "-n", "2", "-v", "-p", "no:cacheprovider"]
    with subprocess.Popen(
        argv,
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert run.stdout
        lines = []
        for line in run.stdout:
            lines.append(line)
            if "PASSED" in line:
                break
        killer = threading.Thread(target=kill_each_component)
        killer.start()
        lines += run.stdout.readlines()
        killer.join()
    output = "".join(lines)
    verdicts = Counter(line.split()[-1] for line in lines if " PASSED " in line)
    assert run.returncode == 0, output
    assert len(verdicts) == TESTS, output
    assert set(verdicts.values()) == {1}, output
    assert "deleted 2, left 0" in lines[-1], output
    assert not embedded_node.wait_until_gone()


def test_a_watch_goes_on_after_the_api_server_was_killed(embedded_node: EmbeddedNode) -> None:
    """The same watch sees what was made and deleted afterwards: its state is the cluster's again."""
    access = node.access()
    assert access
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    watch = Watch(cluster, requests.CONFIG_MAP, "paddock.test/watched=yes")

    def make(name: str) -> None:
        embedded_node.kubectl("create", "configmap", name)
        embedded_node.kubectl("label", "configmap", name, "paddock.test/watched=yes")

    def sees(*names: str) -> bool:
        wanted = {("default", name) for name in names}
        return bool(watch.wait(lambda found: set(found) == wanted or None, Deadline(BACK_WITHIN)))

    try:
        make("watched-before")
        assert sees("watched-before")
        kill_and_await("kube-apiserver")
        embedded_node.kubectl("delete", "configmap", "watched-before")
        make("watched-after")
        assert sees("watched-after"), watch.objects
    finally:
        embedded_node.kubectl("delete", "configmap", "watched-before", "watched-after", "--ignore-not-found")
        watch.close()
        cluster.close()
