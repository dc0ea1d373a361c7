"""What an engine is told of its workers while they are at it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.contract.plugin.running import Result, Run

MIXED = {
    "test_mixed.py": """
        import pytest

        def test_a(): pass
        def test_b(): assert False
        def test_c(): pytest.skip("not here")

        @pytest.fixture
        def broken(): raise OSError("no such thing")

        def test_d(broken): pass
    """,
}


def notes(result: Result, worker: str) -> list[dict[str, Any]]:
    lines = (result.folder / "../engine.jsonl").read_text(encoding="utf-8").splitlines()
    calls = [json.loads(line) for line in lines]
    return [call for call in calls if call["call"] == "note" and call["worker"] == worker]


def test_the_engine_is_told_what_runs_and_what_came_of_it(run: Run) -> None:
    """Every test is named while it runs; the last note holds the figures that pytest prints."""
    result = run("-n1", files=MIXED)
    assert result.counts == {"passed": 1, "failed": 1, "skipped": 1, "error": 1}, result
    told = notes(result, "gw0")
    named = list(dict.fromkeys(note["running"] for note in told if note["running"]))
    assert named == [f"test_mixed.py::test_{letter}" for letter in "abcd"]
    figures = ("phase", "running", "passed", "failed", "errors", "skipped")
    assert {name: told[-1][name] for name in figures} == dict(zip(figures, ("ended", "", 1, 1, 1, 1), strict=True))
    assert list(dict.fromkeys(note["phase"] for note in told)) == ["collecting", "waiting", "testing", "ended"]


def test_a_worker_that_crashes_has_ended(run: Run) -> None:
    """A test that took its worker with it does not run for ever."""
    result = run("-n1", "--max-worker-restart=0", files={"test_it.py": "import os\ndef test_it(): os._exit(9)\n"})
    assert result.code != 0, result
    last = notes(result, "gw0")[-1]
    assert (last["phase"], last["running"]) == ("ended", "")
