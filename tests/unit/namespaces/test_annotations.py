"""Annotations of a worker's namespace: seldom, late and harmless."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names
from paddock.errors import ClusterError, ClusterUnreachable, NotAllowed, NotFound
from paddock.namespaces import annotations as module
from paddock.namespaces.annotations import Annotator, from_annotations, to_annotations
from paddock.specs import TESTING, Awaited, Doing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paddock.cluster.requests import Request

PATIENCE = 10.0
SOON = 0.02


class Cluster:
    """Keeps the patches it is sent with their times, and refuses as often as it is told."""

    def __init__(self, *refusals: ClusterError) -> None:
        self.refusals = list(refusals)
        self.sent: list[tuple[float, str, dict[str, str]]] = []
        self.asked = 0
        self._changed = threading.Condition()

    def send(self, request: Request, **_: object) -> dict[str, Any]:
        """Take a patch."""
        assert (request.method, request.content_type) == ("PATCH", "application/merge-patch+json")
        with self._changed:
            self.asked += 1
            self._changed.notify_all()
            if self.refusals:
                raise self.refusals.pop(0)
            assert request.body
            self.sent.append((time.monotonic(), request.path, request.body["metadata"]["annotations"]))
        return {}

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE)


@pytest.fixture
def make() -> Iterator[Callable[..., Annotator]]:
    """Return a function that makes an annotator; it is closed afterwards."""
    made: list[Annotator] = []

    def make(cluster: Cluster, *, every: float = SOON) -> Annotator:
        made.append(Annotator(cluster, "k7x2mq", every=every))  # type: ignore[arg-type] # the part of it that is used
        return made[-1]

    yield make
    for annotator in made:
        annotator.close()


def test_what_is_written_can_be_read() -> None:
    """Both sides of the format agree, for every field."""
    doing = Doing(phase=TESTING, running="t.py::test_a", passed=1, failed=2, errors=3, skipped=4)
    written = to_annotations("k7x2mq", "gw0", doing)
    assert from_annotations(written) == doing
    awaits = Awaited(device="x0", test="t", holder="k7/gw1", held_for="u", since="now")
    waiting = Doing(phase=TESTING, awaits=awaits)
    assert from_annotations(to_annotations("k7x2mq", "gw0", waiting)) == waiting
    assert (written[names.RUN], written[names.WORKER]) == ("k7x2mq", "gw0")
    assert written[names.NOTED_AT].endswith("Z")


@pytest.mark.parametrize("written", [{}, {names.PHASE: TESTING, "paddock.dev/passed": "many"}])
def test_what_somebody_else_wrote_is_no_doing(written: dict[str, str]) -> None:
    """Anybody may annotate a namespace: that must not break who reads it."""
    assert from_annotations(written) is None


@pytest.mark.parametrize("written", ["", "{", "7", "{}", '{"device": "x0", "odd": 1}'])
def test_an_odd_wait_is_none(written: str) -> None:
    """As above."""
    doing = from_annotations({**to_annotations("k7x2mq", "gw0", Doing()), names.AWAITS: written})
    assert doing is not None
    assert doing.awaits is None


def test_a_namespace_is_written_at_most_once_in_the_interval(make: Callable[..., Annotator]) -> None:
    """Of a thousand notes in a row only the last is written, after the interval."""
    cluster, interval = Cluster(), 0.2
    annotator, begun = make(cluster, every=interval), time.monotonic()
    for number in range(1000):
        annotator.note("gw0", Doing(passed=number))
    cluster.wait(lambda: len(cluster.sent) == 1)
    annotator.note("gw0", Doing(passed=1000))
    cluster.wait(lambda: len(cluster.sent) == 2)
    (first, path, written), (second, _, _) = cluster.sent
    assert path == "/api/v1/namespaces/paddock-k7x2mq-gw0"
    assert written["paddock.dev/passed"] == "999"
    assert first - begun >= interval
    assert second - first >= interval


def test_a_worker_between_two_tests_is_shown_with_the_next_one(
    make: Callable[..., Annotator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between two tests says nothing; a worker that stays idle is shown so all the same."""
    cluster = Cluster()
    annotator = make(cluster)
    pause, between = annotator._closing.wait, module._BETWEEN_TESTS

    def begin_next(seconds: float | None = None) -> bool:
        if seconds == between:
            annotator.note("gw0", Doing(phase=TESTING, running="t.py::test_b"))
        return pause(SOON)

    monkeypatch.setattr(annotator._closing, "wait", begin_next)
    annotator.note("gw0", Doing(phase=TESTING))
    cluster.wait(lambda: len(cluster.sent) == 1)
    assert cluster.sent[0][2][names.RUNNING] == "t.py::test_b"
    monkeypatch.setattr(module, "_BETWEEN_TESTS", SOON / 2)
    annotator.note("gw0", Doing(phase=TESTING))
    cluster.wait(lambda: len(cluster.sent) == 2)
    assert cluster.sent[1][2][names.RUNNING] == ""


@pytest.mark.parametrize("error", [NotFound("gone", status=404), ClusterUnreachable("no answer")])
def test_a_write_that_fails_is_forgotten_or_repeated(make: Callable[..., Annotator], error: ClusterError) -> None:
    """A namespace that has gone needs nothing more; one that was out of reach is written next time."""
    cluster = Cluster(error)
    annotator = make(cluster)
    annotator.note("gw0", Doing(passed=1))
    cluster.wait(lambda: cluster.asked == 1)
    annotator.note("gw1", Doing(passed=1))
    cluster.wait(lambda: len(cluster.sent) == (1 if isinstance(error, NotFound) else 2))


def test_a_missing_right_is_not_asked_for_again(make: Callable[..., Annotator]) -> None:
    """A run whose account may not write annotations goes on without."""
    cluster = Cluster(NotAllowed("forbidden", status=403))
    annotator = make(cluster)
    annotator.note("gw0", Doing())
    cluster.wait(lambda: cluster.asked == 1)
    thread = annotator._thread
    assert thread
    thread.join(PATIENCE)
    annotator.note("gw0", Doing(passed=1))
    assert (thread.is_alive(), cluster.asked) == (False, 1)


def test_closing_waits_for_no_interval(make: Callable[..., Annotator]) -> None:
    """The end of a run is not held up by a write that was still to come."""
    annotator = make(Cluster(), every=PATIENCE)
    annotator.note("gw0", Doing())
    begun = time.monotonic()
    annotator.close()
    assert time.monotonic() - begun < PATIENCE / 10
    annotator.note("gw0", Doing())
    assert annotator._thread
    assert not annotator._thread.is_alive()
