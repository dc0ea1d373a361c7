"""One resource as kubelet sees it: the plugin's five methods on a socket, and its registration.

Owns the gRPC server of one resource. Every answer is made of the ``Stock`` that was published last, so that its threads
share nothing with the one that looks after devices. Needs the extra ``device-plugin``.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import grpc

from paddock.devices import api, leases
from paddock.devices.api import MESSAGES
from paddock.devices.commands import failure
from paddock.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paddock.devices.bulletin import Bulletin
    from paddock.devices.inventory import Stock
    from paddock.devices.resources import Allocation, Command, Device, Hardware, Listed

    Message = Any
    """Of ``api.MESSAGES``."""

_REGISTER_TIMEOUT = 5.0
"""Seconds; kubelet answers within milliseconds, and is asked again at the next look."""
_THREADS = 8
"""Of one server: a stream for kubelet, one that it has just left, and calls beside them."""


class Servicer:
    """Answers kubelet out of what was published."""

    def __init__(self, hardware: Hardware, bulletin: Bulletin[Stock]) -> None:
        self._hardware, self._bulletin = hardware, bulletin
        self._resetting = threading.Lock()
        """A process stands in a line once, and this one has several threads."""

    def GetDevicePluginOptions(self, _request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802 - kubelet's name
        """Say which of the optional methods kubelet should call."""
        return options(self._hardware)

    def ListAndWatch(self, _request: Message, context: grpc.ServicerContext) -> Iterator[Message]:  # noqa: N802 - as above
        """Send all devices, and again whenever one of them changes."""
        context.add_callback(self._bulletin.wake)
        stock = None
        while (stock := self._bulletin.after(stock, context.is_active)) is not None:
            yield MESSAGES["ListAndWatchResponse"](devices=[_listed(one) for one in stock.listed])

    def GetPreferredAllocation(self, request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802 - as above
        """Choose devices for containers."""
        stock, answer = self._bulletin.latest, MESSAGES["PreferredAllocationResponse"]()
        for one in request.container_requests:
            chosen = stock.preferred(one.available_deviceIDs, one.must_include_deviceIDs, one.allocation_size)
            answer.container_responses.add(deviceIDs=chosen)
        return answer

    def Allocate(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802 - as above
        """Say what containers get, and make the lines in which those who share a device will stand.

        A device that is gone or sick is refused, and kubelet refuses the pod with it.
        """
        stock, answer = self._bulletin.latest, MESSAGES["AllocateResponse"]()
        for one in request.container_requests:
            try:
                allocation = stock.allocation(one.devices_ids)
                for line in filter(None, (device.line for device in allocation.devices)):
                    leases.make(line)
            except (LookupError, OSError) as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            _fill(answer.container_responses.add(), allocation)
        return answer

    def PreStartContainer(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802 - as above
        """Run the reset command for each device; one that fails keeps the container from starting.

        A shared device that a test of another container uses now is left alone.
        """
        stock, reset = self._bulletin.latest, self._hardware.reset
        try:
            devices = stock.allocation(request.devices_ids).devices if reset else ()
        except LookupError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        for device in devices:
            if reset and (why := self._reset(reset, device)):
                context.abort(grpc.StatusCode.UNAVAILABLE, f"{device.id} could not be reset: {why}")
        return MESSAGES["PreStartContainerResponse"]()

    def _reset(self, reset: Command, device: Device) -> str:
        if not device.line:
            return failure(reset, device)
        claim = leases.Claim(device=device.id, run="the", worker="device plugin", test="a reset")
        with self._resetting, leases.if_free(leases.make(device.line), claim) as is_free:
            return failure(reset, device) if is_free else ""


def options(hardware: Hardware) -> Message:
    """Return which of the optional methods kubelet should call."""
    needs_reset = hardware.reset is not None
    return MESSAGES["DevicePluginOptions"](pre_start_required=needs_reset, get_preferred_allocation_available=True)


def _listed(one: Listed) -> Message:
    device = MESSAGES["Device"](ID=one.id, health=api.HEALTHY if one.is_healthy else api.UNHEALTHY)
    if one.numa is not None:
        device.topology.nodes.add(ID=one.numa)
    return device


def _fill(answer: Message, allocation: Allocation) -> None:
    answer.envs.update(allocation.environment)
    for device in allocation.devices:
        for path in device.paths:
            answer.devices.add(container_path=path, host_path=path, permissions=allocation.permissions)
    for mount in allocation.mounts:
        answer.mounts.add(container_path=mount.container, host_path=mount.host, read_only=mount.read_only)


class ResourceServer:
    """The server of one resource, on a socket in kubelet's folder."""

    def __init__(self, hardware: Hardware, bulletin: Bulletin[Stock], folder: Path) -> None:
        self.hardware = hardware
        self.socket = folder / f"paddock-{hardware.resource.replace('/', '-')}.sock"
        self._kubelet = folder / "kubelet.sock"
        self._servicer = Servicer(hardware, bulletin)
        self._server: grpc.Server | None = None
        self._threads: ThreadPoolExecutor | None = None

    def begin(self) -> None:
        """Serve on a socket that is made anew; kubelet removes all of them when it starts.

        Raises:
            InfrastructureError: the socket cannot be made.
        """
        self.end()
        _try(self.socket)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"paddock-{self.hardware.kind}")
        self._server = grpc.server(self._threads)
        self._server.add_generic_rpc_handlers((_handlers(self._servicer),))
        self._server.add_insecure_port(f"unix:{self.socket}")
        self._server.start()

    def register(self) -> str:
        """Tell kubelet of the resource, and return why it would not hear of it; empty if it did."""
        request = MESSAGES["RegisterRequest"](
            version=api.VERSION,
            endpoint=self.socket.name,
            resource_name=self.hardware.resource,
            options=options(self.hardware),
        )
        # A connection of its own: one to a kubelet that has just ended waits before it tries the same path again.
        apart = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"unix:{self._kubelet}", options=apart) as channel:
            call = channel.unary_unary(
                api.REGISTER,
                request_serializer=MESSAGES["RegisterRequest"].SerializeToString,
                response_deserializer=MESSAGES["Empty"].FromString,
            )
            try:
                call(request, timeout=_REGISTER_TIMEOUT)
            except grpc.RpcError as error:
                return str(cast("grpc.Call", error).details())
        return ""

    def end(self) -> None:
        """Serve no longer, and take the socket away."""
        if self._server is not None and self._threads is not None:
            self._server.stop(grace=None).wait()
            self._threads.shutdown()
            self.socket.unlink(missing_ok=True)
        self._server = self._threads = None


def _try(path: Path) -> None:
    """Make a socket at ``path`` and take it away again: gRPC keeps files open, and the reason, when it cannot."""
    try:
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as trial:
            trial.bind(str(path))
        path.unlink()
    except OSError as error:
        raise InfrastructureError(
            f"The socket {path} cannot be made: {error.strerror or error}. "
            "Expected a folder that this user may write to; kubelet's own belongs to root."
        ) from None


def _handlers(servicer: Servicer) -> grpc.GenericRpcHandler:
    handlers = {}
    for method, (question, answer) in api.METHODS.items():
        made = grpc.unary_stream_rpc_method_handler if method in api.STREAMS else grpc.unary_unary_rpc_method_handler
        handlers[method] = made(
            getattr(servicer, method),
            request_deserializer=MESSAGES[question].FromString,
            response_serializer=MESSAGES[answer].SerializeToString,
        )
    return grpc.method_handlers_generic_handler(api.PLUGIN, handlers)
