"""Cameras on a real broker: present while connected, absent the moment they are not, heard when they see something."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from fire_watch import topics
from fire_watch.cameras import Camera, CameraRegistry
from fire_watch.clock import ManualClock
from fire_watch.link import LinkError
from fire_watch.messages import Detection, Label, Presence, Status, decode, encode
from fire_watch.settings import BrokerSettings
from fire_watch.waiting import wait_until
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from support import StartCamera, StartListener

STATUS = "fire/cameras/cam-1/status"


class TestPresence:
    """Whether a camera is there."""

    def test_a_late_listener_learns_who_is_there(self, start_camera: StartCamera, listen: StartListener) -> None:
        """The status is retained: it is heard by whoever comes later."""
        start_camera("cam-1")
        (payload,) = listen(STATUS).wait_for(1)
        assert decode(Status, payload).presence is Presence.ONLINE

    def test_a_stopped_camera_says_goodbye_once(self, start_camera: StartCamera, listen: StartListener) -> None:
        """After a goodbye the broker keeps the will to itself."""
        camera = start_camera("cam-1")
        heard = listen(STATUS)
        camera.stop()
        start_camera("cam-1")
        presences = [decode(Status, payload).presence for payload in heard.wait_for(3)]
        assert presences == [Presence.ONLINE, Presence.OFFLINE, Presence.ONLINE]

    def test_a_lost_camera_is_declared_offline(self, start_camera: StartCamera, listen: StartListener) -> None:
        """The broker speaks the last will when the connection breaks."""
        camera = start_camera("cam-1")
        heard = listen(STATUS)
        camera.link.cut()
        heard.wait_for_last(b"offline")

    @pytest.mark.slow
    def test_a_lost_camera_comes_back_by_itself(self, start_camera: StartCamera, listen: StartListener) -> None:
        """After the will it connects again and says so."""
        camera = start_camera("cam-1")
        heard = listen(STATUS)
        camera.link.cut()
        presences = [decode(Status, payload).presence for payload in heard.wait_for(3)]
        assert presences == [Presence.ONLINE, Presence.OFFLINE, Presence.ONLINE]

    @pytest.mark.slow
    def test_a_hung_camera_is_declared_offline(self, clean_broker: BrokerSettings, listen: StartListener) -> None:
        """An open connection that says nothing past its keepalive counts as lost."""
        heard = listen(STATUS)
        hung = _connect_and_hang(clean_broker, keepalive=1)
        heard.wait_for_last(b"offline")
        hung.disconnect()

    def test_a_beat_renews_the_presence(
        self, start_camera: StartCamera, listen: StartListener, clock: ManualClock
    ) -> None:
        """A healthy camera says so again with the time of saying it."""
        camera = start_camera("cam-1")
        clock.advance(30)
        camera.beat()
        (payload,) = listen(STATUS).wait_for(1)
        assert decode(Status, payload).at == clock.now()

    def test_a_second_camera_of_the_same_name_takes_over(
        self, start_camera: StartCamera, listen: StartListener
    ) -> None:
        """A name belongs to the newest connection; the older one is shown the door."""
        first = start_camera("cam-1")
        first_said = listen(STATUS)
        start_camera("cam-1")
        wait_until(lambda: not first.link.ready, what="the older connection's end")
        first.link.close()
        assert b"offline" in first_said.wait_for(3)[1]

    def test_twelve_cameras_beat_at_once_and_none_is_missed(
        self, start_camera: StartCamera, listen: StartListener
    ) -> None:
        """Health messages of a whole building arrive completely."""
        heard = listen(topics.ALL_CAMERA_STATUS)
        with ThreadPoolExecutor(12) as pool:
            cameras = list(pool.map(start_camera, [f"cam-{number}" for number in range(1, 13)]))
            list(pool.map(Camera.beat, cameras))
        statuses = [decode(Status, payload) for payload in heard.wait_for(24)]
        assert sorted(status.device for status in statuses) == sorted(2 * [camera.name for camera in cameras])


class TestDetections:
    """What a camera reports."""

    @pytest.mark.parametrize("label", list(Label))
    def test_a_report_arrives_as_it_was_made(
        self, start_camera: StartCamera, listen: StartListener, label: Label
    ) -> None:
        """Label, time and confidence reach the listener unchanged."""
        heard = listen("fire/cameras/cam-1/detections")
        sent = start_camera("cam-1").report(0.87, label=label)
        (payload,) = heard.wait_for(1)
        assert decode(Detection, payload) == sent

    def test_a_report_is_not_retained(self, start_camera: StartCamera, listen: StartListener) -> None:
        """Yesterday's fire must not alarm whoever subscribes today."""
        start_camera("cam-1").report(0.9)
        everything = listen(topics.EVERYTHING)
        everything.wait_for(1)
        assert [topic for topic, _ in everything.messages] == [STATUS]

    @pytest.mark.parametrize("name", ["cam-1", "cam-2", "cam-3", "cam-4"])
    def test_each_camera_has_topics_of_its_own(
        self, start_camera: StartCamera, listen: StartListener, name: str
    ) -> None:
        """One camera's report is heard under its name only."""
        heard = listen(topics.ALL_DETECTIONS)
        start_camera(name).report(0.9)
        heard.wait_for(1)
        assert [topic for topic, _ in heard.messages] == [f"fire/cameras/{name}/detections"]


class TestRegistry:
    """Who is there, by their last word."""

    def test_the_last_word_counts(self) -> None:
        """A camera that came and went is gone."""
        registry = CameraRegistry()
        for presence in (Presence.ONLINE, Presence.OFFLINE):
            registry.heard("", encode(Status(device="cam-1", presence=presence, at=1)))
        assert registry.online() == ()

    def test_a_cleared_status_says_nothing(self) -> None:
        """An empty retained payload changes no presence."""
        registry = CameraRegistry()
        registry.heard("", encode(Status(device="cam-1", presence=Presence.ONLINE, at=1)))
        assert registry.heard("", b"") is None
        assert registry.online() == ("cam-1",)

    def test_a_silent_camera_is_named(self) -> None:
        """Being connected is not being well."""
        registry = CameraRegistry()
        for number in (1, 2):
            registry.heard("", encode(Status(device=f"cam-{number}", presence=Presence.ONLINE, at=number)))
        assert registry.silent_since(2) == ("cam-1",)


def test_a_camera_without_a_broker_says_where_it_looked() -> None:
    """The message names host and port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(LinkError, match=f"no broker at 127.0.0.1:{port}"):
        Camera(BrokerSettings(host="127.0.0.1", port=port), "cam-1").start()


def _connect_and_hang(broker: BrokerSettings, *, keepalive: int) -> Client:
    """Connect as a camera whose program then stands still: nobody reads its socket or answers for it."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="cam-1")
    client.username_pw_set(broker.username, broker.password)
    client.will_set(STATUS, b'{"presence": "offline"}', qos=1, retain=True)
    client.connect(broker.host, broker.port, keepalive=keepalive)
    while not client.is_connected():
        client.loop(0.1)
    return client
