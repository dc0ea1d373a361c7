"""``paddock reap``: ends runs that nobody leads any more, or one run by its id, and accounts for each.

Owns the command's arguments and its account. Who leads a run decides ``namespaces.reaper``, what may be deleted
``namespaces.release``.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paddock import names
from paddock.deadlines import Deadline
from paddock.errors import InfrastructureError, UsageError
from paddock.specs import PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.namespaces.reaper import Reaper

_LOOK_EVERY = 1.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("reap", help="end runs that nobody leads any more, and account for them")
    run_help = "end this run, whoever leads it; its id stands in the run's first line"
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", dest="run_id", type=_run_id, metavar="ID", help=run_help)
    which.add_argument("--watch", action="store_true", help="go on for ever, as a service of the cluster does")
    which.add_argument("--dry-run", action="store_true", help="only name the runs that nobody leads")
    kept_help = "leave a run that --paddock-keep keeps until its time"
    parser.add_argument("--except-kept", action="store_true", help=kept_help)
    alive_help = "with --watch: touch this file after each look, for a probe"
    parser.add_argument("--alive", type=Path, metavar="FILE", help=alive_help)
    parser.add_argument("--context", help="the kube context, if not the embedded node")
    parser.add_argument("--kubeconfig", type=Path, help="the kubeconfig, if not the default one")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=PhaseLimits().release,
        metavar="SECONDS",
        help="how long to wait until everything is gone; 0 asks for it and returns (default: %(default)s)",
    )
    parser.set_defaults(handler=reap)


def _run_id(text: str) -> str:
    if not re.fullmatch(names.RUN_ID_PATTERN, text):
        raise argparse.ArgumentTypeError(f"{text!r} is no run id; expected {names.RUN_ID_EXPECTED}")
    return text


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (seconds := float(text)) <= threading.TIMEOUT_MAX:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; expected 0 or more")


def reap(arguments: argparse.Namespace) -> int:
    """End what is meant and print the account; 3 when something is left."""
    if arguments.alive and not arguments.watch:
        raise UsageError(
            f"--alive={arguments.alive} is a file to touch after each look of --watch: say that, or neither."
        )
    from paddock.engines import reaper_service  # noqa: PLC0415 - only for one of the ways

    if arguments.watch:
        reaper_service.make_way()  # before the cluster's client, whose loading is most of its work, is loaded
    from paddock.engines.preparation import has_gone, holder, reachable_cluster  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces.reaper import Reaper  # noqa: PLC0415 - as above

    cluster = reachable_cluster(arguments.context, arguments.kubeconfig)
    if cluster is None:
        whose = f"run {arguments.run_id}: " if arguments.run_id else ""
        _say(f"{whose}the embedded node is down, so nothing of it is left")
        return 0
    if arguments.run_id:
        return _end_one(cluster, arguments.run_id, arguments.wait, except_kept=arguments.except_kept)
    reaper = Reaper(cluster, holder(), has_gone)
    if arguments.watch:
        reaper_service.run(reaper, _say, arguments.alive)
    found = _observed(reaper)
    return _name(found) if arguments.dry_run else _end(reaper, found, arguments.wait)


def _end_one(cluster: Cluster, run_id: str, wait: float, *, except_kept: bool) -> int:
    from paddock.namespaces import expiry, pool, release  # noqa: PLC0415 - loads the cluster's client

    recorded = pool.known_as(cluster, run_id)
    if except_kept and (until := expiry.kept_until(cluster, recorded)):
        _say(f"run {run_id}: kept until {until:%Y-%m-%d %H:%M:%S} UTC")
        return 0
    account = release.reap(cluster, recorded, seconds=wait)
    _say(f"run {run_id}: {account.verified()}")
    return InfrastructureError.exit_code if account.left else 0


def _observed(reaper: Reaper) -> list[Manifest]:
    """Look until every record that is there now has either changed or proved to be nobody's."""
    found = reaper.find()
    deadline, pause = Deadline(reaper.patience() + _LOOK_EVERY), threading.Event()
    while not deadline.passed:
        pause.wait(deadline.at_most(_LOOK_EVERY))
        found = reaper.find()
    return found


def _name(found: Sequence[Manifest]) -> int:
    from paddock.namespaces import expiry, records  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces.reaper import run_of  # noqa: PLC0415 - as above

    for record in found:
        reason = "its time is over" if expiry.is_reserved(record) else "nobody leads it"
        _say(f"run {run_of(record)}: {reason}; the last was {records.leader(record)}")
    if not found:
        _say("every run is led by somebody")
    return 0


def _end(reaper: Reaper, found: Sequence[Manifest], wait: float) -> int:
    from paddock.namespaces.reaper import run_of  # noqa: PLC0415 - loads the cluster's client

    left = False
    for record in found:
        account = reaper.end(record, seconds=wait)
        _say(f"run {run_of(record)}: {account.verified() if account else 'somebody else leads or ends it now'}")
        left = left or bool(account and account.left)
    if not found:
        _say("every run is led by somebody; nothing was to be done")
    return InfrastructureError.exit_code if left else 0


def _say(line: str) -> None:
    sys.stdout.write(f"paddock: {line}\n")
    sys.stdout.flush()
