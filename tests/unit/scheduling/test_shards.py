"""Shards of a suite: nothing lost, nothing twice, nothing changed by a repetition."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.scheduling.shards import by_name, by_times, fingerprint

NAMES = st.dictionaries(st.text(max_size=8), st.floats(0, 100), max_size=60)


@pytest.mark.parametrize("share", [by_name, by_times])
def test_shards_are_complete_and_disjoint(share: object) -> None:
    """Every unit is in exactly one of the shards, the same one whenever it is asked, in whatever order."""

    @given(NAMES, st.integers(1, 9))
    def check(names: dict[str, float], of: int) -> None:
        shards = share(names, of)  # type: ignore[operator] # one of the two above
        assert set(shards) == set(names)
        assert set(shards.values()) <= set(range(1, of + 1))
        backwards = dict(reversed(names.items()))
        assert share(backwards, of) == shards  # type: ignore[operator] # as above
        assert fingerprint(share(backwards, of)) == fingerprint(shards)  # type: ignore[operator] # as above

    check()


@given(NAMES, NAMES, st.integers(1, 9))
def test_by_name_nothing_else_counts(names: dict[str, float], others: dict[str, float], of: int) -> None:
    """A job that collected other tests, or knows other times, puts the tests it has into the same shards."""
    alone, together = by_name(names, of), by_name({**names, **others}, of)
    assert {name: together[name] for name in names} == alone


def test_by_times_shards_take_equally_long() -> None:
    """The suite with its long tests last is shared out as LPT does it."""
    names = {f"t{number}": 0.15 for number in range(54)} | {f"m{n}": 1.5 for n in range(4)} | {"a": 3.25, "b": 3.25}
    loads: Counter[int] = Counter()
    for name, number in by_times(names, 4).items():
        loads[number] += round(names[name] * 100)
    assert max(loads.values()) - min(loads.values()) <= 15


def test_other_sharing_has_another_fingerprint() -> None:
    """Jobs with different histories are seen to differ."""
    assert fingerprint(by_times({"a": 1, "b": 2, "c": 2}, 2)) != fingerprint(by_times({"a": 5, "b": 2, "c": 2}, 2))
