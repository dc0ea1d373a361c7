"""Databases of tests in real namespaces: the suites that run beside a server here, unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.on_the_node import project_folder, runner
from tests.contract.fixtures.database_suites import ALL, PROJECT, SCHEMA, TESTS
from tests.contract.wrong_suites import LEFT_OPEN, TOLD_OF_THEM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs pytest in a project that stands at the same path each time."""
    with project_folder("paddock-databases") as folder:
        yield runner(folder, tmp_path)


def test_suites_of_users_pass_in_namespaces(run: Run) -> None:
    """All of them in one run: R4's and R3's rows, by two workers."""
    result = run("-n2", files=ALL)
    assert (result.code, result.counts) == (0, {"passed": TESTS}), result


def test_findings_and_failures_come_from_the_workers(run: Run) -> None:
    """An open connection and a late submission are in the controller's list; a broken schema is told with its line."""
    result = run("-n1", files=LEFT_OPEN)
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    assert [told for told in TOLD_OF_THEM if told not in result.out] == [], result


def test_a_broken_schema_is_told_with_its_line(run: Run) -> None:
    """Once per worker; tests that need no database pass."""
    suite = "def test_one(database): pass\ndef test_two(database): pass\ndef test_other(): pass\n"
    broken = f"{SCHEMA}CREATE TABL oops;\n"
    result = run("-n1", "-rN", files={"pyproject.toml": PROJECT, "schema.sql": broken, "test_s.py": suite})
    assert (result.code, result.counts) == (1, {"passed": 1, "error": 2}), result
    assert result.out.count("schema.sql:3: ") == 1, result
