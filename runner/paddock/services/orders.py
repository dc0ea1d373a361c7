"""What tests ask of the place that their worker runs in: the words, which both sides use.

An order is a mapping that JSON can carry, with one of ``START``, ``STOP``, ``LOGS`` and ``EXEC`` at ``DO``, the
container's ``name``, and what each needs beside. The answer has ``failure``, a sentence or nothing, and what was asked
for. Pure. It must not know who asks or answers.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from paddock.declared_services import DeclaredService

if TYPE_CHECKING:
    from collections.abc import Mapping

DO = "do"
START, STOP, LOGS, EXEC = "start", "stop", "logs", "exec"


def to_start(service: DeclaredService, limit: float) -> dict[str, Any]:
    """Return the order to start a service, ready within ``limit`` seconds."""
    return {DO: START, "name": service.name, "service": asdict(service), "limit": limit}


def service(order: Mapping[str, Any]) -> DeclaredService:
    """Return what an order to start asks for."""
    wanted = order["service"]
    commands = {key: tuple(wanted[key]) for key in ("command", "local_command")}
    return DeclaredService(**{**wanted, **commands})


def too_long(order: Mapping[str, Any]) -> str:
    """Return the sentence for a command that did not end in time."""
    return (
        f"The command {' '.join(order['command'])!r} in the container {order['name']} took longer than "
        f"{order['seconds']:g} s: allow more with timeout=."
    )
