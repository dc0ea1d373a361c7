"""Retry as a value."""

from __future__ import annotations

import pytest

from paddock.cluster.retrying import RetryPolicy
from paddock.deadlines import Deadline
from paddock.errors import ClusterError, ClusterUnreachable, NotFound

QUICK = RetryPolicy(first_pause=0.0001, longest_pause=0.0001)


def failing(times: int, error: ClusterError) -> list[ClusterError]:
    """Return as many faults."""
    return [error] * times


def attempt_from(errors: list[ClusterError]) -> str:
    """Fail until the faults are used up."""
    if errors:
        raise errors.pop()
    return "done"


def test_a_passing_fault_is_tried_again() -> None:
    """An API server that restarts costs time, not the run."""
    errors = failing(3, ClusterUnreachable("gone"))
    assert QUICK.run(lambda: attempt_from(errors), Deadline(10)) == "done"


def test_a_refusal_is_not_tried_again() -> None:
    """A second identical question gets no other answer."""
    errors = failing(2, NotFound("no"))
    with pytest.raises(NotFound):
        QUICK.run(lambda: attempt_from(errors), Deadline(10))
    assert len(errors) == 1


def test_the_deadline_ends_it_with_the_last_error() -> None:
    """The user learns what was wrong, not that time passed."""
    with pytest.raises(ClusterUnreachable, match="gone"):
        QUICK.run(lambda: attempt_from(failing(1, ClusterUnreachable("gone"))), Deadline(0.05))


def test_an_attempt_that_the_deadline_cut_short_does_not_hide_the_reason() -> None:
    """Its timeout is what was left of the time, which explains nothing."""
    deadline = Deadline(0.2)
    errors = [ClusterUnreachable("certificate refused")]

    def attempt() -> None:
        if errors:
            raise errors.pop()
        while not deadline.passed:
            pass
        raise ClusterUnreachable("timed out")

    with pytest.raises(ClusterUnreachable, match="certificate refused"):
        QUICK.run(attempt, deadline)
