"""Which workers a person means."""

from __future__ import annotations

import pytest

from paddock.cli import targets
from paddock.errors import UsageError
from tests.unit.cli.inspected import pod, run, worker

ONE = [run("aaaaaa", worker("gw0", "aaaaaa"), worker("gw1", "aaaaaa"))]
TWO = [*ONE, run("bbbbbb", worker("gw0", "bbbbbb"))]


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("aaaaaa", ["paddock-aaaaaa-gw0", "paddock-aaaaaa-gw1"]),
        ("aaaaaa/gw1", ["paddock-aaaaaa-gw1"]),
        ("paddock-bbbbbb-gw0", ["paddock-bbbbbb-gw0"]),
        ("gw1", ["paddock-aaaaaa-gw1"]),
    ],
)
def test_a_run_a_worker_both_and_a_namespace_are_understood(target: str, found: list[str]) -> None:
    """Whatever stands in the output of ``ls`` or ``kubectl`` can be typed."""
    assert [one.namespace for one in targets.workers(TWO, target)] == found


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("gw0", "'gw0' is a worker of 2 runs: say aaaaaa/gw0 or bbbbbb/gw0."),
        ("gw7", "Nothing is called 'gw7'; expected a run's id"),
        ("aaaaaa", "The run 'aaaaaa' has 2 workers, and one is needed: say one of aaaaaa/gw0, aaaaaa/gw1."),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_can(target: str, sentence: str) -> None:
    """The message holds what to type next."""
    with pytest.raises(UsageError, match=sentence.replace("(", r"\(")):
        targets.worker(TWO, target)


def test_a_run_of_one_worker_means_that_worker() -> None:
    """Nothing is asked that has one answer."""
    assert targets.worker(TWO, "bbbbbb").namespace == "paddock-bbbbbb-gw0"


def test_what_workers_share_is_no_worker_but_can_be_named() -> None:
    """A run of one worker that shares its broker with nobody else is still a run of one worker."""
    runs = [run("cccccc", worker("gw0", "cccccc"), worker("shared", "cccccc", pods=(pod("broker"),)))]
    assert targets.worker(runs, "cccccc").name == "gw0"
    assert targets.worker(runs, "cccccc/shared").name == "shared"


def test_a_pod_that_is_not_there_is_told_with_those_that_are() -> None:
    """A mistyped pod is one line."""
    with pytest.raises(UsageError, match="k7x2mq/gw0 has no pod 'brocker'; its pods: worker, broker, database"):
        targets.pod(worker("gw0"), "brocker")
