"""``paddock devices``: which hardware the cluster's nodes have, how much of it is healthy, who holds it and who waits.

Owns the tables and their JSON. What there is stands in ``devices.holders``, who waits in ``namespaces.turns``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from paddock.cli import reaching, tables
from paddock.columns import aligned
from paddock.errors import NotAllowed

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from paddock.cluster.client import Cluster
    from paddock.devices.holders import Supply
    from paddock.engines.expectation import Expected

_HEAD = ("RESOURCE", "NODE", "CAPACITY", "HEALTHY", "FREE", "HELD BY")
_QUEUE = ("WAITS FOR", "RUN", "OWNER", "SINCE", "EXPECTED")
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
    if arguments.json:
        devices = [asdict(one) | {"free": one.free} for one in found]
        tables.say(tables.as_json({"devices": devices, "waiting": [one.data() for one in waiting]}))
    elif found:
        tables.say("\n".join([*table(found), *(["", *table_of_waiting(waiting)] if waiting else [])]))
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


def table(found: list[Supply]) -> list[str]:
    """Return the table's lines."""
    return aligned([_HEAD, *map(_row, found)])


def table_of_waiting(waiting: list[Waiting]) -> list[str]:
    """Return the lines of the table of runs that wait."""
    return aligned([_QUEUE, *(one.row() for one in waiting)])


def _row(one: Supply) -> tuple[str, ...]:
    held = ", ".join(who if count == 1 else f"{who} ({count})" for who, count in one.holders.items())
    return (one.resource, one.node, str(one.capacity), str(one.allocatable), str(one.free), held)
