"""R0's show: twelve workers, a thousand health messages each at the same time; no cross-talk, none lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import paddock
from tests.contract.brokers import health
from tests.plugins.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKERS, MESSAGES = 12, 1000


def tell(workers: Sequence[subprocess.Popen[str]]) -> None:
    """Let all of them go on."""
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("\n")
        worker.stdin.flush()


def hear(workers: Sequence[subprocess.Popen[str]]) -> list[str]:
    """Return what each says next."""
    return [worker.stdout.readline().strip() for worker in workers if worker.stdout]


@pytest.mark.parametrize("mode", ["own", "shared"])
def test_twelve_workers_at_once_hear_all_of_their_own_and_nothing_else(mode: str, tmp_path: Path) -> None:
    """With a broker each, and with one for all."""
    environment = {**os.environ, "PYTHONPATH": str(Path(paddock.__file__).parents[1])}
    with ExitStack() as stack:
        brokers = []
        for number in range(WORKERS if mode == "own" else 1):
            (tmp_path / str(number)).mkdir()
            brokers.append(Mosquitto(tmp_path / str(number)).start())
            stack.callback(brokers[-1].stop)
        workers = []
        for number in range(WORKERS):
            facts = brokers[number % len(brokers)].facts
            words = [facts.host, str(facts.port), f"gw{number}", mode, str(MESSAGES)]
            command = [sys.executable, str(Path(health.__file__)), *words]
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
            workers.append(stack.enter_context(process))
        assert hear(workers) == ["ready"] * WORKERS
        tell(workers)
        assert hear(workers) == ["said"] * WORKERS
        tell(workers)
        heard = [json.loads(line) for line in hear(workers)]
    assert heard == [{"own": MESSAGES, "twice": 0, "foreign": 0}] * WORKERS
