"""Trigger: which commands follow, when none do, and how often an actuator is asked."""

import pytest
from fire_watch.clock import ManualClock
from fire_watch.messages import Acknowledgement, Action, Command, Decision, Mode, Override, Result, decode, encode
from fire_watch.trigger import Commander, Outcome, Policy, Trigger

FIRE = Decision(cameras=("cam-1", "cam-2"), decided=1.0, confidence=0.9)
OPEN = Command(command="sprinkler-open-1", actuator="sprinkler", action=Action.OPEN)
IMPATIENT = Policy(patience=0.01, attempts=3)


@pytest.fixture
def trigger(clock: ManualClock) -> Trigger:
    """Give two actuators and a minute of rest."""
    return Trigger(Policy(actuators=("sprinkler", "pump"), cooldown=60), clock)


def test_a_decision_opens_every_actuator(trigger: Trigger) -> None:
    """Each actuator gets a command of its own with an id of its own."""
    commands = trigger.decided(FIRE)
    assert [command.actuator for command in commands] == ["sprinkler", "pump"]
    assert {command.action for command in commands} == {Action.OPEN}
    assert len({command.command for command in commands}) == 2


@pytest.mark.parametrize(
    ("passed", "commands"), [(0.0, 0), (59.9, 0), (60.0, 2)], ids=["at-once", "just-before", "rested"]
)
def test_the_cool_down_holds_back(trigger: Trigger, clock: ManualClock, passed: float, commands: int) -> None:
    """A second decision acts only when the rest is over."""
    trigger.decided(FIRE)
    clock.advance(passed)
    assert len(trigger.decided(FIRE)) == commands


@pytest.mark.parametrize(
    ("mode", "actions"), [(Mode.FORCED, [Action.OPEN] * 2), (Mode.HELD, [Action.CLOSE] * 2), (Mode.AUTOMATIC, [])]
)
def test_a_person_is_obeyed_at_once(trigger: Trigger, mode: Mode, actions: list[Action]) -> None:
    """Forcing opens, holding closes, handing back moves nothing."""
    commands = trigger.overridden(Override(mode=mode, by="desk"))
    assert [command.action for command in commands] == actions


def test_a_held_trigger_ignores_decisions(trigger: Trigger) -> None:
    """Whoever holds the trigger answers for it."""
    trigger.overridden(Override(mode=Mode.HELD, by="desk"))
    assert trigger.decided(FIRE) == ()


def test_an_unanswered_command_is_repeated_unchanged() -> None:
    """Every attempt carries the same id, then the commander gives up."""
    sent: list[tuple[str, bytes]] = []
    outcome = Commander(lambda topic, payload: sent.append((topic, payload)), IMPATIENT).send(OPEN)
    assert outcome == Outcome(result=None, attempts=3)
    assert sent == [("fire/actuators/sprinkler/command", encode(OPEN))] * 3


def test_an_answer_ends_the_asking() -> None:
    """The second attempt is answered, so there is no third."""
    asked: list[str] = []

    def actuator(_topic: str, payload: bytes) -> None:
        asked.append(decode(Command, payload).command)
        if len(asked) == 2:
            answer = Acknowledgement(command=OPEN.command, actuator="sprinkler", result=Result.DONE)
            commander.heard("", encode(answer))

    commander = Commander(actuator, IMPATIENT)
    assert commander.send(OPEN) == Outcome(result=Result.DONE, attempts=2)


def test_another_commands_answer_is_not_ours() -> None:
    """Answers are matched by id, not by actuator."""
    other = encode(Acknowledgement(command="sprinkler-open-0", actuator="sprinkler", result=Result.DONE))
    commander = Commander(lambda _topic, _payload: commander.heard("", other), IMPATIENT)
    assert commander.send(OPEN).result is None
