"""Leadership: of several watches on one database, one acts."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from fire_watch.leadership import AlreadyWatchingError, Leadership
from fire_watch.waiting import wait_until

END_LEADER = """
    SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.fixture
def leader(database_url: str) -> Iterator[Leadership]:
    """Give a watch that leads."""
    with closing(Leadership(database_url)) as leader:
        leader.take()
        yield leader


def test_a_second_watch_is_refused(leader: Leadership, database_url: str) -> None:
    """Two watches would open the sprinklers twice."""
    with pytest.raises(AlreadyWatchingError, match="another fire watch"):
        Leadership(database_url).take()
    assert leader.held


def test_a_lead_given_back_can_be_taken(leader: Leadership, database_url: str) -> None:
    """The next watch need not wait for a time-out."""
    leader.close()
    with closing(Leadership(database_url)) as second:
        assert second.try_take()


def test_taking_twice_is_one_lead(leader: Leadership, database_url: str) -> None:
    """Whoever leads may ask again and still gives it back in one word."""
    leader.take()
    leader.close()
    with closing(Leadership(database_url)) as second:
        assert second.try_take()


def test_a_crashed_leader_is_succeeded(leader: Leadership, database_url: str, rows: psycopg.Connection) -> None:
    """The lead ends with the leader's connection, however that ends."""
    assert leader.held
    rows.execute(END_LEADER)
    with closing(Leadership(database_url)) as second:
        wait_until(second.try_take, what="the lead")
