"""Two ends of a conversation over a real broker: a client of either version, and what it heard."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from paddock.fixtures.conditions import wait_until

if TYPE_CHECKING:
    from paddock.specs import ServiceFacts

V3, V5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5


class Ear:
    """Remembers what a callback got."""

    def __init__(self) -> None:
        self.messages: list[mqtt.MQTTMessage] = []
        self.clients: list[object] = []

    def __call__(self, client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        """Take a message as paho's callbacks do."""
        self.clients.append(client)
        self.messages.append(message)

    @property
    def heard(self) -> list[tuple[str, bytes]]:
        """Topic and payload of each."""
        return [(message.topic, bytes(message.payload)) for message in self.messages]

    def await_messages(self, count: int) -> list[tuple[str, bytes]]:
        """Wait for so many."""
        wait_until(lambda: len(self.messages) >= count, 10, f"{count} messages; {self.heard}")
        return self.heard


def make(protocol: MQTTProtocolVersion = V3, client_id: str = "", *, kept: bool = False) -> mqtt.Client:
    """Return a client as users make it, not connected."""
    clean = None if protocol == V5 else not kept
    return mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol, clean_session=clean)


def connect(client: Any, facts: ServiceFacts, **more: Any) -> Any:
    """Connect it and let it run until the broker has answered."""
    client.connect(facts.host, facts.port, **more)
    client.loop_start()
    wait_until(client.is_connected, 10)
    return client


def leave(*clients: Any) -> None:
    """Disconnect them."""
    for client in clients:
        client.disconnect()
        client.loop_stop()
        getattr(client, "_client", client)._reset_sockets()  # paho leaves its socket pair to the garbage collector


def subscribe(client: Any, *arguments: Any, **named: Any) -> None:
    """Subscribe, and return when the broker has agreed."""
    agreed = threading.Event()
    client.on_subscribe = lambda *_: agreed.set()
    client.subscribe(*arguments, **named)
    assert agreed.wait(10)


def say(client: Any, topic: str, payload: str = "x", **named: Any) -> None:
    """Publish, and return when the broker has it."""
    client.publish(topic, payload, **{"qos": 1, **named}).wait_for_publish(10)
