"""The service over MQTT: a picture on a request's topic is answered on the verdict's."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edge_inference.messages import REQUESTS, BrokerSettings, verdict_topic
from edge_inference.model import Verdict
from edge_inference.pictures import PictureError

_PATIENCE = 15.0
_AT_LEAST_ONCE = 1


class MqttSide:
    """Serves at one broker, from its subscription on."""

    def __init__(self, broker: BrokerSettings, infer: Callable[[bytes], Verdict]) -> None:
        self._infer = infer
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(broker.username or None, broker.password or None)
        self._client.on_connect = lambda client, *_: client.subscribe(REQUESTS, _AT_LEAST_ONCE)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._requested
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        if not self._subscribed.wait(_PATIENCE):
            self.close()
            raise ConnectionError(f"the broker at {broker.host}:{broker.port} did not answer within {_PATIENCE:g} s")

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _requested(self, client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            answer: dict[str, object] = asdict(self._infer(bytes(message.payload)))
        except PictureError as error:
            answer = {"error": str(error)}
        client.publish(verdict_topic(message.topic), json.dumps(answer), _AT_LEAST_ONCE)
