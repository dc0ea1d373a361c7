"""``[tool.paddock.devices]``, and what ``--paddock-hardware`` asks of it.

What a kind may hold, ``paddock.devices.configuration`` knows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paddock.devices.resources import SIMULATED, Wanted, own_resource
from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.declared_services import DeclaredService
    from paddock.devices.resources import Hardware
    from paddock.settings.pyproject import Pyproject

KEY = "devices"
ALL = "all"
"""In the place of kinds: every one that is configured."""


def read(document: Pyproject) -> tuple[Hardware, ...]:
    """Return the configured hardware.

    Raises:
        UsageError: a key or a value cannot be meant; it says on which line.
    """
    if KEY not in document:
        return ()
    from paddock.devices import configuration  # noqa: PLC0415 - few projects have any

    def place(*keys: str) -> str:
        return f"[tool.paddock.{'.'.join((KEY, *keys))}] of {document.place(KEY, *keys)}"

    return configuration.parse(document[KEY], place)


def wanted(
    document: Pyproject, kinds: Sequence[tuple[str, int]], simulated: int | None, where: str
) -> tuple[Wanted, ...]:
    """Return what each worker is to hold; ``where`` says where ``kinds`` were given.

    Raises:
        UsageError: a kind is neither configured nor simulated, or more of them are asked for than are simulated.
    """
    resources = {one.kind: one.resource for one in read(document)}
    counts = dict(kinds)
    if every := counts.pop(ALL, 0):
        counts = dict.fromkeys(resources, every) | counts
        _require(resources, ALL, where)
    if simulated is None:
        for kind in counts:
            _require({kind} & resources.keys(), kind, where)
        return tuple(Wanted(kind=kind, count=count, resource=resources[kind]) for kind, count in counts.items())
    if sum(counts.values()) > simulated:
        raise UsageError(
            f"{where} asks for {sum(counts.values())} devices in each worker, and --paddock-simulate-hardware makes "
            f"{simulated} in all: simulate more of them."
        )
    resource = own_resource(SIMULATED)
    return tuple(Wanted(kind=kind, count=count, resource=resource) for kind, count in counts.items())


def with_resources(
    services: Sequence[DeclaredService], held: Sequence[Wanted], where: str
) -> tuple[DeclaredService, ...]:
    """Return the services with what their pods ask for, where workers hold ``held``; ``where`` says who gives them it.

    Raises:
        UsageError: services hold more of a kind than there is in each worker's place.
    """
    resources = {one.kind: one.resource for one in held}
    for wanted in held:
        _check_share(wanted, [one for one in services if one.hardware and one.hardware.kind == wanted.kind], where)
    return tuple(
        replace(one, hardware=replace(one.hardware, resource=resources.get(one.hardware.kind, "")))
        if one.hardware
        else one
        for one in services
    )


def _check_share(wanted: Wanted, services: Sequence[DeclaredService], where: str) -> None:
    taken = sum(one.hardware.count for one in services if one.hardware)
    if taken > wanted.count:
        holders = " and ".join(f"{one.name!r} of {one.place}" for one in services)
        raise UsageError(
            f"{where} gives each worker {wanted.count} of {wanted.kind!r}, and its services hold {taken} of them "
            f"({holders}): ask for {wanted.kind}={taken}."
        )


def left_to_workers(services: Sequence[DeclaredService], held: Sequence[Wanted]) -> tuple[tuple[str, str, int], ...]:
    """Return the services that hold hardware: name, kind, and how many of the kind the worker's own pod holds then."""
    counts = {one.kind: one.count for one in held}
    for one in services:
        if one.hardware:
            counts[one.hardware.kind] = counts.get(one.hardware.kind, 0) - one.hardware.count
    return tuple((one.name, one.hardware.kind, max(0, counts[one.hardware.kind])) for one in services if one.hardware)


def _require(found: object, kind: str, where: str) -> None:
    if not found:
        table = "KIND" if kind == ALL else kind
        raise UsageError(
            f"{where} asks for the hardware {kind!r}, which is not configured: "
            f"add [tool.paddock.{KEY}.{table}] with its paths, usb or resource, "
            "or have it simulated with --paddock-simulate-hardware=N."
        )
