from __future__ import annotations

from itertools import product

import pytest

from paddock.plugin.roster import CANCELLED, OPEN_FAILED, TABLE, Action, Roster, State

ENDINGS = ("errordown", "internal_error", "workerfinished")


def roster(*words: str) -> Roster:
    """Return a roster with one worker that said these words."""
    made = Roster()
    made.enter("gw0")
    for word in words:
        made.advance("gw0", word)
    return made


@pytest.mark.parametrize("word", ["errordown", "internal_error", OPEN_FAILED])
def test_a_loss_before_collection_is_no_crash(word: str) -> None:
    """Xdist must not count it, nor replace the worker."""
    assert roster("workerready").advance("gw0", word) is Action.FAIL


@pytest.mark.parametrize("word", ENDINGS)
def test_a_loss_at_work_is_xdists_affair(word: str) -> None:
    """A worker that was given tests is xdist's to replace."""
    assert roster("workerready", "collectionfinish").advance("gw0", word) is Action.PASS


@pytest.mark.parametrize(("ending", "word"), [*product(ENDINGS, (*ENDINGS, CANCELLED, OPEN_FAILED, "testreport"))])
def test_the_dead_are_silent(ending: str, word: str) -> None:
    """A second ending would be a KeyError in xdist."""
    assert roster("collectionfinish", ending).advance("gw0", word) is Action.DROP


def test_only_the_awaited_are_cancelled() -> None:
    """A worker with tests cannot be cancelled any more."""
    assert roster("workerready").advance("gw0", CANCELLED) is Action.FINISH
    at_work = roster("collectionfinish")
    assert at_work.advance("gw0", CANCELLED) is Action.DROP
    assert at_work.alive() == ["gw0"]


@pytest.mark.parametrize("word", ["workerready", "testreport", "logstart", "collectreport", "warning_recorded"])
def test_other_words_pass_and_change_nothing(word: str) -> None:
    """What is not in the table goes to xdist."""
    made = roster()
    assert made.advance("gw0", word) is Action.PASS
    assert made.awaited() == ["gw0"]


def test_nothing_in_the_table_brings_anybody_back() -> None:
    """GONE is the end."""
    assert all(state is not State.GONE for state, _ in TABLE)


def test_waiting_ends_with_the_last_one() -> None:
    """The wait is over when everybody is gone, and only then."""
    made = roster("collectionfinish")
    assert not made.wait_until_gone(0)
    made.advance("gw0", "workerfinished")
    assert made.wait_until_gone(0)
