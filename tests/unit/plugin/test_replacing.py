"""Who is replaced after a loss, how soon and how often."""

from __future__ import annotations

from itertools import product

import pytest

from paddock.attempts import ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE
from paddock.plugin.replacing import TABLE, Answer, Place, Replacements
from paddock.specs import Cause, Fate


def cause(fate: Fate | None) -> Cause | None:
    return Cause(kind="k", sentence="S.", remedy="R.", fate=fate) if fate else None


def test_every_loss_has_an_answer() -> None:
    """For each fate, and for a cause that nobody knows, before and after the first test."""
    assert set(TABLE) == set(product([*Fate, None], [True, False]))


@pytest.mark.parametrize(("fate", "worked", "answer"), [(*key, answer) for key, answer in TABLE.items()])
def test_the_table_holds(fate: Fate | None, worked: bool, answer: Answer) -> None:  # noqa: FBT001 - a table of cases
    """At once without a pause, later with one, never with a reason."""
    place = Replacements(None).lost("gw0", cause(fate), worked=worked)
    expected = {
        Answer.AT_ONCE: Place("gw0"),
        Answer.LATER: Place("gw0", FIRST_PAUSE),
        Answer.NEVER: Place("gw0", 0, "its cause does not pass by itself"),
    }
    assert place == expected[answer]


def follow(books: Replacements, times: int, *, worked: bool) -> list[Place]:
    """Return what becomes of one place that the infrastructure fails so many times."""
    places = []
    for number in range(times):
        places.append(books.lost(f"gw{number}", cause(Fate.PASSING), worked=worked))
        books.taken(f"gw{number + 1}", places[-1])
    return places


def test_pauses_double_up_to_the_longest() -> None:
    """However often a place is lost, pods are not asked for more than every half minute in the end."""
    pauses = [place.pause for place in follow(Replacements(None), 8, worked=True)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert max(pauses) == LONGEST_PAUSE


def test_a_place_whose_workers_never_come_is_given_up() -> None:
    """Three in a row are no chance any more."""
    places = follow(Replacements(None), ATTEMPTS, worked=False)
    assert [bool(place.refusal) for place in places] == [False, False, True]
    assert places[-1].refusal == "3 workers in a row never came in its place"


def test_a_worker_that_came_to_its_tests_begins_the_count_anew() -> None:
    """Losses hours apart have nothing to do with one another."""
    books = Replacements(None)
    follow(books, ATTEMPTS - 1, worked=False)
    assert not books.lost(f"gw{ATTEMPTS - 1}", cause(Fate.PASSING), worked=True).refusal


def test_places_are_counted_apart() -> None:
    """Four workers lost with one node are four first losses."""
    books = Replacements(None)
    assert {books.lost(f"gw{number}", cause(Fate.PASSING), worked=False).pause for number in range(4)} == {FIRST_PAUSE}


def test_the_users_limit_holds_for_all_places_together() -> None:
    """--max-worker-restart=2 is two, and 0 is none."""
    books = Replacements(2)
    places = [books.lost(f"gw{number}", cause(Fate.PASSING), worked=False) for number in range(3)]
    assert [place.refusal for place in places] == ["", "", "--max-worker-restart=2 allows no more"]
    assert Replacements(0).lost("gw0", cause(Fate.PASSING), worked=False).refusal
