"""What ``tests/plugins/workers.py`` promises, shown by a small run of two workers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import os, pytest
@pytest.mark.parametrize("n", range(8))
def test_it(n): assert "PYTEST_XDIST_WORKER" not in os.environ
"""


def test_tests_on_the_node_stay_in_one_process(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes would start and end the one node against each other; and none is a worker to what it starts."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for place in ("tests/cluster", "tests/e2e", "tests/unit"):
        folder = pytester.path / place
        folder.mkdir(parents=True)
        (folder / f"test_{folder.name}.py").write_text(TESTS, encoding="utf-8")
    result = pytester.runpytest_subprocess("-p", "tests.plugins.workers", "-p", "no:cacheprovider", "-n2", "-v")
    result.assert_outcomes(passed=24)
    workers = re.findall(r"\[(gw\d)\].* PASSED tests/(?:cluster|e2e)/", result.stdout.str())
    assert (len(workers), len(set(workers))) == (16, 1), result.stdout.str()
