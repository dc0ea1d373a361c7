"""What travels over the wire, checked on the way in: a malformed message must never reach a decision."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeVar, get_origin, get_type_hints


class MessageError(ValueError):
    """A payload that is not the message it should be."""


class Label(StrEnum):
    """What a camera believes it sees."""

    FIRE = "fire"
    SMOKE = "smoke"


class Presence(StrEnum):
    """Whether a device is connected."""

    ONLINE = "online"
    OFFLINE = "offline"


class Action(StrEnum):
    """What an actuator can be told to do."""

    OPEN = "open"
    CLOSE = "close"


class Result(StrEnum):
    """How a command ended."""

    DONE = "done"
    REFUSED = "refused"


class Mode(StrEnum):
    """Who is in charge of the trigger: the consensus, or a person holding or forcing it."""

    AUTOMATIC = "automatic"
    HELD = "held"
    FORCED = "forced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One camera's sighting."""

    camera: str
    at: float
    confidence: float
    label: Label = Label.FIRE

    def __post_init__(self) -> None:
        if not self.camera:
            raise MessageError("a detection must name its camera")
        if not 0.0 <= self.confidence <= 1.0:
            raise MessageError(f"confidence must lie between 0 and 1, not {self.confidence!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A device's presence since a moment."""

    device: str
    presence: Presence
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Enough cameras agreed: this is a fire."""

    cameras: tuple[str, ...]
    decided: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An order to one actuator; the id makes a repeated delivery harmless."""

    command: str
    actuator: str
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """An actuator's answer to a command."""

    command: str
    actuator: str
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A person takes over, or hands back."""

    mode: Mode
    by: str


Message = Detection | Status | Decision | Command | Acknowledgement | Override
Kind = TypeVar("Kind", bound=Message)


def encode(message: Message) -> bytes:
    """Turn a message into the bytes that travel."""
    return json.dumps(asdict(message), sort_keys=True).encode()


def decode(kind: type[Kind], payload: bytes) -> Kind:
    """Turn bytes into a checked message, or say what is wrong with them."""
    document = _document(payload)
    hints = get_type_hints(kind)
    known = ", ".join(hints)
    try:
        return kind(**{name: _converted(hints[name], value) for name, value in document.items()})
    except KeyError as unknown:
        raise MessageError(f"{kind.__name__} has no field {unknown}; its fields: {known}") from unknown
    except (TypeError, ValueError) as error:
        raise MessageError(f"not a {kind.__name__}: {error}") from error


def _document(payload: bytes) -> dict[str, object]:
    try:
        document = json.loads(payload)
    except ValueError as error:
        raise MessageError(f"not JSON: {payload[:40]!r}") from error
    if not isinstance(document, dict):
        raise MessageError(f"not an object: {payload[:40]!r}")
    return document


def _converted(hint: Any, value: Any) -> Any:  # noqa: ANN401  # a field's type is known only at run time
    if hint is str and not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    if get_origin(hint) is tuple:
        return tuple(str(item) for item in value)
    return hint(value)
