"""Delivery: what the broker promises, as this application relies on it."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from fire_watch import topics
from fire_watch.clock import ManualClock
from fire_watch.link import Link, forget_session
from fire_watch.messages import Detection, MessageError, decode
from fire_watch.settings import BrokerSettings
from fire_watch.waiting import wait_until
from support import StartCamera, StartListener

DESK = "night-desk"


def test_reports_of_one_camera_keep_their_order(
    start_camera: StartCamera, listen: StartListener, clock: ManualClock
) -> None:
    """Two hundred reports arrive as they were sent, each once."""
    heard = listen(topics.ALL_DETECTIONS)
    camera = start_camera("cam-1")
    for _ in range(200):
        clock.advance(1)
        camera.report(0.9)
    times = [decode(Detection, payload).at for payload in heard.wait_for(200)]
    assert len(times) == 200
    assert all(earlier < later for earlier, later in pairwise(times))


def test_no_report_of_four_busy_cameras_is_lost(start_camera: StartCamera, listen: StartListener) -> None:
    """Four cameras reporting at once are all heard completely."""
    heard = listen(topics.ALL_DETECTIONS)
    cameras = [start_camera(f"cam-{number}") for number in range(1, 5)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda camera: [camera.report(0.9) for _ in range(50)], cameras))
    names = [decode(Detection, payload).camera for payload in heard.wait_for(200)]
    assert {name: names.count(name) for name in names} == {camera.name: 50 for camera in cameras}


@pytest.mark.parametrize(("kept", "expected"), [(True, 3), (False, 0)], ids=["kept-session", "fresh-session"])
def test_only_a_kept_session_gets_what_it_missed(
    clean_broker: BrokerSettings, start_camera: StartCamera, *, kept: bool, expected: int
) -> None:
    """The broker queues for a client that asked it to, and for no other."""
    forget_session(clean_broker, DESK)
    heard: list[bytes] = []
    _desk(clean_broker, heard, kept=kept).open().close()
    camera = start_camera("cam-1")
    for _ in range(3):
        camera.report(0.9)
    with _desk(clean_broker, heard, kept=kept):
        camera.report(0.1)
        wait_until(lambda: any(b'"confidence": 0.1' in payload for payload in heard))
    forget_session(clean_broker, DESK)
    assert len(heard) - 1 == expected


@pytest.mark.slow
def test_a_returning_listener_is_subscribed_again(start_camera: StartCamera, listen: StartListener) -> None:
    """A cut connection heals without anybody asking."""
    heard = listen(topics.ALL_DETECTIONS)
    camera = start_camera("cam-1")
    heard.link.cut()
    wait_until(lambda: heard.link.ready, what="the listener's return")
    camera.report(0.9)
    heard.wait_for(1)


def test_only_the_last_status_is_kept(start_camera: StartCamera, listen: StartListener, clock: ManualClock) -> None:
    """Twenty beats leave one retained message."""
    camera = start_camera("cam-1")
    for _ in range(20):
        clock.advance(1)
        camera.beat()
    heard = listen("fire/cameras/cam-1/#")
    camera.report(0.9)
    heard.wait_for(2)
    assert [topic.rsplit("/")[-1] for topic, _ in heard.messages] == ["status", "detections"]


def test_a_cleared_status_is_gone(start_camera: StartCamera, listen: StartListener) -> None:
    """An empty retained message removes the one before it."""
    camera = start_camera("cam-1")
    camera.link.publish(topics.camera_status("cam-1"), b"", retain=True)
    heard = listen(topics.EVERYTHING)
    camera.report(0.9)
    heard.wait_for(1)
    assert [topic for topic, _ in heard.messages] == ["fire/cameras/cam-1/detections"]


def test_a_malformed_message_does_not_deafen(clean_broker: BrokerSettings) -> None:
    """A handler's complaint is logged, and the next message is heard."""
    heard: list[Detection] = []
    with Link(
        clean_broker, handlers={topics.ALL_DETECTIONS: lambda _, said: heard.append(decode(Detection, said))}
    ) as link:
        link.publish(topics.camera_detections("cam-1"), b"rubbish")
        link.publish(topics.camera_detections("cam-1"), b'{"camera": "cam-1", "at": 1, "confidence": 1}')
        wait_until(lambda: bool(heard))
    with pytest.raises(MessageError):
        decode(Detection, b"rubbish")


def test_two_listeners_both_hear(start_camera: StartCamera, listen: StartListener) -> None:
    """Publishing is to everyone who listens, not to one of them."""
    desks = [listen(topics.ALL_DETECTIONS), listen("fire/cameras/cam-1/+")]
    start_camera("cam-1").report(0.9)
    assert desks[0].wait_for(1)[-1] == desks[1].wait_for(2)[-1]


def _desk(broker: BrokerSettings, heard: list[bytes], *, kept: bool) -> Link:
    handlers = {topics.ALL_DETECTIONS: lambda _topic, payload: heard.append(payload)}
    return Link(broker, DESK, handlers=handlers, kept_session=kept)
