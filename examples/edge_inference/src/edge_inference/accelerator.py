"""An accelerator that is simulated: the device is real and exclusively ours, and the processor does its work."""

import fcntl
import json
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from edge_inference.model import Verdict, classify
from edge_inference.pictures import Picture


class DeviceError(RuntimeError):
    """The device cannot be used."""


class SimulatedAccelerator:
    """A device node that nobody else can have open meanwhile; the network itself runs on the processor."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.inferences = 0
        self._descriptor = _opened(path)

    def infer(self, picture: Picture) -> Verdict:
        """Say what a picture shows."""
        if self._descriptor is None:
            raise DeviceError(f"{self.path} was closed")
        self.inferences += 1
        return classify(picture)

    def close(self) -> None:
        """Let others have the device; closing twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _opened(path: str) -> int | None:
    try:  # O_EXCL keeps others from a block device, and the lock from any other
        descriptor = os.open(path, os.O_RDWR | os.O_EXCL | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise DeviceError(f"{path} is in use") from error
    return descriptor


def own_path(environment: Mapping[str, str], kind: str = "npu") -> str:
    """Find the device that this process was given: of its kind, or a simulated one in its place."""
    told = environment.get(f"PADDOCK_DEVICES_{kind.upper()}") or environment.get("PADDOCK_DEVICES_SIMULATED")
    if not told:
        raise DeviceError(f"this process was given no {kind}: say with --device which one to use")
    return str(json.loads(told)["devices"][0]["paths"][0])
