"""A run to which something is done while its workers wait in their tests, and what came of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from paddock import names
from tests.contract.plugin.running import Child, Result, clean_environment, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugins.cluster import EmbeddedNode

LIMIT = 240.0
"""Seconds for one run, of which the cluster takes most: an eviction needs the kubelet to measure first."""
WAITING = "now it waits"

SUITE = """\
import os, sys, threading, pytest

@pytest.mark.parametrize("n", range(2 * int(os.environ["FIRST"])))
def test_n(n):
    if int(os.environ["PYTEST_XDIST_WORKER"][2:]) < int(os.environ["FIRST"]):
        print("now it waits", file=sys.stderr)
        threading.Event().wait(200)
"""
"""A first worker waits in whichever test it gets, until it is ended; who takes its place passes them all."""


@dataclass(frozen=True)
class Struck:
    """The run under way."""

    run_id: str
    child: Child
    node: EmbeddedNode
    end: float

    def namespace(self, worker: str) -> str:
        """Return the namespace of one of its workers."""
        return names.namespace_name(self.run_id, worker)

    def await_text(self, text: str, count: int = 1) -> None:
        """Wait until a text stands so often in what it has printed."""
        with self.child.grown:
            seen = self.child.grown.wait_for(
                lambda: self.child.texts["out"].count(text) >= count, self.end - time.monotonic()
            )
        assert seen, f"{text!r} never came:\n{self.child.texts['out']}"

    def printed(self, text: str) -> bool:
        """Return whether a text was printed yet."""
        return text in self.child.texts["out"]

    def read(self, *arguments: str) -> Any:
        """Return an object as kubectl reads it."""
        return json.loads(self.node.kubectl("get", "-o", "json", *arguments))

    def kill_first_process(self, worker: str, pod: str = "worker") -> None:
        """Kill the supervisor, or a service, from outside of its pod: from inside the kernel protects it."""
        found = self.read("pod", pod, "-n", self.namespace(worker))
        container = str(found["status"]["containerStatuses"][0]["containerID"]).rpartition("/")[2]
        os.kill(_first_of(container), signal.SIGKILL)


def _first_of(container: str) -> int:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if container not in (folder / "cgroup").read_text():
                continue
            ids = re.search(r"^NSpid:(.*)$", (folder / "status").read_text(), re.MULTILINE)
        except OSError:
            continue  # it has ended meanwhile
        if ids and ids[1].split()[-1] == "1":
            return int(folder.name)
    raise LookupError(f"no process of container {container} was found")


def strike(
    project: Path,
    node: EmbeddedNode,
    act: Callable[[Struck], None],
    *args: str,
    workers: int = 1,
    files: dict[str, str] | None = None,
) -> Result:
    """Run the suite with so many first workers, ``act`` once all of them wait, and return what came of it."""
    write(project, {"test_n.py": SUITE, **(files or {})})
    run_id, begin = names.new_run_id(), time.monotonic()
    ours = ["--paddock", f"-n{workers}", f"--paddock-run-id={run_id}", "--paddock-env=FIRST", "--junitxml=report.xml"]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s", *ours, *args],
        cwd=project,
        env={**clean_environment(), "FIRST": str(workers)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        child = Child(process)
        reader = child.follow("out", process.stdout)
        try:
            run = Struck(run_id, child, node, begin + LIMIT)
            run.await_text(WAITING, workers)
            act(run)
            code = process.wait(run.end - time.monotonic())
        finally:
            process.kill()
            reader.join()
    return Result(code, child.texts["out"], "", project, time.monotonic() - begin)


def causes(result: Result) -> dict[str, str]:
    """Return worker -> kind and words of its cause, as JUnit's report has them for the suite."""
    suite = ET.parse(result.folder / "report.xml").getroot()[0]  # noqa: S314 - pytest wrote it
    found = {str(one.get("name")): str(one.get("value")) for one in suite.findall("properties/property")}
    return {name.removeprefix("paddock-lost-"): value for name, value in found.items()}
