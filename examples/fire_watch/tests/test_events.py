"""The event store on a real database: nothing twice, nothing by halves, nothing forgotten that must be kept."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from fire_watch.events import EventStore, alarm_feed
from fire_watch.messages import Action, Command, Decision, Result
from fire_watch.trigger import Outcome
from support import sighting

FIRE = Decision(cameras=("cam-1", "cam-2"), decided=1.0, confidence=0.9)
SPRINKLER = Command(command="sprinkler-open-1", actuator="sprinkler", action=Action.OPEN)
PUMP = Command(command="pump-open-1", actuator="pump", action=Action.OPEN)


class TestDetections:
    """What was seen."""

    def test_a_detection_is_recorded_once(self, store: EventStore) -> None:
        """The same sighting delivered twice is one row."""
        assert store.saw(sighting())
        assert not store.saw(sighting())
        assert store.seen("cam-1") == 1

    def test_the_same_moment_on_two_cameras_is_two_detections(self, store: EventStore) -> None:
        """Time alone does not make a duplicate."""
        assert all([store.saw(sighting("cam-1")), store.saw(sighting("cam-2"))])

    def test_detections_are_counted_by_camera_and_time(self, store: EventStore) -> None:
        """Only what lies in the period counts, camera by camera."""
        for at in (1.0, 2.0, 3.0):
            store.saw(sighting("cam-1", at))
        store.saw(sighting("cam-2", 3.0))
        assert store.per_camera(since=2.0) == {"cam-1": 2, "cam-2": 1}

    def test_purging_forgets_only_what_is_old(self, store: EventStore) -> None:
        """The boundary itself is kept."""
        for at in (1.0, 2.0, 3.0):
            store.saw(sighting("cam-1", at))
        assert store.purge(before=2.0) == 1
        assert store.seen("cam-1") == 2

    def test_the_database_refuses_an_impossible_confidence(self, store: EventStore, rows: psycopg.Connection) -> None:
        """The last guard stands in the database, whoever writes to it."""
        with pytest.raises(psycopg.errors.CheckViolation):
            rows.execute("INSERT INTO detections (camera, at, confidence, label) VALUES ('cam-1', 1, 7, 'fire')")
        assert store.seen("cam-1") == 0

    def test_four_writers_lose_nothing(self, store: EventStore, database_url: str) -> None:
        """Four cameras' writers at once leave every row."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: _write(database_url, f"cam-{number}", 25), range(1, 5)))
        assert store.per_camera(since=0) == {f"cam-{number}": 25 for number in range(1, 5)}


class TestDecisions:
    """What was decided, and what followed."""

    def test_a_decision_is_recorded_with_its_commands(self, store: EventStore) -> None:
        """Each command becomes an alarm of that decision."""
        number = store.decided(FIRE, (SPRINKLER, PUMP))
        alarms = store.alarms()
        assert [alarm.actuator for alarm in alarms] == ["sprinkler", "pump"]
        assert {alarm.decision for alarm in alarms} == {number}

    def test_a_failing_command_takes_its_decision_along(self, store: EventStore) -> None:
        """Both are remembered, or neither."""
        with pytest.raises(psycopg.errors.UniqueViolation):
            store.decided(FIRE, (SPRINKLER, SPRINKLER))
        assert (store.decisions(), store.alarms()) == (0, [])

    def test_a_persons_command_follows_from_no_decision(self, store: EventStore) -> None:
        """A forced alarm says so by naming none."""
        store.ordered((SPRINKLER,))
        assert [alarm.decision for alarm in store.alarms()] == [None]
        assert store.decisions() == 0

    def test_numbering_starts_anew_in_an_empty_store(self, store: EventStore) -> None:
        """Emptying resets the numbers: the first decision is number one."""
        store.decided(FIRE, ())
        store.empty()
        assert store.decided(FIRE, ()) == 1

    def test_cameras_are_kept_in_order(self, store: EventStore, rows: psycopg.Connection) -> None:
        """Who decided can be read back."""
        number = store.decided(FIRE, ())
        row = rows.execute("SELECT cameras FROM decisions WHERE id = %s", (number,)).fetchone()
        assert row == (["cam-1", "cam-2"],)

    @pytest.mark.parametrize(
        ("result", "state"),
        [(Result.DONE, "done"), (Result.REFUSED, "refused"), (None, "unanswered")],
        ids=["done", "refused", "unanswered"],
    )
    def test_an_alarm_ends_in_a_state(self, store: EventStore, result: Result | None, state: str) -> None:
        """How it ended and how often it was asked are both kept."""
        store.decided(FIRE, (SPRINKLER,))
        assert store.alarms()[0].state == "sent"
        store.settled(SPRINKLER, Outcome(result=result, attempts=2))
        assert (store.alarms()[0].state, store.alarms()[0].attempts) == (state, 2)


class TestFeed:
    """Who hears of an alarm."""

    def test_an_alarm_is_heard_when_it_is_committed(self, store: EventStore, database_url: str) -> None:
        """The desk learns the command's name at once."""
        with alarm_feed(database_url) as feed:
            store.decided(FIRE, (SPRINKLER,))
            assert feed.next(timeout=10) == SPRINKLER.command

    @pytest.mark.slow
    def test_an_alarm_that_was_undone_is_not_heard(self, store: EventStore, database_url: str) -> None:
        """A transaction rolled back has told nobody."""
        with alarm_feed(database_url) as feed:
            with pytest.raises(psycopg.errors.UniqueViolation):
                store.decided(FIRE, (SPRINKLER, SPRINKLER))
            assert feed.next(timeout=0.5) is None


class TestSchema:
    """The tables themselves."""

    def test_creating_twice_is_harmless(self, store: EventStore) -> None:
        """A restart keeps what was recorded."""
        store.saw(sighting())
        store.create()
        assert store.seen("cam-1") == 1

    def test_dropped_tables_come_back_empty(self, store: EventStore) -> None:
        """Starting from nothing is possible at any time."""
        store.saw(sighting())
        store.drop()
        with pytest.raises(psycopg.errors.UndefinedTable):
            store.seen("cam-1")
        store.create()
        assert store.seen("cam-1") == 0


def _write(url: str, camera: str, count: int) -> None:
    with EventStore(url) as store:
        for at in range(count):
            store.saw(sighting(camera, float(at)))
