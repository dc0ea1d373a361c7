"""R0: a client in a namespace on a shared broker never shows the prefix, whatever its user does with paho."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from paddock.errors import UsageError
from paddock.fixtures.conditions import wait_until
from paddock.fixtures.mqtt import NamespacedMQTTClient, TopicNamespace, create_namespaced_client
from tests.contract.brokers.conversation import V3, V5, Ear, connect, leave, make, say, subscribe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paho.mqtt.enums import MQTTProtocolVersion

    from tests.plugins.mosquitto import Mosquitto

    Start = Callable[..., Any]


@pytest.fixture(params=[V3, V5], ids=["3.1.1", "5"])
def protocol(request: pytest.FixtureRequest) -> MQTTProtocolVersion:
    """Both versions."""
    return request.param  # type: ignore[no-any-return] # a parameter


@pytest.fixture
def start(mosquitto: Mosquitto, protocol: MQTTProtocolVersion) -> Iterator[Start]:
    """Start connected clients: of a worker, or raw where no worker is given."""
    started: list[Any] = []

    def begin(worker: str = "", **named: Any) -> Any:
        client: Any = make(protocol, **named)
        started.append(connect(create_namespaced_client(client, worker) if worker else client, mosquitto.facts))
        return started[-1]

    yield begin
    leave(*started)
    started.clear()  # paho closes the last of its sockets when a client is collected


def test_two_workers_say_the_same_and_hear_only_their_own(start: Start) -> None:
    """The broker holds both under their prefixes; each worker sees its own, without."""
    ears = {"gw0": Ear(), "gw1": Ear(), "": Ear()}
    clients = {worker: start(worker) for worker in ears}
    for worker, ear in ears.items():
        clients[worker].on_message = ear
        subscribe(clients[worker], "#", 1)
    for worker in ("gw0", "gw1"):
        say(clients[worker], "camera/1/health", worker)
    assert sorted(ears[""].await_messages(2)) == [
        ("test/gw0/camera/1/health", b"gw0"),
        ("test/gw1/camera/1/health", b"gw1"),
    ]
    assert ears["gw0"].await_messages(1) == [("camera/1/health", b"gw0")]
    assert ears["gw1"].await_messages(1) == [("camera/1/health", b"gw1")]


FORMS: dict[str, Callable[[MQTTProtocolVersion], tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "filter": lambda _: (("a/+",), {}),
    "filter and qos": lambda _: (("a/+", 1), {}),
    "named": lambda _: ((), {"topic": "a/+", "qos": 1}),
    "pair": lambda version: ((("a/+", SubscribeOptions(qos=1) if version == V5 else 1),), {}),
    "list": lambda _: (([("other", 0), ("a/+", 1)],), {}),
    "options": lambda version: (("a/+",), {"options": SubscribeOptions(qos=1)} if version == V5 else {"qos": 1}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_subscribing_is_translated(start: Start, protocol: MQTTProtocolVersion, form: str) -> None:
    """All that paho's argument may be."""
    client, ear = start("gw0"), Ear()
    client.on_message = ear
    positional, named = FORMS[form](protocol)
    subscribe(client, *positional, **named)
    say(client, "a/b")
    assert ear.await_messages(1) == [("a/b", b"x")]


@pytest.mark.parametrize("topics", ["a", ["a", "b"]], ids=["one", "several"])
def test_unsubscribing_is_translated(start: Start, topics: str | list[str]) -> None:
    """What was unsubscribed from brings nothing more; what was not goes on."""
    client, ear = start("gw0"), Ear()
    client.on_message = ear
    subscribe(client, [("a", 1), ("b", 1), ("c", 1)])
    client.unsubscribe(topics)
    for topic in ("a", "c"):
        say(client, topic)
    assert ear.await_messages(1) == [("c", b"x")]


def test_callbacks_per_topic_are_translated_and_can_be_removed(start: Start) -> None:
    """message_callback_add, topic_callback and message_callback_remove speak without the prefix."""
    client, one, other, rest = start("gw0"), Ear(), Ear(), Ear()
    client.on_message = rest
    client.message_callback_add("a/+", one)
    client.topic_callback("b/#")(other)
    subscribe(client, "#", 1)
    for topic in ("a/1", "b/1", "c"):
        say(client, topic)
    rest.await_messages(1)
    assert (one.heard, other.heard, rest.heard) == ([("a/1", b"x")], [("b/1", b"x")], [("c", b"x")])
    client.message_callback_remove("a/+")
    say(client, "a/2")
    assert rest.await_messages(2)[1] == ("a/2", b"x")


def test_what_is_retained_is_seen_without_the_prefix(start: Start) -> None:
    """By who comes later, in the same namespace only."""
    say(start("gw0"), "status/camera", "on", retain=True)
    late, foreign, mark = start("gw0"), start("gw1"), Ear()
    late.on_message, ear = Ear(), Ear()
    foreign.on_message = mark
    late.on_message = ear
    subscribe(foreign, "#", 1)
    subscribe(late, "status/+")
    assert ear.await_messages(1) == [("status/camera", b"on")]
    assert ear.messages[0].retain
    say(foreign, "mark")
    assert mark.await_messages(1) == [("mark", b"x")]


def test_a_will_stays_in_the_namespace(mosquitto: Mosquitto, protocol: MQTTProtocolVersion, start: Start) -> None:
    """It is published by the broker, in the topic's full length, and seen without the prefix."""
    watching, foreign, ear, mark = start("gw0"), start("gw1"), Ear(), Ear()
    watching.on_message, foreign.on_message = ear, mark
    for client in (watching, foreign):
        subscribe(client, "#", 1)
    dying: Any = create_namespaced_client(make(protocol), "gw0")
    dying.will_set("status/camera", "gone", qos=1)
    assert dying.will_topic == "status/camera"
    dying.connect(mosquitto.facts.host, mosquitto.facts.port)
    while not dying.is_connected():
        dying.loop(0.1)
    dying.socket().close()
    assert ear.await_messages(1) == [("status/camera", b"gone")]
    say(foreign, "mark")
    assert mark.await_messages(1) == [("mark", b"x")]


def test_a_shared_subscription_shares_within_the_worker_only(start: Start) -> None:
    """Two members of one group get each message once between them; a group of that name elsewhere gets none."""
    members, foreign, ears, mark = [start("gw0"), start("gw0")], start("gw1"), [Ear(), Ear()], Ear()
    for client, ear in zip([*members, foreign], [*ears, mark], strict=True):
        client.on_message = ear
        subscribe(client, "$share/group/jobs/#", 1)
    for number in range(10):
        say(members[0], f"jobs/{number}")
    wait_until(lambda: sum(len(ear.heard) for ear in ears) >= 10, 10)
    assert sorted(topic for ear in ears for topic, _ in ear.heard) == [f"jobs/{number}" for number in range(10)]
    say(foreign, "jobs/mark")
    assert mark.await_messages(1) == [("jobs/mark", b"x")]


def test_the_brokers_own_topics_stay_as_they_are(start: Start) -> None:
    """$SYS is everybody's."""
    client, ear = start("gw0"), Ear()
    client.on_message = ear
    subscribe(client, "$SYS/broker/version")
    [(topic, payload)] = ear.await_messages(1)
    assert topic == "$SYS/broker/version"
    assert b"mosquitto" in payload


def test_other_topics_with_a_dollar_are_the_workers_own(start: Start) -> None:
    """They are not matched by #, as the standard wants, and another worker does not hear them."""
    one, other, ear, everything, foreign = start("gw0"), start("gw1"), Ear(), Ear(), Ear()
    one.message_callback_add("$aws/#", ear)
    one.on_message, other.on_message = everything, foreign
    subscribe(one, [("$aws/#", 1), ("#", 1)])
    subscribe(other, [("$aws/#", 1), ("#", 1)])
    say(one, "$aws/things/lamp")
    for client in (one, other):
        say(client, "mark")
    assert ear.await_messages(1) == [("$aws/things/lamp", b"x")]
    assert everything.await_messages(1) == foreign.await_messages(1) == [("mark", b"x")]


def test_callbacks_get_the_namespaced_client(start: Start, mosquitto: Mosquitto, protocol: MQTTProtocolVersion) -> None:
    """What is subscribed to in on_connect, as paho's own examples do, is in the namespace too."""
    ear = Ear()
    raw = make(protocol)
    raw.on_message = ear  # set before it was given a namespace
    client: Any = create_namespaced_client(raw, "gw0")

    @client.connect_callback()  # type: ignore[untyped-decorator] # paho's, on whatever a client is
    def connected(given: Any, *_: Any) -> None:
        given.subscribe("late/#", 1)

    agreed: list[object] = []
    client.on_subscribe = lambda given, *_: agreed.append(given)
    connect(client, mosquitto.facts)
    try:
        wait_until(lambda: agreed, 10)
        assert agreed == [client]
        assert client.on_connect is connected
        say(start("gw0"), "late/1")
        assert ear.await_messages(1) == [("late/1", b"x")]
        assert ear.clients == [client]
    finally:
        leave(client)


def test_a_foreign_message_is_not_shown(start: Start, mosquitto: Mosquitto, protocol: MQTTProtocolVersion) -> None:
    """A client that subscribed before it was given a namespace still gets what is its own only."""
    raw, ear = connect(make(protocol), mosquitto.facts), Ear()
    subscribe(raw, "#", 1)
    client: Any = create_namespaced_client(raw, "gw0")
    client.on_message = ear
    for worker in ("", "gw1", "gw0"):
        say(start(worker), "a", worker)
    assert ear.await_messages(1) == [("a", b"gw0")]
    leave(client)


def test_a_response_topic_is_answered_within_the_namespace(mosquitto: Mosquitto) -> None:
    """MQTT 5: who asks names a topic without the prefix, and so does who is asked see it; nobody's object changes."""
    asking, answering = (connect(create_namespaced_client(make(V5), "gw0"), mosquitto.facts) for _ in range(2))
    answers, raw_ear, raw = Ear(), Ear(), connect(make(V5), mosquitto.facts)
    asking.on_message, raw.on_message = answers, raw_ear
    answering.on_message = lambda client, _data, message: client.publish(message.properties.ResponseTopic, "yes", 1)
    subscribe(asking, "answers/1", 1)
    subscribe(answering, "questions", 1)
    subscribe(raw, "test/gw0/questions", 1)
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's own
    properties.ResponseTopic = "answers/1"
    before = copy.copy(properties)
    say(asking, "questions", properties=properties)
    assert answers.await_messages(1) == [("answers/1", b"yes")]
    raw_ear.await_messages(1)
    seen: Any = raw_ear.messages[0].properties
    assert seen.ResponseTopic == "test/gw0/answers/1"
    assert str(properties) == str(before)
    leave(asking, answering, raw)


def test_a_topic_alias_stands_for_the_topic_with_its_prefix(mosquitto: Mosquitto) -> None:
    """MQTT 5: the second message has an empty topic, and arrives where the first did."""
    client, ear = connect(create_namespaced_client(make(V5), "gw0"), mosquitto.facts), Ear()
    client.on_message = ear
    subscribe(client, "#", 1)
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's own
    properties.TopicAlias = 1
    say(client, "a", "1", properties=properties)
    say(client, "", "2", properties=properties)
    assert ear.await_messages(2) == [("a", b"1"), ("a", b"2")]
    leave(client)


def test_paho_refuses_what_it_refused_without_a_namespace(start: Start) -> None:
    """Mistakes are told in paho's own words, and none becomes valid by the prefix."""
    client = start("gw0")
    calls: list[Callable[[], object]] = [
        lambda: client.publish("a/#"),
        lambda: client.subscribe("a#"),
        lambda: client.subscribe("$+/a"),
        lambda: client.subscribe([]),
        lambda: client.unsubscribe(None),
        lambda: client.message_callback_add(None, Ear()),
        lambda: client.message_callback_add("a", None),
        lambda: client.will_set(""),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"."):
            call()


def test_it_stands_for_a_client_of_pahos() -> None:
    """Code under test may ask for paho's class, and set what paho has."""
    raw = make()
    client: Any = create_namespaced_client(raw, "gw0")
    assert isinstance(client, mqtt.Client)
    assert isinstance(client, NamespacedMQTTClient)
    client.suppress_exceptions = True
    assert raw.suppress_exceptions
    client.on_message = None
    assert client.on_message is None
    assert "test/gw0" in repr(client)


def test_a_client_is_given_one_namespace_once() -> None:
    """Where a fixture's client is in the namespace already, asking for it again changes nothing."""
    client: Any = create_namespaced_client(make(), "gw0")
    assert create_namespaced_client(client, "gw0") is client
    assert create_namespaced_client(client, TopicNamespace("gw1")) is not client


def test_a_will_from_before_the_namespace_is_refused() -> None:
    """It would be published where every worker hears it."""
    raw = make()
    raw.will_set("status", "gone")
    with pytest.raises(UsageError, match="call will_set on the namespaced client"):
        create_namespaced_client(raw, "gw0")


def test_the_log_shows_no_prefix(start: Start) -> None:
    """Paho's own lines name topics as well."""
    client = start("gw0")
    lines: list[str] = []
    client.on_log = lambda _client, _data, _level, text: lines.append(text)
    say(client, "camera/health")
    wait_until(lambda: any("camera/health" in line for line in lines), 10)
    assert not [line for line in lines if "test/gw0" in line]
