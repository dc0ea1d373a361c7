"""The service over HTTP: is it ready, which device has it, what does a picture show, and which broker to serve at."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self

from edge_inference.accelerator import DeviceError, SimulatedAccelerator
from edge_inference.messages import BrokerSettings
from edge_inference.model import Verdict
from edge_inference.mqtt import MqttSide
from edge_inference.pictures import Picture, PictureError

_LONGEST = 1 << 16


class Inference:
    """What both sides of the service ask: one picture at a time, as there is one device."""

    def __init__(self, accelerator: SimulatedAccelerator) -> None:
        self.accelerator = accelerator
        self._lock = threading.Lock()

    def of(self, content: bytes) -> Verdict:
        """Say what a picture shows, that was sent as JSON."""
        picture = Picture.decode(content)
        with self._lock:
            return self.accelerator.infer(picture)

    def facts(self) -> dict[str, object]:
        """Name the device, and say what it is."""
        return {"device": self.accelerator.path, "simulated": True, "inferences": self.accelerator.inferences}


class Server(ThreadingHTTPServer):
    """Answers over HTTP until it is closed, and over MQTT once it was told of a broker."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], inference: Inference) -> None:
        self.inference = inference
        self._mqtt: MqttSide | None = None
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking for the machine's name, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def join(self, settings: BrokerSettings) -> None:
        """Serve at a broker, and no more at the one before."""
        if self._mqtt:
            self._mqtt.close()
        self._mqtt = MqttSide(settings, self.inference.of)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mqtt:
            self._mqtt.close()
        self.inference.accelerator.close()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer what needs no picture."""
        answers: Mapping[str, Callable[[], dict[str, object]]] = {
            "/ready": lambda: {"ready": True},
            "/device": self.server.inference.facts,
        }
        self._answer(answers.get(self.path))

    def do_POST(self) -> None:
        """Answer what a picture shows, or join a broker."""
        content = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _LONGEST))
        answers: Mapping[str, Callable[[], dict[str, object]]] = {
            "/infer": lambda: asdict(self.server.inference.of(content)),
            "/broker": lambda: self._join(json.loads(content)),
        }
        self._answer(answers.get(self.path))

    def _join(self, settings: dict[str, Any]) -> dict[str, object]:
        self.server.join(BrokerSettings(**settings))
        return {"joined": True}

    def _answer(self, answer: Callable[[], dict[str, object]] | None) -> None:
        if answer is None:
            self._send(404, {"error": f"there is nothing at {self.path}"})
            return
        try:
            self._send(200, answer())
        except PictureError as error:
            self._send(400, {"error": str(error)})
        except (DeviceError, OSError, ValueError, TypeError) as error:
            self._send(503, {"error": str(error)})

    def _send(self, status: int, content: dict[str, object]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as the base class has it
        """Keep quiet: clients are told what went wrong."""
