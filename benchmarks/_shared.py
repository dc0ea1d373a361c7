"""What several benchmarks need: images of the running environment, a machine at rest, figures as lines."""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from paddock import images, names, node, run_accounts
from paddock.cluster import requests
from paddock.deadlines import Deadline
from paddock.specs import DEFAULT_UID, Images, PythonEnvironment
from paddock.workers import inpod_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.cluster.client import Cluster

LIMIT = 120.0
"""Seconds for anything a benchmark waits for."""
_IDLE = 0.15  # the node without pods of a run uses some 5 % of two processors


def settle(cluster: Cluster) -> None:
    """Wait until the measurement before is over: its end costs the same processors and belongs to no start."""
    pause, deadline = threading.Event(), Deadline(LIMIT)
    ours = names.selector({names.MANAGED_BY: names.MANAGED_BY_VALUE})
    while cluster.list_objects(requests.NAMESPACE, selector=ours) and not deadline.passed:
        pause.wait(0.2)
    rest(pause, deadline)


def rest(pause: threading.Event, deadline: Deadline) -> None:
    """Wait until the processors rest: the kubelet still takes pods apart when their objects are gone."""
    while busy_share(pause) > _IDLE and not deadline.passed:
        pass


def busy_share(pause: threading.Event, seconds: float = 1.0) -> float:
    """Return the share, 0 to 1, of all processors' time that was used during the next ``seconds``."""
    before = processor_ticks()
    pause.wait(seconds)
    busy, idle = (after - earlier for earlier, after in zip(before, processor_ticks(), strict=True))
    return busy / max(1, busy + idle)


def processor_ticks() -> tuple[int, int]:
    """Return the busy and the idle clock ticks of all processors since boot: the first line of proc(5)'s stat."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle = ticks[3] + ticks[4]
    return sum(ticks[:8]) - idle, idle


def show(what: str, seconds: list[float]) -> None:
    """Print minimum, median and maximum."""
    print(f"{what}: min {min(seconds):.2f} s, median {statistics.median(seconds):.2f} s, max {max(seconds):.2f} s")


def user_environment() -> dict[str, str]:
    """Return this process's environment as a user's machine has it.

    Bytecode is kept there, so that no measured run compiles what the one before has compiled.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def images_of(registry: str, root: Path) -> tuple[Images, PythonEnvironment]:
    """Return the images that runs of this environment below ``root`` use, and the Python in them; made if absent."""
    return images.ensure(
        registry,
        crane=lambda: node.tool("crane"),
        inpod=inpod_files.files(),
        uid=os.getuid() or DEFAULT_UID,
        report=print,
        roots=[root],
    )


@contextlib.contextmanager
def project() -> Iterator[Path]:
    """Give an empty project folder; it goes when nobody looks after the runs in it any more."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        for report in (Path(folder) / "paddock-report").glob("*/"):
            run_accounts.await_verified(report)
