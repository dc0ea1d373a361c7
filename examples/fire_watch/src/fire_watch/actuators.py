"""Actuators: valves and pumps that obey commands, once each, and say what they did."""

from collections.abc import Callable
from enum import StrEnum

from fire_watch import topics
from fire_watch.link import Link, Will
from fire_watch.messages import Acknowledgement, Action, Command, Result, decode, encode
from fire_watch.settings import BrokerSettings


class Position(StrEnum):
    """How a valve stands, as far as anyone can tell."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


_POSITIONS = {Action.OPEN: Position.OPEN, Action.CLOSE: Position.CLOSED}


class Actuator:
    """A device that acts on each command once, however often it is delivered, and acknowledges every delivery."""

    def __init__(
        self, broker: BrokerSettings, name: str, *, able: Callable[[Action], bool] = lambda _action: True
    ) -> None:
        self.name = name
        self.done: list[Command] = []
        self._able = able
        self._answers: dict[str, Result] = {}
        will = Will(topic=topics.actuator_status(name), payload=Position.UNKNOWN.encode())
        self.link = Link(broker, name, handlers={topics.actuator_command(name): self._told}, will=will)

    def start(self) -> None:
        """Connect and show the valve as closed."""
        self.link.open()
        self.link.publish(topics.actuator_status(self.name), Position.CLOSED.encode(), retain=True)

    def stop(self) -> None:
        """Disconnect; the position stays on the broker."""
        self.link.close()

    def _told(self, _topic: str, payload: bytes) -> None:
        command = decode(Command, payload)
        if command.command not in self._answers:
            self._answers[command.command] = self._act(command)
        self._answer(command, self._answers[command.command])

    def _act(self, command: Command) -> Result:
        if not self._able(command.action):
            return Result.REFUSED
        self.done.append(command)
        self.link.post(topics.actuator_status(self.name), _POSITIONS[command.action].encode(), retain=True)
        return Result.DONE

    def _answer(self, command: Command, result: Result) -> None:
        answer = Acknowledgement(command=command.command, actuator=self.name, result=result)
        self.link.post(topics.actuator_ack(self.name), encode(answer))
