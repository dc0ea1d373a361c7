"""The whole watch, from a camera's report to the valve, on a real broker and a real database."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from fire_watch import topics
from fire_watch.clock import SYSTEM_CLOCK, ManualClock
from fire_watch.events import EventStore
from fire_watch.leadership import AlreadyWatchingError
from fire_watch.link import Link
from fire_watch.messages import Action, Decision, decode
from fire_watch.settings import BrokerSettings
from fire_watch.trigger import Policy
from fire_watch.waiting import wait_until
from support import POLICY, RULE, Reporter, StartActuator, StartCamera, StartListener, StartWatch

THREE = ("cam-1", "cam-2", "cam-3")


class TestAlarm:
    """From agreement to water."""

    def test_three_cameras_open_the_sprinkler(
        self, start_watch: StartWatch, start_actuator: StartActuator, cameras: Reporter, store: EventStore
    ) -> None:
        """Agreement is decided, commanded, carried out and written down."""
        start_watch()
        sprinkler = start_actuator("sprinkler")
        cameras.report(*THREE)
        assert [command.action for command in sprinkler.done] == [Action.OPEN]
        assert [(alarm.state, alarm.attempts) for alarm in store.alarms()] == [("done", 1)]

    def test_a_decision_is_announced(
        self, start_watch: StartWatch, start_actuator: StartActuator, cameras: Reporter, listen: StartListener
    ) -> None:
        """Whoever listens for decisions hears which cameras agreed."""
        start_watch()
        start_actuator("sprinkler")
        heard = listen(topics.DECISIONS)
        cameras.report(*THREE)
        assert decode(Decision, heard.wait_for(1)[0]).cameras == THREE

    @pytest.mark.parametrize(
        "names", [("cam-1", "cam-2"), ("cam-1", "cam-1", "cam-1")], ids=["two-cameras", "one-camera-thrice"]
    )
    def test_too_few_cameras_decide_nothing(
        self, start_watch: StartWatch, cameras: Reporter, store: EventStore, names: tuple[str, ...]
    ) -> None:
        """Their sightings are recorded, and that is all."""
        start_watch()
        cameras.report(*names)
        assert (store.decisions(), store.alarms()) == (0, [])
        assert store.seen("cam-1") == 1

    def test_unsure_cameras_decide_nothing(self, start_watch: StartWatch, cameras: Reporter, store: EventStore) -> None:
        """Three guesses are not a fire."""
        start_watch()
        cameras.report(*THREE, confidence=0.5)
        assert store.decisions() == 0

    @pytest.mark.parametrize(("gap", "decisions"), [(4.9, 1), (5.1, 0)], ids=["within", "beyond"])
    def test_the_window_holds_from_first_to_last(
        self,
        start_watch: StartWatch,
        cameras: Reporter,
        store: EventStore,
        clock: ManualClock,
        gap: float,
        decisions: int,
    ) -> None:
        """Two gaps must fit in one window of ten seconds."""
        start_watch(policy=Policy(actuators=()))
        for name in THREE:
            cameras.report(name)
            clock.advance(gap)
        assert store.decisions() == decisions

    def test_a_camera_that_went_offline_has_no_say(
        self, start_watch: StartWatch, cameras: Reporter, store: EventStore
    ) -> None:
        """Its vote is withdrawn with its presence."""
        start_watch()
        cameras.report("cam-1", "cam-2")
        cameras.camera("cam-2").stop()
        cameras.report("cam-3")
        assert store.decisions() == 0

    def test_a_fire_in_the_cool_down_is_recorded_only(
        self,
        start_watch: StartWatch,
        start_actuator: StartActuator,
        cameras: Reporter,
        store: EventStore,
        clock: ManualClock,
    ) -> None:
        """Water flows once until the rest is over, decisions are all kept."""
        start_watch()
        sprinkler = start_actuator("sprinkler")
        for pause in (30, 30, 0):
            cameras.report(*THREE)
            clock.advance(pause)
        assert store.decisions() == 3
        assert len(sprinkler.done) == len(store.alarms()) == 2

    def test_a_refusing_actuator_is_written_down(
        self, start_watch: StartWatch, start_actuator: StartActuator, cameras: Reporter, store: EventStore
    ) -> None:
        """An empty tank shows in the record."""
        start_watch()
        start_actuator("sprinkler", able=lambda _action: False)
        cameras.report(*THREE)
        assert [alarm.state for alarm in store.alarms()] == ["refused"]


@pytest.mark.slow
class TestRealTime:
    """The same with the machine's own clock."""

    def test_votes_expire_on_a_real_clock(
        self, start_watch: StartWatch, start_camera: StartCamera, store: EventStore
    ) -> None:
        """A sighting older than the window no longer counts when the next one comes."""
        watch = start_watch(clock=SYSTEM_CLOCK, rule=replace(RULE, cameras=2, window=0.8))
        first, second = (start_camera(name, clock=SYSTEM_CLOCK) for name in ("cam-1", "cam-2"))
        seen = first.report(0.9).at
        wait_until(lambda: SYSTEM_CLOCK.now() > seen + 0.8)
        second.report(0.9)
        wait_until(lambda: store.seen("cam-2") == 1)
        watch.stop()
        assert store.decisions() == 0

    def test_the_cool_down_ends_on_a_real_clock(
        self, start_watch: StartWatch, start_camera: StartCamera, start_actuator: StartActuator
    ) -> None:
        """After a second's rest the next sighting opens again."""
        policy = replace(POLICY, cooldown=1.0)
        start_watch(clock=SYSTEM_CLOCK, rule=replace(RULE, cameras=1), policy=policy)
        sprinkler = start_actuator("sprinkler")
        camera = start_camera("cam-1", clock=SYSTEM_CLOCK)
        began = SYSTEM_CLOCK.now()
        wait_until(lambda: bool(camera.report(0.9)) and len(sprinkler.done) == 2, what="the second opening")
        assert SYSTEM_CLOCK.now() - began >= 1.0

    def test_a_missing_actuator_is_written_down(
        self, start_watch: StartWatch, cameras: Reporter, store: EventStore
    ) -> None:
        """Nobody answered twice: the record says so, and the watch goes on."""
        start_watch(policy=replace(POLICY, patience=0.4))
        cameras.report(*THREE)
        assert [(alarm.state, alarm.attempts) for alarm in store.alarms()] == [("unanswered", 2)]


class TestAvailability:
    """Coming, going and carrying on."""

    def test_the_watch_shows_that_it_is_there(self, start_watch: StartWatch, listen: StartListener) -> None:
        """Online while it runs, offline after it stopped."""
        watch = start_watch()
        heard = listen(topics.SERVICE_STATUS)
        heard.wait_for_last(b"online")
        watch.stop()
        heard.wait_for_last(b"offline")

    @pytest.mark.slow
    def test_a_watch_that_was_cut_off_returns_and_decides(
        self, start_watch: StartWatch, start_actuator: StartActuator, cameras: Reporter, listen: StartListener
    ) -> None:
        """The will speaks for it meanwhile; what it missed is delivered."""
        watch = start_watch()
        sprinkler = start_actuator("sprinkler")
        heard = listen(topics.SERVICE_STATUS)
        watch.link.cut()
        heard.wait_for_last(b"offline")
        cameras.report(*THREE)
        heard.wait_for_last(b"online")
        assert len(sprinkler.done) == 1

    def test_reports_made_while_the_watch_was_away_are_dealt_with(
        self, start_watch: StartWatch, start_actuator: StartActuator, cameras: Reporter, store: EventStore
    ) -> None:
        """The broker keeps the watch's session, so a restart misses no fire."""
        start_watch().stop()
        start_actuator("sprinkler")
        for name in THREE:
            cameras.camera(name).report(0.9)
        start_watch()
        cameras.settle()
        assert [alarm.state for alarm in store.alarms()] == ["done"]

    def test_a_restarted_watch_does_not_count_twice(
        self, start_watch: StartWatch, start_actuator: StartActuator, cameras: Reporter, store: EventStore
    ) -> None:
        """The record outlives the process, and a known sighting stays known."""
        first = start_watch()
        start_actuator("sprinkler")
        cameras.report(*THREE)
        first.stop()
        start_watch()
        cameras.report(*THREE)
        assert (store.decisions(), store.seen("cam-1")) == (1, 1)

    def test_rubbish_is_counted_and_the_watch_goes_on(
        self, start_watch: StartWatch, start_actuator: StartActuator, cameras: Reporter, clean_broker: BrokerSettings
    ) -> None:
        """One broken camera must not blind the others."""
        watch = start_watch()
        sprinkler = start_actuator("sprinkler")
        with Link(clean_broker) as link:
            link.publish(topics.camera_detections("cam-9"), b"\x00\x01")
        cameras.report(*THREE)
        assert (watch.rejected, len(sprinkler.done)) == (1, 1)

    def test_the_watch_knows_who_is_online(self, start_watch: StartWatch, cameras: Reporter) -> None:
        """Cameras that were there before it count as well as those that came later."""
        cameras.camera("cam-1")
        watch = start_watch()
        cameras.report("cam-2")
        assert {"cam-1", "cam-2"} <= set(watch.cameras.online())

    def test_a_second_watch_is_refused(self, start_watch: StartWatch) -> None:
        """On one database only one may act, and the first is not disturbed."""
        first = start_watch()
        with pytest.raises(AlreadyWatchingError):
            start_watch()
        assert first.link.ready


@pytest.mark.slow
def test_the_program_runs_and_ends_when_told(
    start_watch: StartWatch, broker: BrokerSettings, database_url: str, listen: StartListener
) -> None:
    """`python -m fire_watch` watches until SIGTERM and leaves in order."""
    del start_watch  # only for its clean tables and session
    heard = listen(topics.SERVICE_STATUS)
    with _program(_environment(broker, database_url)) as program:
        heard.wait_for_last(b"online")
        program.send_signal(signal.SIGTERM)
        assert program.wait(15) == 0
    heard.wait_for_last(b"offline")


@contextmanager
def _program(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program, and leave none behind however the test ends."""
    with subprocess.Popen([sys.executable, "-m", "fire_watch"], env=environment) as program:
        try:
            yield program
        finally:
            program.kill()


def _environment(broker: BrokerSettings, database_url: str) -> dict[str, str]:
    """Tell the program where the services are; it imports from where this process does."""
    ours = {"MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port), "DATABASE_URL": database_url}
    login = {"MQTT_USERNAME": broker.username or "", "MQTT_PASSWORD": broker.password or ""}
    return {**os.environ, **ours, **login, "PYTHONPATH": os.pathsep.join(sys.path)}
