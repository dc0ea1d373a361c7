"""Runs that wait for hardware which others hold: their order, what is told, and that nobody waits for the dead."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock import names
from paddock.cluster import requests
from paddock.devices.resources import Wanted
from paddock.engines import hardware, turn
from paddock.engines.request import RunRequest
from paddock.engines.turn import Turn
from paddock.errors import ClusterError, LeaseError, NotAllowed
from paddock.namespaces import records, turns
from paddock.namespaces.forecast import Forecast
from paddock.namespaces.turns import ahead

if TYPE_CHECKING:
    from paddock.devices.holders import Supply

CORAL = "paddock.dev/coral"
NOW = datetime(2026, 11, 22, 10, 1, tzinfo=UTC)
HELD = f"It waits for its turn for {CORAL}, place 2; held by aa/gw0 (ann@host, since 2026-11-22T10:00:00Z)"
WAITS = f"{HELD}; no estimate: the run aa has no recorded durations."


def record(run: str, began: int, *waits_for: str, **more: str) -> dict[str, Any]:
    made = records.manifest(run, "ann@host/12/ab/34")
    said = {names.WAITS_FOR: " ".join(waits_for)} if waits_for else {}
    keys = {"needs": names.NEEDS, "until": names.HOLDS_UNTIL}
    made["metadata"] |= {
        "creationTimestamp": f"2026-11-22T10:00:{began:02}Z",
        "annotations": said | {keys[name]: text for name, text in more.items()} or None,
    }
    return made


class Cluster:
    """One node with one device, and the records of runs."""

    def __init__(self, *found: dict[str, Any], holder: str = "aa") -> None:
        self.records, self.holder, self.said = list(found), holder, list[object]()
        self.needs, self.until = list[object](), list[str]()

    def list_objects(self, kind: requests.Kind, **_: Any) -> list[Any]:
        if kind == requests.LEASE:
            return self.records
        held = {CORAL: "1"}
        if kind == requests.NODE:
            return [{"metadata": {"name": "n"}, "status": {"capacity": held, "allocatable": held}}]
        labels = {names.RUN: self.holder, names.WORKER: "gw0"}
        spec = {"nodeName": "n", "containers": [{"resources": {"limits": held}}]}
        return [{"metadata": {"labels": labels}, "spec": spec}] if self.holder else []

    def send(self, request: Any, **_: Any) -> dict[str, Any]:
        said = request.body["metadata"]["annotations"]
        self.said += [said[names.WAITS_FOR]] if names.WAITS_FOR in said else []
        self.needs += [said[names.NEEDS]] if names.NEEDS in said else []
        self.until += [said[names.HOLDS_UNTIL]] if names.HOLDS_UNTIL in said else []
        return {}

    def time(self) -> datetime:
        return NOW


ONE = (Wanted(kind="coral", count=1, resource=CORAL),)


def turn_of(cluster: object, run: str, wait: float = 60.0, *, gone: str = "", wanted: tuple[Wanted, ...] = ONE) -> Turn:
    here = Path("/srv/project")
    asked = RunRequest(run_id=run, root=here, working_directory=here, hardware=wanted, wait=wait)
    forecast = Forecast()
    forecast.note(90.0)
    return Turn(cast("Any", cluster), "gw0", asked, lambda holder: bool(gone) and holder.startswith(gone), forecast)


def on_nodes(cluster: object) -> list[Supply]:
    return hardware.supplies(cast("Any", cluster))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_LOOK_EVERY", 0.001)


@given(st.permutations([("aa", 5), ("bb", 3), ("cc", 3), ("dd", 9)]), st.sampled_from(["aa", "bb", "cc", "dd"]))
def test_who_began_first_comes_first(found: list[tuple[str, int]], own: str) -> None:
    """In whatever order they are listed; those that wait for something else are no competitors."""
    waiting = [record(run, began, CORAL, "other.io/x") for run, began in found]
    others = [record("ee", 1, "other.io/y"), record("ff", 1)]
    order = ["bb", "cc", "aa", "dd"]
    assert ahead([*waiting, *others], own, {CORAL}) == order[: order.index(own)]
    assert ahead([*others, *waiting], "new", {CORAL}) == order


def test_a_run_whose_hardware_is_free_does_not_wait() -> None:
    """And says nothing in its record; nor does one whose account may not look."""
    cluster = Cluster(record("aa", 0), holder="")
    free = turn_of(cluster, "bb")
    assert not free.enter(on_nodes(cluster))
    assert (free.words_for("gw0"), free.cause_of("gw0"), cluster.said) == ("", None, [])

    def refuse(*_: Any, **__: Any) -> None:
        raise NotAllowed("no")

    assert not turn_of(SimpleNamespace(list_objects=refuse), "bb").enter([])


def test_place_and_holders_are_told_of_the_worker_that_waits() -> None:
    """Whose run it is, and since when; the other workers of the run wait for nothing."""
    cluster = Cluster(record("aa", 0), record("bb", 1, CORAL), record("cc", 2, CORAL))
    made = turn_of(cluster, "cc")
    assert made.enter(on_nodes(cluster))
    assert cluster.said == [CORAL]
    cause = made.cause_of("gw0")
    assert cause is not None
    assert cause.sentence == WAITS
    assert "--paddock-wait" in cause.remedy
    assert made.words_for("gw1") == ""
    with made.awaited_by("gw1"):
        assert cluster.said == [CORAL]


@pytest.mark.parametrize(
    ("until", "needs", "words"),
    [
        ("2026-11-22T10:03:00+00:00", turns.need({CORAL: 1}, 60), "expected in about 3 min"),
        ("2026-11-22T10:01:20+00:00", turns.need({CORAL: 1}, None), "no estimate: the run bb has no recorded {}"),
        ("2026-11-22T10:01:20+00:00", "[]", "no estimate: the run bb has no recorded {}"),
        ("2026-11-22T09:50:00+00:00", turns.need({CORAL: 1}, 1), "no estimate: the run aa takes longer than it {}"),
        ("tomorrow", turns.need({CORAL: 1}, 1), "no estimate: the run aa has no recorded {}"),
    ],
)
def test_the_time_of_the_turn_is_told(until: str, needs: str, words: str) -> None:
    """By what those who hold the hardware and those who come before say of themselves; else whose word is missing."""
    cluster = Cluster(record("aa", 0, until=until), record("bb", 1, CORAL, needs=needs), record("cc", 2, CORAL))
    made = turn_of(cluster, "cc")
    assert made.enter(on_nodes(cluster))
    cause = made.cause_of("gw0")
    assert cause is not None
    end = "expected" if "longer" in words else "durations"
    assert cause.sentence == f"{HELD}; {words.format(end)}."
    assert cluster.needs == [turns.need({CORAL: 1}, 90.0)]


def test_free_devices_that_do_not_help_are_no_reason_for_hope() -> None:
    """One on each of two nodes, where a pod needs two."""
    cluster = Cluster(record("cc", 2, CORAL), holder="")
    one, wanted = on_nodes(cluster)[0], (Wanted(kind="coral", count=2, resource=CORAL),)
    made = turn_of(cluster, "cc", wanted=wanted)
    assert made.enter([one, replace(one, node="m")])
    assert (
        made.words_for("gw0") == f"its turn for {CORAL}, place 1; no estimate: what is free is not together on a node"
    )


def test_a_run_goes_on_when_it_is_first_and_something_is_free() -> None:
    """It stays the first until its pod has what it waited for; errors of the cluster are outlasted."""
    cluster = Cluster(record("aa", 0), record("bb", 1, CORAL), record("cc", 2, CORAL))
    made = turn_of(cluster, "cc")
    assert made.enter(on_nodes(cluster))
    look, steps = cluster.list_objects, iter(["down", "freed", "first"])

    def go_on(kind: requests.Kind, **options: Any) -> list[Any]:
        step = next(steps, "")
        if step == "down":
            raise ClusterError("down")
        if step == "freed":
            cluster.holder = ""
        if step == "first":
            cluster.records[1:2] = []
        return look(kind, **options)

    cluster.list_objects = go_on  # type: ignore[method-assign] # from now on things happen
    with made.awaited_by("gw0"):
        assert cluster.said == [CORAL]
        assert made.cause_of("gw0") is None
        assert cluster.until == []
    assert (cluster.said, cluster.needs[1:]) == ([CORAL, None], [None])
    assert cluster.until == ["2026-11-22T10:02:30+00:00"], "others count on it from now on"


def test_nobody_waits_for_a_run_that_has_gone() -> None:
    """One of this machine is known to have gone at once; any other by its record's not being renewed."""
    cluster = Cluster(record("bb", 1, CORAL), record("cc", 2, CORAL), holder="")
    assert turn_of(cluster, "cc").enter(on_nodes(cluster))
    assert not turn_of(cluster, "cc", gone="ann@").enter(on_nodes(cluster))


def test_whoever_waits_in_vain_is_told_so() -> None:
    """With what it waited for as the cause; and its place is free for others."""
    cluster = Cluster(record("aa", 0), record("bb", 1, CORAL), record("cc", 2, CORAL))
    made = turn_of(cluster, "cc", wait=0.01)
    assert made.enter(on_nodes(cluster))
    with pytest.raises(LeaseError, match=r"waited for 0\.01 s in vain"), made.awaited_by("gw0"):
        pytest.fail("it is not its turn")
    cause = made.cause_of("gw0")
    assert cause is not None
    assert cause.sentence == WAITS
    assert (cluster.said, cluster.until) == ([CORAL, None], [])


def test_the_end_of_the_run_ends_the_wait() -> None:
    """So does a worker that is not needed any more; another worker's end does not."""
    cluster = Cluster(record("aa", 0), record("cc", 2, CORAL))
    made = turn_of(cluster, "cc")
    assert made.enter(on_nodes(cluster))
    failures: list[str] = []

    def wait() -> None:
        try:
            with made.awaited_by("gw0"):
                failures.append("it was its turn")
        except LeaseError as error:
            failures.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    made.give_up("gw1")
    made.give_up("gw0")
    waiting.join(10)
    assert failures == ["The run ended before it was its turn."]
