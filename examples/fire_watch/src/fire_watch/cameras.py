"""Cameras: the detector's side, which speaks, and the watch's side, which remembers who is there."""

from fire_watch import topics
from fire_watch.clock import SYSTEM_CLOCK, Clock
from fire_watch.link import Link, Will
from fire_watch.messages import Detection, Label, Presence, Status, decode, encode
from fire_watch.settings import BrokerSettings


class Camera:
    """A detector with a name; its presence is a retained message, its absence the broker's last word for it."""

    def __init__(self, broker: BrokerSettings, name: str, *, clock: Clock = SYSTEM_CLOCK, keepalive: int = 30) -> None:
        self.name = name
        self._clock = clock
        self._topic = topics.camera_status(name)
        will = Will(topic=self._topic, payload=self._status(Presence.OFFLINE))
        self.link = Link(broker, name, will=will, on_return=self._returned, keepalive=keepalive)

    def start(self) -> None:
        """Connect and say so."""
        self.link.open()
        self.beat()

    def stop(self) -> None:
        """Say goodbye in our own words and disconnect."""
        self.link.publish(self._topic, self._status(Presence.OFFLINE), retain=True)
        self.link.close()

    def beat(self) -> None:
        """Renew the presence, so that a silent camera can be told from a healthy one."""
        self.link.publish(self._topic, self._status(Presence.ONLINE), retain=True)

    def report(self, confidence: float, *, label: Label = Label.FIRE) -> Detection:
        """Publish one sighting, and return it."""
        detection = Detection(camera=self.name, at=self._clock.now(), confidence=confidence, label=label)
        self.link.publish(topics.camera_detections(self.name), encode(detection))
        return detection

    def _returned(self) -> None:
        self.link.post(self._topic, self._status(Presence.ONLINE), retain=True)

    def _status(self, presence: Presence) -> bytes:
        return encode(Status(device=self.name, presence=presence, at=self._clock.now()))


class CameraRegistry:
    """Who is there, by each camera's last word."""

    def __init__(self) -> None:
        self._last: dict[str, Status] = {}

    def heard(self, _topic: str, payload: bytes) -> Status | None:
        """Take in a status; an empty payload is a retained one being cleared and says nothing."""
        if not payload:
            return None
        status = decode(Status, payload)
        self._last[status.device] = status
        return status

    def online(self) -> tuple[str, ...]:
        """Name the cameras that are connected."""
        return tuple(sorted(status.device for status in self._present()))

    def silent_since(self, moment: float) -> tuple[str, ...]:
        """Name the cameras that claim to be there but have said nothing since a moment."""
        return tuple(sorted(status.device for status in self._present() if status.at < moment))

    def _present(self) -> list[Status]:
        return [status for status in self._last.values() if status.presence is Presence.ONLINE]
