"""Stands in for an API server: answers each request with the next of its scripted answers, and keeps what was asked."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from paddock.cluster import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from paddock.cluster.client import Cluster

PATIENCE = 10.0


@dataclass(frozen=True)
class Answer:
    """One answer; ``events`` make it a watch, whose end comes by ``end``: ``close``, ``cut`` or ``silence``."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[Any] | None = None
    end: str = "close"


def as_bytes(content: Any) -> bytes:
    """Return content as JSON, or as it is where a test has written it out."""
    return content if isinstance(content, bytes) else json.dumps(content).encode()


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    query: Mapping[str, str]
    token: str


class ScriptedServer(ThreadingHTTPServer):
    """The last answer is given for ever; ``before`` may choose another by the request, or return ``None``."""

    daemon_threads = True

    def __init__(self, *answers: Answer, before: Callable[[Asked], Answer | None] = lambda _: None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.before = list(answers), before
        self.asked: list[Asked] = []
        self.let_go = threading.Event()
        self._changed = threading.Condition()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def next_answer(self, asked: Asked) -> Answer:
        """Note a request and return its answer."""
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
            return self.before(asked) or (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def await_requests(self, count: int) -> list[Asked]:
        """Wait until so many requests have come, and return them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked) >= count, PATIENCE), self.asked
            return list(self.asked)


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = Asked(parts.path, dict(parse_qsl(parts.query)), self.headers.get("Authorization", ""))
        answer = self.server.next_answer(asked)
        body = as_bytes(answer.body or {})
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.events is None:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            self._stream(answer)

    def _stream(self, answer: Answer) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in answer.events or ():
            line = as_bytes(event) + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        if answer.end == "silence":
            self.server.let_go.wait(PATIENCE)
        if answer.end == "close":
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Stay quiet."""


@contextmanager
def serving(server: ScriptedServer) -> Iterator[ScriptedServer]:
    """Serve until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()


def client(url: str, folder: Path, user: Mapping[str, Any] | None = None) -> Cluster:
    """Return a client as a kubeconfig of one ``user`` gives it."""
    path = folder / "kubeconfig"
    content = {
        "contexts": [{"name": "far", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": dict(user or {"token": "t"})}],
        "current-context": "far",
    }
    path.write_text(yaml.safe_dump(content))
    return connect.connect(connect.Choice("far", path))
