"""What is done about a fire: which commands follow a decision, and whether the actuators confirm them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from fire_watch import topics
from fire_watch.clock import SYSTEM_CLOCK, Clock
from fire_watch.messages import Acknowledgement, Action, Command, Decision, Mode, Override, Result, decode, encode

Publish = Callable[[str, bytes], None]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Which actuators act, how long they then rest, how long and how often they are asked; times in seconds."""

    actuators: tuple[str, ...] = ("sprinkler", "pump")
    cooldown: float = 60.0
    patience: float = 5.0
    attempts: int = 3


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ended: the actuator's word, or None when it never answered."""

    result: Result | None
    attempts: int


class Trigger:
    """Turns decisions into commands, unless a person holds it or it has only just acted."""

    def __init__(self, policy: Policy, clock: Clock = SYSTEM_CLOCK) -> None:
        self._policy = policy
        self._clock = clock
        self._acted: float | None = None
        self.mode = Mode.AUTOMATIC

    def decided(self, _decision: Decision) -> tuple[Command, ...]:
        """Answer a decision: commands in automatic mode outside the cool-down, else none."""
        if self.mode is not Mode.AUTOMATIC or self.cooling():
            return ()
        return self._act(Action.OPEN)

    def overridden(self, override: Override) -> tuple[Command, ...]:
        """Obey a person at once: forcing opens, holding closes, handing back changes nothing that flows."""
        self.mode = override.mode
        match override.mode:
            case Mode.FORCED:
                return self._act(Action.OPEN)
            case Mode.HELD:
                return self._commands(Action.CLOSE)
            case Mode.AUTOMATIC:
                return ()

    def cooling(self) -> bool:
        """Say whether the last action is too recent for another."""
        return self._acted is not None and self._clock.now() - self._acted < self._policy.cooldown

    def _act(self, action: Action) -> tuple[Command, ...]:
        self._acted = self._clock.now()
        return self._commands(action)

    def _commands(self, action: Action) -> tuple[Command, ...]:
        moment = round(self._clock.now() * 1000)
        return tuple(
            Command(command=f"{actuator}-{action}-{moment}", actuator=actuator, action=action)
            for actuator in self._policy.actuators
        )


class Commander:
    """Sends a command until its acknowledgement arrives or the attempts are used up."""

    def __init__(self, publish: Publish, policy: Policy) -> None:
        self._publish = publish
        self._policy = policy
        self._answers: dict[str, Result] = {}
        self._news = threading.Condition()

    def heard(self, _topic: str, payload: bytes) -> None:
        """Take in an acknowledgement; called by whoever listens to the broker."""
        answer = decode(Acknowledgement, payload)
        with self._news:
            self._answers[answer.command] = answer.result
            self._news.notify_all()

    def send(self, command: Command) -> Outcome:
        """Send, wait, send again; the command's id lets the actuator act only once."""
        for attempt in range(1, self._policy.attempts + 1):
            self._publish(topics.actuator_command(command.actuator), encode(command))
            if result := self._answer(command):
                return Outcome(result=result, attempts=attempt)
        return Outcome(result=None, attempts=self._policy.attempts)

    def _answer(self, command: Command) -> Result | None:
        with self._news:
            self._news.wait_for(lambda: command.command in self._answers, self._policy.patience)
            return self._answers.pop(command.command, None)
