"""How many workers a suite would have done best with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.scheduling.advice import AS_GOOD, FURTHEST, Advice, advise
from paddock.scheduling.beginning import ends


def test_one_long_test_needs_no_more_workers_than_do_the_rest_meanwhile() -> None:
    """Ten seconds by itself, and ten others of one second: two workers do what eight do."""
    assert advise([10.0] + [1.0] * 10, 8) == Advice(2, 0.0)


def test_many_equal_tests_want_more_workers() -> None:
    """As far as it is worth while: four times as many take a fourth."""
    assert advise([1.0] * 160, 4) == Advice(16, -30.0)


def test_as_many_workers_as_are_best_are_left_alone() -> None:
    """Nothing is advised where nothing is better."""
    assert advise([5.0, 5.0, 5.0], 3) == Advice(3, 0.0)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=60), st.integers(1, 40))
def test_advice_is_never_worse_than_what_was_done(units: list[float], workers: int) -> None:
    """Fewer workers take hardly longer; more of them are within reach and take no longer."""
    advice = advise(units, workers)
    assert 1 <= advice.workers <= max(workers, FURTHEST * workers)
    assert ends(units, advice.workers) <= AS_GOOD * ends(units, workers) + 1e-9
    assert advice.difference == pytest.approx(ends(units, advice.workers) - ends(units, workers))
