"""A test's wish for a container on its way from a worker through the controller to the engine, and the answer back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.contract.plugin.running import Run

SUITE = """
    def test_starts(service_container):
        web = service_container("web", command=["serve"], port=80)
        assert (web.host, web.port, web.logs()) == ("there", 8080, "its log")
"""


def test_r0_containers_are_asked_for_through_the_controller(run: Run) -> None:
    """By the worker's name, with what the test wants; it is stopped behind the test."""
    result = run("-n1", files={"test_c.py": SUITE})
    assert (result.code, result.counts) == (0, {"passed": 1}), result
    lines = (result.folder.parent / "engine.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [one for one in map(json.loads, lines) if one["call"] == "assist"]
    assert [(one["worker"], one["order"]["do"]) for one in asked] == [
        ("gw0", "start"),
        ("gw0", "logs"),
        ("gw0", "stop"),
    ]


def test_a_refusal_is_the_tests_error_in_its_own_words(run: Run) -> None:
    """Other tests run."""
    files = {"test_c.py": SUITE, "test_other.py": "def test_other(): pass\n"}
    result = run("-n1", files=files, faults={"gw0": {"refuses": "There is no room for that."}})
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 1}), result
    assert "LeaseError: There is no room for that." in result.out
