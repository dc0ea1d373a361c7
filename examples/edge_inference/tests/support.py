"""What the tests share: a client of the service over HTTP, and one over MQTT."""

import json
import queue
import threading
import urllib.error
import urllib.request
from typing import Any

from edge_inference.messages import request_topic, verdict_topic
from edge_inference.pictures import Picture
from paho.mqtt.client import Client, MQTTMessage

_PATIENCE = 15.0


def ask(url: str, content: bytes | None = None) -> tuple[int, dict[str, Any]]:
    """Get an address, or post content to it; give status and answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, content), timeout=_PATIENCE) as answer:  # noqa: S310 - our own service
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class Camera:
    """Sends pictures over MQTT and waits for their verdicts."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._verdicts: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        subscribed = threading.Event()
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = self._answered
        client.subscribe(verdict_topic(request_topic("+")), 1)
        assert subscribed.wait(_PATIENCE)

    def send(self, name: str, content: bytes | Picture) -> None:
        """Send a request."""
        self._client.publish(request_topic(name), content.encode() if isinstance(content, Picture) else content, 1)

    def verdicts(self, count: int) -> dict[str, dict[str, Any]]:
        """Wait for so many verdicts: name of the request -> verdict."""
        return dict(self._verdicts.get(timeout=_PATIENCE) for _ in range(count))

    def _answered(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._verdicts.put((message.topic.rpartition("/")[2], json.loads(message.payload)))
