"""Messages: what goes out comes back the same, and what is not a message is refused with a reason."""

import pytest
from fire_watch.messages import (
    Acknowledgement,
    Action,
    Command,
    Decision,
    Detection,
    Label,
    Message,
    MessageError,
    Mode,
    Override,
    Presence,
    Result,
    Status,
    decode,
    encode,
)

MESSAGES: list[Message] = [
    Detection(camera="cam-1", at=12.5, confidence=0.75, label=Label.SMOKE),
    Status(device="cam-1", presence=Presence.OFFLINE, at=3.0),
    Decision(cameras=("cam-1", "cam-2"), decided=4.0, confidence=0.8),
    Command(command="sprinkler-open-4", actuator="sprinkler", action=Action.OPEN),
    Acknowledgement(command="sprinkler-open-4", actuator="sprinkler", result=Result.REFUSED),
    Override(mode=Mode.HELD, by="night desk"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__.lower())
def test_a_message_survives_the_wire(message: Message) -> None:
    """Decoding what was encoded gives an equal message."""
    assert decode(type(message), encode(message)) == message


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"\xff\xfe", "not JSON", id="binary"),
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"[1, 2]", "not an object", id="list"),
        pytest.param(b'{"camera": "cam-1"}', "not a Detection", id="incomplete"),
        pytest.param(b'{"camera": "c", "at": "noon", "confidence": 1}', "noon", id="time-in-words"),
        pytest.param(b'{"camera": 7, "at": 1, "confidence": 1}', "is not text", id="number-for-name"),
        pytest.param(b'{"camera": "", "at": 1, "confidence": 1}', "name its camera", id="nameless"),
        pytest.param(b'{"camera": "c", "at": 1, "confidence": 1.5}', "between 0 and 1", id="too-sure"),
        pytest.param(b'{"camera": "c", "at": 1, "confidence": 1, "hue": 3}', "no field 'hue'", id="unknown-field"),
        pytest.param(b'{"camera": "c", "at": 1, "confidence": 1, "label": "cat"}', "cat", id="unknown-label"),
    ],
)
def test_a_malformed_detection_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    """Nothing that is not a detection is taken for one."""
    with pytest.raises(MessageError, match=reason):
        decode(Detection, payload)


def test_equal_messages_are_equal_bytes() -> None:
    """The order of fields is fixed, so that a retained message compares as bytes."""
    status = Status(device="cam-1", presence=Presence.ONLINE, at=1.0)
    assert encode(status) == b'{"at": 1.0, "device": "cam-1", "presence": "online"}'
