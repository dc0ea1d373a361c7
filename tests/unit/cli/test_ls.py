"""What ``paddock ls`` prints."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from paddock.cli import ls, main, reaching, tables
from paddock.errors import UsageError
from paddock.namespaces import inventory
from paddock.specs import Awaited
from tests.unit.cli.inspected import BUSY, SINCE, pod, run, worker

RUNS = [
    run(
        "k7x2mq",
        worker("gw0", doing=BUSY),
        worker("gw1", pods=(pod("worker"), pod("broker", "container broker waits: ContainerCreating", ""))),
    ),
    run("bbbbbb"),
]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The runs that the cluster has; the test fills the list."""
    runs: list[Any] = []
    monkeypatch.setattr(reaching, "reach", lambda _arguments: object())
    monkeypatch.setattr(inventory, "read", lambda _cluster: runs)
    return runs


def test_the_table_is_aligned_and_tells_what_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line a worker; below it what keeps a pod from running, in words."""
    monkeypatch.setattr(tables, "age", lambda _since: "42s")
    assert ls.table(RUNS) == [
        "RUN      WORKER   PHASE      PODS   NODE     PASSED   FAILED   ERRORS   SKIPPED   AGE   TEST",
        "k7x2mq   gw0      testing    3/3    node-1   12       1        0        0         42s   t.py::test_a",
        "k7x2mq   gw1      starting   1/2    node-1   -        -        -        -         42s   -",
        "bbbbbb   -        -          0/0    -        -        -        -        -         42s   -",
        "k7x2mq/gw1: pod broker: container broker waits: ContainerCreating",
    ]


def test_what_is_kept_shows_the_time_it_has_left() -> None:
    """By the API server's clock."""
    (_, line) = ls.table([run("k7x2mq", replace(worker("gw0"), phase=inventory.KEPT), holder="kept/me", left=3599)])
    assert " kept 59m " in line


def test_a_test_that_waits_for_a_device_says_so() -> None:
    """With who has it; programs get all of it."""
    awaited = Awaited(device="x0", test="t", holder="bb/gw1", held_for="u", since="now")
    waiting = run("k7x2mq", worker("gw0", doing=replace(BUSY, running="", awaits=awaited)))
    assert ls.table([waiting])[1].endswith("waits for x0, which bb/gw1 has")
    (told,) = ls.run_data(waiting)["workers"]
    assert (told["awaits"]["holder"], ls.run_data(RUNS[0])["workers"][0]["awaits"]) == ("bb/gw1", None)


def test_json_holds_what_the_table_holds(found: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    """For programs, with names and times in full."""
    found += RUNS
    assert main.main(["ls", "k7x2mq", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["runs"]
    first, second = shown["workers"]
    assert (shown["holder"], first["running"], first["passed"], second["passed"]) == (
        "me@here/7",
        "t.py::test_a",
        12,
        None,
    )
    worker_pod = {"name": "worker", "component": "worker", "state": "running", "node": "node-1", "port": None}
    assert first["pods"][0] == worker_pod
    assert first["since"] == SINCE.isoformat()


@pytest.mark.usefixtures("found")
def test_nothing_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """As kubectl: a line beside the product, and exit code 0."""
    assert main.main(["ls"]) == 0
    assert main.main(["ls", "--json"]) == 0
    captured = capsys.readouterr()
    assert (captured.err, json.loads(captured.out)) == ("No runs.\n", {"runs": []})


def test_a_node_that_is_down_has_no_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started for a look."""
    monkeypatch.setattr(reaching, "reach", lambda _arguments: None)
    assert main.main(["ls"]) == 0
    assert capsys.readouterr().err == "No runs: the embedded node is down.\n"


def test_an_unknown_run_is_told_with_those_there_are(found: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 4."""
    found += RUNS
    assert main.main(["ls", "zzzzzz"]) == UsageError.exit_code
    assert capsys.readouterr().err == "paddock: There is no run 'zzzzzz'; expected one of: k7x2mq, bbbbbb.\n"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172800, "2d"), (-5, "0s")],
)
def test_an_age_has_one_unit(seconds: int, shown: str) -> None:
    """As kubectl's, and never negative where clocks differ."""
    assert tables.age(SINCE, SINCE + timedelta(seconds=seconds)) == shown
    assert tables.age(None) == ""
