"""R2: connections that stay while what tests did with them goes; over a real broker, which may restart."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from paddock.deadlines import Deadline
from paddock.errors import LeaseError, UsageError
from paddock.fixtures.conditions import wait_until
from paddock.fixtures.mqtt import MQTTPool, TopicNamespace, space
from paddock.fixtures.mqtt.clients import LASTING, PooledClient
from tests.contract.brokers.conversation import V3, V5, Ear, connect, leave, make, say, subscribe
from tests.plugins.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORKER = "gw0"


@pytest.fixture(params=["own", "shared"])
def pool(request: pytest.FixtureRequest, mosquitto: Mosquitto) -> Iterator[MQTTPool]:
    """A pool on a broker of its own, and one in a namespace of a shared broker: the same laws hold."""
    namespace = TopicNamespace(WORKER) if request.param == "shared" else None
    found = MQTTPool(mosquitto.facts, namespace, seconds=5)
    found.settled()
    yield found
    found.close()


def own_id(pool: MQTTPool, name: str) -> str:
    """Return an id as clients of this worker have it: on a shared broker it begins with the worker's."""
    return f"{WORKER}-{name}" if pool.namespace else name


def test_a_connection_is_used_again_as_new(pool: MQTTPool) -> None:
    """State reset while connections stay: subscriptions, callbacks per topic and all others, user data."""
    first: Any = pool.acquire()
    ear, other = Ear(), Ear()
    first.on_message, first.on_publish, first.on_disconnect = ear, print, print
    first.message_callback_add("a", other)
    first.user_data_set("mine")
    subscribe(first, [("a", 1), ("b", 2), ("$share/g/c", 0)])
    pool.release(first)
    pool.settled()
    second: Any = pool.acquire()
    raw = second._client if pool.namespace else second
    assert pool.counts.opened == 1
    assert [
        name for name in dir(type(raw)) if name.startswith("on_") and name != "on_connect" and getattr(raw, name)
    ] == []
    assert second.user_data_get() is None
    fresh = Ear()
    second.on_message = fresh
    for topic in ("a", "b", "c"):
        say(second, topic)
    subscribe(second, "mark", 1)
    say(second, "mark")
    assert fresh.await_messages(1) == [("mark", b"x")]
    assert ear.heard == other.heard == []


def test_messages_under_way_do_not_reach_the_next_user(pool: MQTTPool) -> None:
    """Hundreds that the broker has queued for a connection are gone before somebody else gets it."""
    slow: Any = pool.acquire()
    gate, ear = threading.Event(), Ear()
    slow.on_message = lambda *_: gate.wait(10)
    subscribe(slow, "flood", 1)
    speaker = pool.acquire()
    for _ in range(300):
        last = speaker.publish("flood", "x", qos=1)
    last.wait_for_publish(20)
    pool.release(slow)
    slow.on_message = ear  # as code under test does whose test has ended; it is too late
    slow.on_message = None
    gate.set()
    pool.settled()
    again: Any = pool.acquire()
    assert pool.counts.opened == 2
    again.on_message = ear
    subscribe(again, "mark", 1)
    say(speaker, "mark")
    assert ear.await_messages(1) == [("mark", b"x")]


def test_under_a_name_all_share_one_connection_until_the_last_gives_it_back(pool: MQTTPool) -> None:
    """Reference counted: it is made as new when nobody holds it any more, and not before."""
    one, other = pool.acquire("events"), pool.acquire("events")
    assert one is other
    assert pool.acquire("others") is not one
    subscribe(one, "a", 1)
    pool.release(one)
    pool.settled()
    ear = Ear()
    other.on_message = ear
    say(other, "a")
    assert ear.await_messages(1) == [("a", b"x")]
    pool.release(other)
    pool.settled()
    assert (pool.counts.held, pool.counts.idle) == (1, 1)
    with pytest.raises(UsageError, match="is not held"):
        pool.release(other)


def test_many_threads_use_the_pool_at_once(pool: MQTTPool) -> None:
    """Thread safe: no connection has two users, and none is lost."""
    users: list[object] = []
    clashes: list[object] = []

    def use(_: int) -> None:
        with pool.connection() as client:
            if any(client is one for one in users):
                clashes.append(client)
            users.append(client)
            say(client, "a")
            users.remove(client)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(100)))
    pool.settled()
    assert clashes == []
    assert pool.counts.held == 0
    assert pool.counts.idle == pool.counts.opened <= 24


def test_versions_are_kept_apart(pool: MQTTPool) -> None:
    """Who asks for MQTT 5 gets it."""
    with pool.connection() as old:
        assert old.protocol == V3
    pool.settled()
    with pool.connection(protocol=V5) as new:
        assert new.protocol == V5


@pytest.mark.parametrize(
    "spoil",
    [
        lambda client: client.disconnect(),
        lambda client: client.loop_stop(),
        lambda client: client.will_set("a"),
        lambda client: client.username_pw_set("somebody"),
    ],
    ids=["disconnected", "stopped", "will", "account"],
)
def test_what_cannot_be_undone_ends_the_connection(pool: MQTTPool, spoil: Callable[[Any], object]) -> None:
    """The next user gets a new one, which works."""
    with pool.connection() as client:
        spoil(client)
    pool.settled()
    assert pool.counts.idle == 0
    with pool.connection() as client:
        say(client, "a")


def test_every_call_that_lasts_is_one_of_pahos() -> None:
    """A release of paho's that renames one would be missed otherwise."""
    assert [name for name in LASTING if not hasattr(PooledClient, name)] == []


def test_a_restarted_broker_is_healed(pool: MQTTPool, mosquitto: Mosquitto) -> None:
    """Who holds a connection is subscribed again, who asks for one gets one that works, and cleaning goes on."""
    held, waiting, ear = pool.acquire("held"), pool.acquire(), Ear()
    held.on_message = ear
    subscribe(held, [("a", 1), ("b", 1)])
    held.unsubscribe("b")
    pool.release(waiting)
    pool.settled()
    mosquitto.stop()
    wait_until(lambda: not held.is_connected(), 10)
    mosquitto.start()
    speaker = pool.acquire()
    assert speaker is not waiting
    wait_until(held.is_connected, 10)

    def heard_again() -> bool:
        say(speaker, "b")
        say(speaker, "a")
        return bool(ear.heard)

    wait_until(heard_again, 10)
    assert {topic for topic, _ in ear.heard} == {"a"}
    say(speaker, "kept", retain=True)
    pool.clean()
    pool.settled()
    subscribe(held, "kept", 1)
    say(speaker, "a", "mark")
    wait_until(lambda: ("a", b"mark") in ear.heard, 10)
    assert "kept" not in {topic for topic, _ in ear.heard}


def test_a_broker_that_is_gone_is_told_in_a_sentence(pool: MQTTPool, mosquitto: Mosquitto) -> None:
    """Where it was, and what to do."""
    pool.settled()
    mosquitto.stop()
    with pytest.raises(LeaseError, match=rf"broker at 127.0.0.1:{mosquitto.facts.port} gave no connection: .*refused"):
        pool.acquire()
    pool.clean()
    with pytest.raises(LeaseError, match="could not be cleaned after a test"):
        pool.settled()


@pytest.mark.parametrize("how", ["raw", "version 5"])
def test_what_others_retained_is_cleared(pool: MQTTPool, mosquitto: Mosquitto, how: str) -> None:
    """Also by clients of the code under test that are gone by then, and under a dollar sign in a namespace."""
    other = connect(make(V5 if how == "version 5" else V3), mosquitto.facts)
    mine = pool.namespace.topic if pool.namespace else str
    topics = [mine(f"left/{number}") for number in range(200)] + ([mine("$own/left")] if pool.namespace else [])
    for topic in topics:
        say(other, topic, retain=True)
    say(other, "test/gw1/theirs", retain=True)
    leave(other)
    pool.clean()
    pool.settled()
    reader, ear = connect(make(V3), mosquitto.facts), Ear()
    reader.on_message = ear
    subscribe(reader, [("#", 1), ("$test/#", 1)])
    say(reader, "mark")
    wait_until(lambda: ("mark", b"x") in ear.heard, 10)
    assert ear.heard == ([("test/gw1/theirs", b"x")] if pool.namespace else []) + [("mark", b"x")]
    leave(reader)


def test_a_retained_message_on_its_way_is_cleared_too(
    pool: MQTTPool, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code under test that publishes many at once, without receipts, and disconnects: all are waited for.

    The broker, held still meanwhile, has all of it before it when the cleaning begins; it works on one packet of each
    client in turn.
    """
    monkeypatch.setattr(space, "LEAVING_SECONDS", 30.0)  # on a busy machine it may need longer than usual
    monkeypatch.setattr(space, "_ROUNDS", 2)  # or looking again and again would find what was not waited for
    pool.settled()
    mine = pool.namespace.topic if pool.namespace else str
    other = make(client_id=own_id(pool, "hurried"))
    other.connect(mosquitto.facts.host, mosquitto.facts.port)
    while not other.is_connected():
        other.loop(0.1)
    os.kill(mosquitto.process_id, signal.SIGSTOP)
    for number in range(2000):
        other.publish(mine(f"left/{number}"), "x", retain=True)
    other.disconnect()
    os.kill(mosquitto.process_id, signal.SIGCONT)
    pool.clean()
    pool.settled()
    reader, ear = connect(make(), mosquitto.facts), Ear()
    reader.on_message = ear
    subscribe(reader, "#", 1)
    say(reader, "mark")
    wait_until(lambda: ("mark", b"x") in ear.heard, 10)
    assert ear.heard == [("mark", b"x")]
    leave(reader)


@pytest.mark.parametrize("protocol", [V3, V5], ids=["3.1.1", "5"])
def test_a_session_that_the_code_under_test_left_is_dropped(
    pool: MQTTPool, mosquitto: Mosquitto, protocol: Any
) -> None:
    """With its subscriptions and what is queued for it: who comes by that name finds nothing."""
    name = own_id(pool, "collector")
    leaving = PooledClient(name, protocol, kept=True)
    leaving.open(mosquitto.facts, _soon())
    subscribe(leaving, "a", 1)
    leave(leaving)
    with pool.connection() as speaker:
        speaker.publish("a", "queued", qos=1)
    pool.clean()
    pool.settled()
    present: list[bool] = []
    back = PooledClient(name, protocol, kept=True)
    back.on_connect = lambda _client, _data, flags, *_: present.append(flags.session_present)
    back.open(mosquitto.facts, _soon())
    back.close()
    assert present == [False]


def test_a_client_that_stays_connected_is_left_alone(pool: MQTTPool, mosquitto: Mosquitto) -> None:
    """A service that lives longer than a test keeps its session and is waited for once only."""
    service, ear = connect(make(client_id=own_id(pool, "service"), kept=True), mosquitto.facts), Ear()
    service.on_message = ear
    mine = pool.namespace.topic if pool.namespace else str
    subscribe(service, mine("a"), 1)
    for _ in range(2):
        pool.clean()
        pool.settled()
    say(service, mine("a"))
    assert ear.await_messages(1) == [(mine("a"), b"x")]
    assert pool._space.sessions.leaving() == set()
    leave(service)


def test_what_a_test_did_not_give_back_is_taken_from_it(mosquitto: Mosquitto) -> None:
    """What a wider fixture holds stays with it; at the end everything is closed, held or not."""
    in_test = False
    pool = MQTTPool(mosquitto.facts, in_test=lambda: in_test)
    wide = pool.acquire("wide")
    in_test = True
    forgotten = pool.acquire("forgotten")
    pool.clean()
    pool.settled()
    assert (pool.counts.held, pool.counts.idle) == (1, 1)
    assert wide.is_connected()
    with pytest.raises(UsageError, match="is not held"):
        pool.release(forgotten)
    pool.close()
    assert not wide.is_connected()
    with pytest.raises(UsageError, match="closed"):
        pool.acquire()


def test_an_account_without_rights_to_other_topics_is_enough(tmp_path: Path) -> None:
    """A broker that lets in by a list: connections are opened anew there, and the rest is cleaned all the same."""
    (tmp_path / "list").write_text("topic readwrite app/#\n")
    strict = Mosquitto(tmp_path, f"user root\nacl_file {tmp_path / 'list'}\n").start()
    pool = MQTTPool(strict.facts, seconds=10)
    try:
        for _ in range(3):
            with pool.connection() as client:
                ear = Ear()
                client.on_message = ear
                subscribe(client, "app/#", 1)
                say(client, "app/mark")
                assert ear.await_messages(1) == [("app/mark", b"x")]
                say(client, "app/kept", retain=True)
            pool.clean()
            pool.settled()
        assert pool.counts.opened == 3
    finally:
        pool.close()
        strict.stop()


def test_a_callback_that_never_returns_holds_up_nobody(mosquitto: Mosquitto) -> None:
    """Its connection is given up; the next user gets another."""
    pool, forever = MQTTPool(mosquitto.facts), threading.Event()
    try:
        stuck: Any = pool.acquire()
        stuck.on_message = lambda *_: forever.wait()
        subscribe(stuck, "a", 1)
        stuck.publish("a", "x", qos=1)
        pool.release(stuck)
        pool.settled()
        with pool.connection() as client:
            say(client, "a")
    finally:
        forever.set()
        pool.close()


def _soon() -> Deadline:
    return Deadline(10)
