"""Who we are to one API server: configuration and connections, and both anew once it does not accept them any more.

Owns the moment at which credentials are read again. It must not know requests, nor where credentials come from.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from paddock.cluster import official
from paddock.errors import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

_CONNECTIONS = 16
"""Pooled connections: more than the eight threads that make leases plus two watches."""

_NOT_KNOWN = 401


@dataclass(frozen=True)
class Session:
    """The official client's configuration and the connections made with it; untyped there."""

    configuration: Any
    pool: Any

    def headers(self) -> dict[str, str]:
        """Return the headers that every request carries; a token that is known to expire is renewed before it does."""
        settings = self.configuration.auth_settings().values()
        return {"Accept": "application/json"} | {one["key"].title(): one["value"] for one in settings if one["value"]}


class Credentials:
    """The session in use; safe to use from several threads.

    ``load`` reads a configuration: a token's file, a kubeconfig, what its plugin says. ``proxy`` is the one that a
    kubeconfig names: it holds whatever the variables say, as kubectl has it.
    """

    def __init__(self, load: Callable[[], Any], proxy: str | None) -> None:
        self._load, self._proxy = load, proxy
        self._lock = threading.Lock()
        self.session = self._new()

    def run(self, call: Callable[[Session], Result]) -> Result:
        """Return what ``call`` returns; where the session is not accepted (401), once more with what is read now.

        Raises:
            NotAllowed: what is read now is not accepted either.
        """
        session = self.session
        try:
            return call(session)
        except NotAllowed as error:
            if error.status != _NOT_KNOWN:
                raise
            return call(self._renewed(session, error))

    def _renewed(self, refused: Session, error: NotAllowed) -> Session:
        """Return a session other than the refused one; of several threads that were refused, one makes it."""
        with self._lock:
            if self.session is refused:
                try:
                    self.session = self._new()
                except Exception as unreadable:  # the file has gone, or the plugin failed: the refusal says it all
                    raise error from unreadable
                refused.pool.clear()
            return self.session

    def _new(self) -> Session:
        configuration = self._load()
        configuration.connection_pool_maxsize = _CONNECTIONS
        configuration.retries = False  # retrying is our policy's business, with our deadline
        if self._proxy:
            configuration.proxy, configuration.no_proxy = self._proxy, None
        elif is_loopback(configuration.host):
            configuration.proxy = None  # no proxy reaches this machine's own ports; kubectl asks none for them either
        return Session(configuration, official.module("client.rest").RESTClientObject(configuration).pool_manager)


def is_loopback(url: str) -> bool:
    """Whether an address is one of this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
