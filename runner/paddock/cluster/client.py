"""Sends requests to one API server.

Owns the connection pool and credentials handed over by ``connect``. It must not build manifests,
choose clusters or know what a run is.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from paddock.cluster import official, requests
from paddock.cluster.retrying import DEFAULT_POLICY, RetryPolicy
from paddock.cluster.translation import refusal, unreachable
from paddock.deadlines import Deadline
from paddock.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.cluster.requests import Kind, Manifest, Request
    from paddock.cluster.streaming import ExecStream

_ANSWER_SECONDS = 15.0
"""Longest wait for one answer: the API server's own limit is 60 s, but it answers our small requests within 1 s."""

_REQUEST_SECONDS = 30.0
"""Default deadline over all tries of one request: a restarting API server needs about 3 s (measured)."""

_CONNECTIONS = 16
"""Pooled connections: more than the eight threads that make leases plus two watches."""

_SUCCESS = range(200, 300)


def is_loopback(url: str) -> bool:
    """Whether an address is one of this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Cluster:
    """One API server with the credentials to talk to it; safe to use from several threads.

    ``proxy`` is the one that a kubeconfig names: it holds whatever the variables say, as kubectl has it.
    """

    def __init__(self, configuration: Any, context: str, proxy: str | None = None) -> None:  # noqa: ANN401 - the official client is untyped here
        configuration.connection_pool_maxsize = _CONNECTIONS
        configuration.retries = False  # retrying is our policy's business, with our deadline
        if proxy:
            configuration.proxy, configuration.no_proxy = proxy, None
        elif is_loopback(configuration.host):
            configuration.proxy = None  # no proxy reaches this machine's own ports; kubectl asks none for them either
        self.context = context
        self.server: str = configuration.host.rstrip("/")
        self.configuration = configuration
        self._pool = official.module("client.rest").RESTClientObject(configuration).pool_manager

    @property
    def proxy(self) -> Any:  # noqa: ANN401 - urllib3's parsed address, untyped here
        """The proxy on the way to the API server, out of the kubeconfig or HTTPS_PROXY and NO_PROXY; or ``None``."""
        return getattr(self._pool, "proxy", None)

    def __repr__(self) -> str:
        """Name server and context; credentials never show."""
        return f"Cluster(context={self.context!r}, server={self.server!r})"

    def headers(self) -> dict[str, str]:
        """Return the headers that every request carries; tokens are read anew, because they expire."""
        settings = self.configuration.auth_settings().values()
        return {"Accept": "application/json"} | {one["key"].title(): one["value"] for one in settings if one["value"]}

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

    def list_objects(self, kind: Kind, *, selector: str = "", namespace: str | None = None) -> list[Manifest]:
        """Return all objects of a kind that the selector matches."""
        answer = self.send(requests.list_objects(kind, selector=selector, namespace=namespace))
        return list(answer.get("items", []))

    def open(self, request: Request, *, silence: float) -> Any:  # noqa: ANN401 - urllib3's response, untyped here
        """Return the unread response of a streaming request; ``silence`` is the longest gap in seconds."""
        try:
            response = self._pool.request(
                request.method,
                self.server + request.target,
                headers=self.headers(),
                preload_content=False,
                timeout=silence,
                retries=False,
            )
        except self._transport_errors() as error:
            raise unreachable(request, error, self.server) from error
        if response.status not in _SUCCESS:
            raise refusal(request, response.status, response.read(), self.server)
        return response

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> ExecStream:
        """Start ``command`` in a container and return its duplex byte stream."""
        from paddock.cluster.streaming import ExecStream  # noqa: PLC0415 - its websocket library costs 30 ms

        return ExecStream(self, requests.execute(namespace, pod, container, command))

    def close(self) -> None:
        """Close idle connections; the object may still be used afterwards."""
        self._pool.clear()

    def _attempt(self, request: Request, deadline: Deadline) -> Manifest:
        return json.loads(self._exchange(request, deadline)) or {}

    def _exchange(self, request: Request, deadline: Deadline) -> bytes:
        body = None if request.body is None else json.dumps(request.body)
        headers = self.headers() | ({} if body is None else {"Content-Type": request.content_type})
        try:
            response = self._pool.request(
                request.method,
                self.server + request.target,
                body=body,
                headers=headers,
                timeout=deadline.at_most(_ANSWER_SECONDS) or 0.001,
                retries=False,
            )
        except self._transport_errors() as error:
            raise unreachable(request, error, self.server) from error
        if response.status not in _SUCCESS:
            raise refusal(request, response.status, response.data, self.server)
        return bytes(response.data)

    @staticmethod
    def _transport_errors() -> tuple[type[BaseException], ...]:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - loaded with the official client, not before

        return (HTTPError, OSError)
