"""Faults of every kind strike runs in a real cluster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import pytest

from tests.chaos import suite, trial, verdict
from tests.cluster.on_the_node import project_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from tests.chaos.conftest import Note
    from tests.chaos.scenarios import Scenario
    from tests.plugins.cluster import EmbeddedNode

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(7200),  # fifty trials of half a minute and more
]


@pytest.fixture
def project() -> Iterator[Path]:
    """An empty folder for the project."""
    with project_folder("paddock-chaos") as folder:
        yield folder


def test_a_fault_changes_no_verdict_but_its_victims_and_leaves_nothing(
    scenario: Scenario, times: int, project: Path, embedded_node: EmbeddedNode, note: Note
) -> None:
    """Whatever happens: each test has one verdict, a lost one has its cause, and everything goes in time."""
    suite.write(project, scenario.pyproject)
    for name, text in scenario.files.items():
        (project / name).write_text(text, encoding="utf-8")
    # The next trial need not wait for the last one's end.
    with scenario.beside(project), ThreadPoolExecutor(thread_name_prefix="gone") as pool:
        ends: list[Future[str]] = []
        while times > 0:
            count, end = _try(scenario, project, embedded_node, note, pool)
            ends, times = [*ends, end], times - max(1, count)
            if scenario.outage:
                wait([end])
        wrong = [complaint for end in ends if (complaint := end.result())]
    assert not wrong, "\n\n".join([f"{len(wrong)} of {len(ends)} runs went wrong", *wrong])


def _try(
    scenario: Scenario, project: Path, node: EmbeddedNode, note: Note, pool: ThreadPoolExecutor
) -> tuple[int, Future[str]]:
    scenario.prepare(project)
    begun = trial.begin(node, project, scenario.arguments, scenario.environment, nox=scenario.nox)
    with trial.ended(begun):
        scenario.fault(begun)
        begun.finish()
        if scenario.before_left:
            scenario.before_left(begun)
    found = verdict.complaints(scenario, begun)
    return scenario.count(begun), pool.submit(_judge, scenario, begun, found, note)


def _judge(scenario: Scenario, over: trial.Trial, found: list[str], note: Note) -> str:
    seconds = verdict.seconds_until_gone(over)
    if seconds == float("inf"):
        found.append(f"after {verdict.GONE_WITHIN:.0f} s there is still: {', '.join(sorted(over.left()))}")
    for _ in range(scenario.count(over)):
        note(scenario.name, not found, seconds)
    return "\n".join([*found, *over.notes, over.output]) if found else ""
