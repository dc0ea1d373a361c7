"""The embedded node for the tests that need a real cluster: started once a session, left as it was found.

At the end of the session no namespace may be there that was not there before; what is only terminating is waited for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from paddock import names, node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GONE_WITHIN = 90.0
"""Seconds for namespaces to end: the namespace controller waits five before its first look, and more when many end."""

BUILT_WITHIN = 1800.0
"""Seconds for a test that may have to build Kubernetes and the base images first: some ten minutes on two cores."""

_PAUSE = 0.25


@dataclass(frozen=True)
class EmbeddedNode:
    """The running node, as a person at a terminal sees it."""

    kubeconfig: Path
    program: Path

    def kubectl(self, *arguments: str) -> str:
        """Return what kubectl prints."""
        command = [str(self.program), *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def namespaces(self, **labels: str) -> set[str]:
        """Return the names of Paddock's namespaces, or of those that carry ``labels`` (run, worker) as well."""
        wanted = {names.MANAGED_BY: names.MANAGED_BY_VALUE} | {
            f"{names.PREFIX}/{key}": value for key, value in labels.items()
        }
        lines = self.kubectl("get", "namespaces", "--selector", names.selector(wanted), "--output", "name").split()
        return {line.removeprefix("namespace/") for line in lines}

    def wait_until_gone(self, expected: set[str] | None = None, **labels: str) -> set[str]:
        """Wait until no namespaces but the ``expected`` are there, and return those that stay in spite of it."""
        end = time.monotonic() + GONE_WITHIN
        pause = threading.Event()
        while (left := self.namespaces(**labels) - (expected or set())) and time.monotonic() < end:
            pause.wait(_PAUSE)
        return left


@contextlib.contextmanager
def without_its_reaper() -> Iterator[None]:
    """Hold the node's own reaper still, for a test in which somebody else is to end a run."""
    found = [each.process for each in node.status().components if each.name == "reaper" and each.process]
    try:
        for process in found:
            os.kill(process.pid, signal.SIGSTOP)
        yield
    finally:
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test on the node time for the first of them, which builds it on a new machine."""
    for item in items:
        if item.get_closest_marker("cluster") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(BUILT_WITHIN))


@pytest.fixture(scope="session")
def embedded_node() -> Iterator[EmbeddedNode]:
    """Start the embedded node unless it is up; stop it again only if it was not."""
    was_up = node.access() is not None
    found = EmbeddedNode(kubeconfig=node.up().kubeconfig, program=node.tool("kubectl"))
    before = found.namespaces()
    yield found
    left = found.wait_until_gone(before)
    if not was_up:
        node.down()
    if left:
        pytest.fail(f"left behind by the session: namespaces {', '.join(sorted(left))}", pytrace=False)
