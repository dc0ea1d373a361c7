"""Actuators on a real broker: they act once, answer always, and are asked again when they do not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from fire_watch import topics
from fire_watch.link import Link
from fire_watch.messages import Acknowledgement, Action, Command, Result, decode, encode
from fire_watch.settings import BrokerSettings
from fire_watch.trigger import Commander, Outcome, Policy
from support import StartActuator, StartListener

OPEN = Command(command="sprinkler-open-1", actuator="sprinkler", action=Action.OPEN)
CLOSE = Command(command="sprinkler-close-2", actuator="sprinkler", action=Action.CLOSE)
STATUS = "fire/actuators/sprinkler/status"


@pytest.fixture
def commander(clean_broker: BrokerSettings) -> Iterator[Commander]:
    """Give a commander that waits long enough for any actuator that is there."""
    with _commanding(clean_broker, Policy(patience=15.0, attempts=1)) as commander:
        yield commander


@contextmanager
def _commanding(broker: BrokerSettings, policy: Policy) -> Iterator[Commander]:
    with Link(broker) as speaking:
        commander = Commander(speaking.publish, policy)
        with Link(broker, handlers={topics.ALL_ACKNOWLEDGEMENTS: commander.heard}):
            yield commander


class TestPosition:
    """Where the valve stands, for whoever asks."""

    def test_a_valve_begins_closed(self, start_actuator: StartActuator, listen: StartListener) -> None:
        """Starting an actuator lets no water through."""
        start_actuator("sprinkler")
        assert listen(STATUS).wait_for(1) == [b"closed"]

    def test_a_valve_follows_its_commands(
        self, start_actuator: StartActuator, listen: StartListener, commander: Commander
    ) -> None:
        """Opening and closing both show."""
        start_actuator("sprinkler")
        heard = listen(STATUS)
        for command in (OPEN, CLOSE):
            commander.send(command)
        assert heard.wait_for(3) == [b"closed", b"open", b"closed"]

    def test_a_lost_valve_is_not_taken_for_closed(self, start_actuator: StartActuator, listen: StartListener) -> None:
        """Nobody knows how a valve stands that does not answer."""
        actuator = start_actuator("sprinkler")
        heard = listen(STATUS)
        heard.wait_for(1)
        actuator.link.cut()
        heard.wait_for_last(b"unknown")


class TestAnswers:
    """What an actuator says to a command."""

    def test_a_command_is_acknowledged(self, start_actuator: StartActuator, commander: Commander) -> None:
        """One asking is enough when the actuator is there."""
        start_actuator("sprinkler")
        assert commander.send(OPEN) == Outcome(result=Result.DONE, attempts=1)

    def test_a_repeated_command_acts_once_and_is_answered_twice(
        self, start_actuator: StartActuator, listen: StartListener, clean_broker: BrokerSettings
    ) -> None:
        """At-least-once delivery must not pump twice."""
        actuator = start_actuator("sprinkler")
        heard = listen(topics.actuator_ack("sprinkler"))
        with Link(clean_broker) as link:
            for _ in range(2):
                link.publish(topics.actuator_command("sprinkler"), encode(OPEN))
            answers = [decode(Acknowledgement, payload).result for payload in heard.wait_for(2)]
        assert answers == [Result.DONE] * 2
        assert actuator.done == [OPEN]

    def test_a_pump_without_water_refuses(self, start_actuator: StartActuator, commander: Commander) -> None:
        """A refusal is an answer: it is not asked again."""
        actuator = start_actuator("sprinkler", able=lambda action: action is Action.CLOSE)
        assert commander.send(OPEN) == Outcome(result=Result.REFUSED, attempts=1)
        assert actuator.done == []

    def test_a_malformed_command_moves_nothing(
        self, start_actuator: StartActuator, commander: Commander, clean_broker: BrokerSettings
    ) -> None:
        """Rubbish is dropped, the next command obeyed."""
        actuator = start_actuator("sprinkler")
        with Link(clean_broker) as link:
            link.publish(topics.actuator_command("sprinkler"), b"open please")
        commander.send(OPEN)
        assert actuator.done == [OPEN]

    def test_actuators_do_not_obey_each_others_commands(
        self, start_actuator: StartActuator, commander: Commander
    ) -> None:
        """The pump stands still while the sprinkler opens."""
        sprinkler, pump = start_actuator("sprinkler"), start_actuator("pump")
        commander.send(OPEN)
        assert (sprinkler.done, pump.done) == ([OPEN], [])


@pytest.mark.slow
class TestPatience:
    """How long an actuator is asked."""

    def test_an_absent_actuator_is_given_up(self, clean_broker: BrokerSettings, listen: StartListener) -> None:
        """Three askings, then the answer is that there was none."""
        asked = listen(topics.actuator_command("sprinkler"))
        with _commanding(clean_broker, Policy(patience=0.35, attempts=3)) as commander:
            assert commander.send(OPEN) == Outcome(result=None, attempts=3)
        assert asked.wait_for(3) == [encode(OPEN)] * 3

    def test_a_late_actuator_answers_a_later_attempt(
        self, start_actuator: StartActuator, clean_broker: BrokerSettings, listen: StartListener
    ) -> None:
        """An actuator that starts after the first asking still acts, once."""
        asked = listen(topics.actuator_command("sprinkler"))
        policy = Policy(patience=0.5, attempts=30)
        with _commanding(clean_broker, policy) as commander, ThreadPoolExecutor(1) as pool:
            outcome = pool.submit(commander.send, OPEN)
            asked.wait_for(1)
            actuator = start_actuator("sprinkler")
            assert outcome.result().result is Result.DONE
        assert outcome.result().attempts > 1
        assert actuator.done == [OPEN]
