"""One connection to the broker that subscribes again after a loss and says clearly when it cannot be had."""

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fire_watch.messages import MessageError
from fire_watch.settings import BrokerSettings

Handler = Callable[[str, bytes], None]
_LOG = logging.getLogger(__name__)
_PATIENCE = 15.0
_AT_LEAST_ONCE = 1


class LinkError(ConnectionError):
    """The broker is not there, or will not have us."""


@dataclass(frozen=True, kw_only=True)
class Will:
    """What the broker says, retained, in our name when we vanish."""

    topic: str
    payload: bytes


class Link:
    """A connection with its subscriptions fixed beforehand, so that a kept session loses nothing on return."""

    def __init__(
        self,
        broker: BrokerSettings,
        client_id: str = "",
        *,
        handlers: Mapping[str, Handler] | None = None,
        will: Will | None = None,
        on_return: Callable[[], None] | None = None,
        keepalive: int = 30,
        kept_session: bool = False,
    ) -> None:
        self._broker = broker
        self._patterns = [(pattern, _AT_LEAST_ONCE) for pattern in handlers or {}]
        self._on_return = on_return
        self._keepalive = keepalive
        self._ready = threading.Event()
        self._refusal: ReasonCode | None = None
        self._opened = False
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not kept_session)
        self._prepare(handlers or {}, will)

    def _prepare(self, handlers: Mapping[str, Handler], will: Will | None) -> None:
        client = self._client
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.reconnect_delay_set(min_delay=1, max_delay=4)
        client.username_pw_set(self._broker.username, self._broker.password)
        if will:
            client.will_set(will.topic, will.payload, qos=_AT_LEAST_ONCE, retain=True)
        for pattern, handler in handlers.items():
            client.message_callback_add(pattern, _receiving(handler))

    def open(self, timeout: float = _PATIENCE) -> Self:
        """Return when connected and subscribed; a refusal is raised, not retried."""
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=self._keepalive)
        except OSError as error:
            raise LinkError(f"no broker at {self._broker.host}:{self._broker.port}: {error}") from error
        self._client.loop_start()
        settled = self._ready.wait(timeout)
        if not settled or self._refusal:
            self.close()
            raise LinkError(f"the broker would not have us: {self._refusal or f'no answer within {timeout:g} s'}")
        self._opened = True
        return self

    def close(self) -> None:
        """Say goodbye: the broker keeps the will to itself."""
        self._client.disconnect()
        self._client.loop_stop()

    def cut(self) -> None:
        """Lose the connection without a goodbye, as a pulled cable does; for drills and tests."""
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            self._ready.clear()
            connection.shutdown(socket.SHUT_RDWR)

    @property
    def ready(self) -> bool:
        """Say whether the link is connected and subscribed at this moment."""
        return self._ready.is_set()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish and return when the broker has it; never from a handler, which would wait for itself."""
        receipt = self._client.publish(topic, payload, qos=_AT_LEAST_ONCE, retain=retain)
        try:
            receipt.wait_for_publish(_PATIENCE)
            arrived = receipt.is_published()
        except (RuntimeError, ValueError) as error:
            raise LinkError(f"could not publish to {topic}: {error}") from error
        if not arrived:
            raise LinkError(f"the broker did not confirm {topic} within {_PATIENCE:g} s")

    def post(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish without waiting: what a handler does."""
        self._client.publish(topic, payload, qos=_AT_LEAST_ONCE, retain=retain)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connected(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._settle(reason)
        elif self._patterns:
            client.subscribe(self._patterns)
        else:
            self._settle()

    def _subscribed(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self._settle(next((reason for reason in reasons if reason.is_failure), None))

    def _settle(self, refusal: ReasonCode | None = None) -> None:
        self._refusal = refusal
        self._ready.set()
        if self._opened and self._on_return and not refusal:
            self._on_return()

    def _disconnected(
        self, _client: Client, _data: object, _flags: DisconnectFlags, _reason: ReasonCode, _properties: object
    ) -> None:
        if self._opened:
            self._ready.clear()


def forget_session(broker: BrokerSettings, client_id: str) -> None:
    """Make the broker drop what it keeps for a client: subscriptions and queued messages."""
    Link(broker, client_id).open().close()


def _receiving(handler: Handler) -> Callable[[Client, Any, MQTTMessage], None]:
    """Shield the network thread: a malformed message is logged, and the next one is still received."""

    def receive(_client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            handler(message.topic, bytes(message.payload))
        except MessageError as error:
            _LOG.warning("dropped a message on %s: %s", message.topic, error)

    return receive
