"""``paddock devices``: which hardware the cluster's nodes have, how much of it is healthy, who holds it and who waits.

Owns the tables and their JSON. What there is stands in ``devices.holders``, which runs wait in ``namespaces.turns``,
and whose test has its turn with a shared device in the lines of this machine and in what workers of the cluster say.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from paddock import names
from paddock.cli import reaching, tables
from paddock.columns import aligned
from paddock.errors import NotAllowed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from paddock.cluster.client import Cluster
    from paddock.devices.holders import Supply
    from paddock.engines.expectation import Expected
    from paddock.specs import Awaited

_HEAD = ("RESOURCE", "NODE", "CAPACITY", "HEALTHY", "FREE", "HELD BY")
_QUEUE = ("WAITS FOR", "RUN", "OWNER", "SINCE", "EXPECTED")
_LINES = ("IN TURN", "NOW", "SINCE", "TEST", "THEN")
_SECONDS = 10.0
NONE = (
    "No node has hardware that a device plugin hands out. Run `paddock device-plugin` there, or the vendor's, and say "
    "in [tool.paddock.devices] what tests call it; or try a suite with --paddock-simulate-hardware=N."
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("devices", help="list nodes' hardware and who holds it", description=__doc__)
    reaching.add_arguments(parser)
    parser.set_defaults(handler=devices)


def devices(arguments: argparse.Namespace) -> int:
    """List what there is."""
    cluster = reaching.reach(arguments)
    found = read(cluster, tuple(one.resource for one in reaching.settings(arguments).devices)) if cluster else []
    waiting = queue(cluster, found) if cluster else []
    lines = turns(cluster)
    if arguments.json:
        devices = [asdict(one) | {"free": one.free} for one in found]
        told = {"devices": devices, "waiting": [one.data() for one in waiting]}
        tables.say(tables.as_json({**told, "turns": [one._asdict() for one in lines]}))
    elif found or lines:
        rows = [(one.device, one.now, one.since, one.test, ", ".join(one.then)) for one in lines]
        parts: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]
        parts = [(_HEAD, [*map(_row, found)]), (_QUEUE, [one.row() for one in waiting]), (_LINES, rows)]
        tables.say("\n\n".join("\n".join(aligned([head, *part])) for head, part in parts if part))
    else:
        tables.hint(NONE if cluster else f"No hardware: {reaching.NODE_IS_DOWN}.")
    return 0


def read(cluster: Cluster, wanted: tuple[str, ...]) -> list[Supply]:
    """Return what the cluster's nodes have, and have not of what is ``wanted``."""
    from paddock.engines import hardware  # noqa: PLC0415 - loads the cluster's client

    return hardware.supplies(cluster, wanted, _SECONDS)


class Waiting(NamedTuple):
    """A run that waits for hardware which others hold."""

    resources: str
    run: str
    owner: str
    since: str
    """When the run began, as RFC 3339 writes it; the earliest comes first."""
    turn: Expected
    now: datetime

    def row(self) -> tuple[str, ...]:
        """Return the table's row."""
        expected = f"unknown: {self.turn.unknown}" if self.turn.unknown else self.turn.roughly
        return (self.resources, self.run, self.owner, self.since, expected)

    def data(self) -> dict[str, str | None]:
        """Return it as JSON holds it."""
        moment = self.turn.moment(self.now)
        return {
            "resources": self.resources,
            "run": self.run,
            "owner": self.owner,
            "since": self.since,
            "expected": moment.isoformat(timespec="seconds") if moment else None,
            "unknown": self.turn.unknown,
        }


def queue(cluster: Cluster, found: list[Supply]) -> list[Waiting]:
    """Return the runs that wait, in their order; none to an account that may not see runs' records."""
    from paddock.engines import expectation  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces import records, turns  # noqa: PLC0415 - as above
    from paddock.namespaces.reaper import run_of  # noqa: PLC0415 - as above

    try:
        recorded, now = records.recorded(cluster), cluster.time()
    except NotAllowed:
        return []
    waiting = turns.waiting(recorded)
    by_run = {run_of(one): one for one in recorded}
    return [
        Waiting(
            resources=",".join(sorted(turns.wanted(one))),
            run=run_of(one),
            owner=records.owner(one),
            since=one["metadata"]["creationTimestamp"],
            turn=turn,
            now=now,
        )
        for one, turn in zip(
            waiting, expectation.turns_of(map(turns.need_of, waiting), found, by_run, now), strict=True
        )
    ]


class Turn(NamedTuple):
    """A device that several workers hold, while a test of one of them has its turn."""

    device: str
    now: str
    """Run and worker of that one, with a slash between."""
    since: str
    test: str
    then: Sequence[str]
    """Run and worker of those whose tests wait for theirs, in order as far as that can be seen from here."""


def turns(cluster: Cluster | None) -> list[Turn]:
    """Return them: of this machine all, of other nodes of the cluster those for which somebody has waited for long."""
    found = {(one.device, one.now): one for one in _of_this_machine()}
    for waiting, awaited in _told_by_workers(cluster) if cluster else ():
        new = Turn(awaited.device, awaited.holder, awaited.since, awaited.held_for, ())
        known = found.get((new.device, new.now), new)
        found[new.device, new.now] = known._replace(then=tuple(dict.fromkeys((*known.then, waiting))))
    return list(found.values())


def folders() -> list[Path]:
    """Return where the lines of this machine lie: the local engine's, and those of a node's device plugin."""
    from paddock.devices import resources, simulation  # noqa: PLC0415 - not needed for --help
    from paddock.engines.local import device_locks  # noqa: PLC0415 - as above

    return [*device_locks.known_folders(), Path(resources.LINES_FOLDER), simulation.FOLDER]


def _of_this_machine() -> Iterator[Turn]:
    from paddock.devices import leases  # noqa: PLC0415 - not needed for --help

    for now, *then in leases.standing(folders()):
        yield Turn(now.device, now.who, now.since, now.test, [one.who for one in then])


def _told_by_workers(cluster: Cluster) -> Iterator[tuple[str, Awaited]]:
    from paddock.cluster import requests  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces.annotations import from_annotations  # noqa: PLC0415 - as above

    with suppress(NotAllowed):
        for one in cluster.list_objects(requests.NAMESPACE, selector=names.RUN):
            said = one["metadata"].get("annotations") or {}
            doing = from_annotations(said)
            if doing and doing.awaits:
                yield f"{said.get(names.RUN, '')}/{said.get(names.WORKER, '')}", doing.awaits


def _row(one: Supply) -> tuple[str, ...]:
    held = ", ".join(who if count == 1 else f"{who} ({count})" for who, count in one.holders.items())
    return (one.resource, one.node, str(one.capacity), str(one.allocatable), str(one.free), held)
