"""Sends requests to one API server.

Owns how a request is sent and its answer read. It must not build manifests, choose clusters or know what a run is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paddock.cluster import requests
from paddock.cluster.answers import parsed
from paddock.cluster.clock import ServerClock
from paddock.cluster.credentials import Credentials
from paddock.cluster.retrying import DEFAULT_POLICY, RetryPolicy
from paddock.cluster.translation import refusal, unreachable
from paddock.deadlines import Deadline
from paddock.errors import Conflict, NotFound, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from paddock.cluster.credentials import Session
    from paddock.cluster.requests import Kind, Manifest, Request
    from paddock.cluster.streaming import ExecStream

_ANSWER_SECONDS = 15.0
"""Longest wait for one answer: the API server's own limit is 60 s, but it answers our small requests within 1 s."""

_REQUEST_SECONDS = 30.0
"""Default deadline over all tries of one request: a restarting API server needs about 3 s (measured)."""

_SUCCESS = range(200, 300)


class Cluster:
    """One API server with the credentials to talk to it; safe to use from several threads.

    ``load`` reads the official client's configuration, now and whenever the API server does not know us any more.
    ``proxy`` is the one that a kubeconfig names: it holds whatever the variables say, as kubectl has it.
    """

    def __init__(self, load: Callable[[], Any], context: str, proxy: str | None = None) -> None:
        self.context = context
        self.kubeconfig: Path | None = None
        """The file that the user named, if any."""
        self._clock = ServerClock()
        self._credentials = Credentials(load, proxy)
        self.server: str = self.configuration.host.rstrip("/")

    @property
    def configuration(self) -> Any:  # noqa: ANN401 - the official client is untyped here
        """The official client's configuration in use."""
        return self._credentials.session.configuration

    @property
    def proxy(self) -> Any:  # noqa: ANN401 - urllib3's parsed address, untyped here
        """The proxy on the way to the API server, out of the kubeconfig or HTTPS_PROXY and NO_PROXY; or ``None``."""
        return getattr(self._credentials.session.pool, "proxy", None)

    def __repr__(self) -> str:
        """Name server and context; credentials never show."""
        return f"Cluster(context={self.context!r}, server={self.server!r})"

    def headers(self) -> dict[str, str]:
        """Return the headers that every request carries; tokens are read anew, because they expire."""
        return self._credentials.session.headers()

    def send(
        self,
        request: Request,
        *,
        deadline: Deadline | None = None,
        policy: RetryPolicy = DEFAULT_POLICY,
    ) -> Manifest:
        """Return the parsed answer.

        Raises:
            ClusterError: the subclass says whether it was refused, missing, in conflict or unreachable.
        """
        limit = deadline or Deadline(_REQUEST_SECONDS)
        return policy.run(lambda: self._attempt(request, limit), limit)

    def create(self, manifest: Manifest, *, deadline: Deadline, policy: RetryPolicy = DEFAULT_POLICY) -> None:
        """Create one object; one that a lost answer left behind counts as created."""
        tries: list[None] = []
        request = requests.create(manifest)

        def attempt() -> Manifest:
            tries.append(None)
            try:
                return self._attempt(request, deadline)
            except Conflict:
                if len(tries) == 1:
                    raise
                return {}

        policy.run(attempt, deadline)

    def delete(self, request: Request, *, deadline: Deadline | None = None) -> bool:
        """Send a deletion; return whether there was anything to delete."""
        try:
            self.send(request, deadline=deadline)
        except NotFound:
            return False
        return True

    def list_objects(
        self,
        kind: Kind,
        *,
        selector: str = "",
        namespace: str | None = None,
        deadline: Deadline | None = None,
        policy: RetryPolicy = DEFAULT_POLICY,
    ) -> list[Manifest]:
        """Return all objects of a kind that the selector matches."""
        request = requests.list_objects(kind, selector=selector, namespace=namespace)
        return list(self.send(request, deadline=deadline, policy=policy).get("items", []))

    def time(self) -> datetime:
        """Return the API server's time; it is asked unless it has just answered something.

        Raises:
            ClusterError: it does not answer, or without the time.
        """
        now = self._clock.now()
        if now is None:
            self.send(requests.VERSION)
            now = self._clock.now()
        if now is None:
            raise Rejected(f"{self.server} does not tell the time in its answers: expected a Date header in each.")
        return now

    def open(self, request: Request, *, silence: float) -> Any:  # noqa: ANN401 - urllib3's response, untyped here
        """Return the unread response of a streaming request; ``silence`` is the longest gap in seconds."""
        return self._credentials.run(lambda session: self._open(session, request, silence))

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> ExecStream:
        """Start ``command`` in a container and return its duplex byte stream."""
        from paddock.cluster.streaming import ExecStream  # noqa: PLC0415 - its websocket library costs 30 ms

        target = requests.execute(namespace, pod, container, command)
        return self._credentials.run(lambda _: ExecStream(self, target))

    def close(self) -> None:
        """Close idle connections; the object may still be used afterwards."""
        self._credentials.session.pool.clear()

    def _attempt(self, request: Request, deadline: Deadline) -> Manifest:
        return parsed(self._credentials.run(lambda session: self._exchange(session, request, deadline))) or {}

    def _open(self, session: Session, request: Request, silence: float) -> Any:  # noqa: ANN401 - as for ``open``
        response = self._ask(session, request, preload_content=False, timeout=silence)
        if response.status not in _SUCCESS:
            raise refusal(request, response.status, response.read(), self.server, response.headers)
        return response

    def _exchange(self, session: Session, request: Request, deadline: Deadline) -> bytes:
        response = self._ask(session, request, timeout=_total(deadline.at_most(_ANSWER_SECONDS)))
        if response.status not in _SUCCESS:
            raise refusal(request, response.status, response.data, self.server, response.headers)
        self._clock.note(response.headers.get("Date"))
        return bytes(response.data)

    def _ask(self, session: Session, request: Request, **options: Any) -> Any:  # noqa: ANN401 - as for ``open``
        body = None if request.body is None else json.dumps(request.body)
        headers = session.headers() | ({} if body is None else {"Content-Type": request.content_type})
        url = self.server + request.target
        try:
            return session.pool.request(request.method, url, body=body, headers=headers, retries=False, **options)
        except self._transport_errors() as error:
            raise unreachable(request, error, self.server) from error

    @staticmethod
    def _transport_errors() -> tuple[type[BaseException], ...]:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - loaded with the official client, not before

        return (HTTPError, OSError)


def _total(seconds: float) -> Any:  # noqa: ANN401 - urllib3's value, untyped here
    """Return the limit over connecting and reading together; a bare number would hold for each of them."""
    from urllib3.util import Timeout  # noqa: PLC0415 - loaded with the official client, not before

    return Timeout(total=seconds or 0.001)
