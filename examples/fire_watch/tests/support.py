"""What the tests share: an ear on the broker, and a broom for it."""

import threading
from collections.abc import Callable

from fire_watch import topics
from fire_watch.actuators import Actuator
from fire_watch.cameras import Camera
from fire_watch.consensus import Rule
from fire_watch.events import EventStore
from fire_watch.link import Link
from fire_watch.messages import Detection, encode
from fire_watch.service import FireWatch
from fire_watch.settings import BrokerSettings
from fire_watch.trigger import Policy
from fire_watch.waiting import wait_until

StartCamera = Callable[..., Camera]
StartActuator = Callable[..., Actuator]
StartWatch = Callable[..., FireWatch]
_FLUSH = "fire/flush"

RULE = Rule(cameras=3, window=10.0, confidence=0.6)
POLICY = Policy(actuators=("sprinkler",), cooldown=60.0, patience=15.0, attempts=2)


class Listener:
    """Remembers every message under a pattern, retained ones included."""

    def __init__(self, broker: BrokerSettings, pattern: str) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.link = Link(broker, handlers={pattern: self._heard})
        self._pattern = pattern

    def _heard(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))

    def payloads(self) -> list[bytes]:
        """List what was said, whoever said it."""
        return [payload for _, payload in self.messages]

    def wait_for(self, count: int = 1) -> list[bytes]:
        """Wait for so many messages."""
        wait_until(lambda: len(self.messages) >= count, what=f"{count} messages under {self._pattern}")
        return self.payloads()

    def wait_for_last(self, fragment: bytes) -> None:
        """Wait until the last thing said contains these bytes."""
        wait_until(lambda: fragment in (self.payloads() or [b""])[-1], what=f"{fragment!r} under {self._pattern}")


StartListener = Callable[[str], Listener]


def clear_retained(broker: BrokerSettings) -> None:
    """Remove every retained message of the application; the flush arrives after the last of them."""
    standing: set[str] = set()
    flushed = threading.Event()

    def heard(topic: str, _payload: bytes) -> None:
        flushed.set() if topic == _FLUSH else standing.add(topic)

    with Link(broker, handlers={topics.EVERYTHING: heard}) as link:
        link.publish(_FLUSH, b"now")
        flushed.wait(10)
        for topic in list(standing):
            link.publish(topic, b"", retain=True)


def sighting(camera: str = "cam-1", at: float = 1_000_000.0, confidence: float = 0.9) -> Detection:
    """Make a detection of which only what matters is said."""
    return Detection(camera=camera, at=at, confidence=confidence)


class Reporter:
    """Cameras that report one after the other, and a mark behind them by which the watch's progress is known."""

    def __init__(self, start_camera: StartCamera, store: EventStore) -> None:
        self._start = start_camera
        self._store = store
        self._cameras: dict[str, Camera] = {}
        self._marks = 0

    def camera(self, name: str) -> Camera:
        """Give the camera of this name, started at its first use."""
        if name not in self._cameras:
            self._cameras[name] = self._start(name)
        return self._cameras[name]

    def report(self, *names: str, confidence: float = 0.9) -> None:
        """Let each camera report once, and return when the watch has dealt with it."""
        for name in names:
            self.camera(name).report(confidence)
        self.settle()

    def settle(self) -> None:
        """Wait until the watch has read on to this moment: a sighting too unsure to count marks it."""
        self._marks += 1
        mark = Detection(camera="mark", at=float(self._marks), confidence=0.0)
        self.camera("mark").link.publish(topics.camera_detections("mark"), encode(mark))
        wait_until(lambda: self._store.seen("mark") >= self._marks, what=f"mark {self._marks}")
