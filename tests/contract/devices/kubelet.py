"""Kubelet's side of the device plugin API, as far as plugins can tell.

As the real one it removes all sockets in its folder when it starts, asks a plugin that registers for its options and
follows its list of devices. It must not know how plugins are made.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc

from paddock.devices import api
from paddock.devices.api import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 60.0
"""Seconds, for a machine that has other things to do."""


class Kubelet:
    """Registers plugins and keeps what they say."""

    def __init__(self, folder: Path, refusal: str = "") -> None:
        self._folder, self.refusal = folder, refusal
        self.registered: list[str] = []
        self.options: dict[str, Any] = {}
        self.lists: dict[str, list[dict[str, str]]] = {}
        self._channels: dict[str, grpc.Channel] = {}
        self._news = threading.Condition()
        self._server: grpc.Server | None = None
        self._followers: list[threading.Thread] = []

    def start(self) -> None:
        """Begin, as after a restart: nothing is known, and no socket is left."""
        for socket in self._folder.glob("*"):
            socket.unlink()
        self._threads = ThreadPoolExecutor(4)
        self._server = grpc.server(self._threads)
        handler = grpc.unary_unary_rpc_method_handler(
            self._register,
            request_deserializer=MESSAGES["RegisterRequest"].FromString,
            response_serializer=MESSAGES["Empty"].SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("v1beta1.Registration", {"Register": handler})
        self._server.add_generic_rpc_handlers((service,))
        self._server.add_insecure_port(f"unix:{self._folder}/kubelet.sock")
        self._server.start()

    def stop(self) -> None:
        """End; plugins' streams are cut."""
        if self._server is None:
            return
        self._server.stop(grace=None).wait()
        self._threads.shutdown()
        for channel in self._channels.values():
            channel.close()
        for follower in self._followers:
            follower.join(PATIENCE)
        self.registered, self.lists, self._channels, self._followers = [], {}, {}, []
        (self._folder / "kubelet.sock").unlink(missing_ok=True)
        self._server = None

    def call(self, resource: str, method: str, request: Any) -> Any:
        """Ask a plugin."""
        question, answer = api.METHODS[method]
        make = self._channels[resource].unary_stream if method in api.STREAMS else self._channels[resource].unary_unary
        called = make(
            f"/{api.PLUGIN}/{method}",
            request_serializer=MESSAGES[question].SerializeToString,
            response_deserializer=MESSAGES[answer].FromString,
        )
        return called(request, timeout=None if method in api.STREAMS else PATIENCE, wait_for_ready=True)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a plugin has said something."""
        with self._news:
            assert self._news.wait_for(condition, PATIENCE), (self.registered, self.lists)

    def _register(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self.refusal:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, self.refusal)
        # Apart from the one before, which may be waiting before it tries the same address again.
        apart = [("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.insecure_channel(f"unix:{self._folder}/{request.endpoint}", options=apart)
        with self._news:
            if old := self._channels.pop(request.resource_name, None):
                old.close()
            self._channels[request.resource_name] = channel
            self.options[request.resource_name] = request.options
            self.registered.append(f"{request.version} {request.resource_name}")
            follower = threading.Thread(target=self._follow, args=(request.resource_name, channel))
            self._followers.append(follower)
            self._news.notify_all()
        follower.start()
        return MESSAGES["Empty"]()

    def _follow(self, resource: str, channel: grpc.Channel) -> None:
        try:
            for answer in self.call(resource, "ListAndWatch", MESSAGES["Empty"]()):
                with self._news:
                    if self._channels.get(resource) is channel:
                        self.lists.setdefault(resource, []).append({one.ID: one.health for one in answer.devices})
                        self._news.notify_all()
        except (grpc.RpcError, ValueError, KeyError):
            pass  # the plugin or this kubelet has ended
