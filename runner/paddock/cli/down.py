"""``paddock down``: deletes what ended runs have left, each by its record, and accounts for it.

Owns which runs are meant. What may be deleted is decided in ``namespaces.release``: never by the shape of a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paddock.cli import reaching, tables
from paddock.errors import InfrastructureError
from paddock.specs import PhaseLimits

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping

    from paddock.cluster.client import Cluster
    from paddock.namespaces.inventory import RunState
    from paddock.specs import Account


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("down", help="delete what ended runs have left", description=__doc__)
    parser.add_argument(
        "run", nargs="?", help="end this run, even if it is under way; default: all whose leader is gone"
    )
    wait_help = "how long to wait until everything is gone; 0 asks for it and returns (default: %(default)s)"
    parser.add_argument("--wait", type=float, default=PhaseLimits().release, metavar="SECONDS", help=wait_help)
    reaching.add_arguments(parser)
    parser.set_defaults(handler=down)


def down(arguments: argparse.Namespace) -> int:
    """Delete and account; 3 when something is left."""
    from paddock.engines.preparation import has_gone  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces import inventory  # noqa: PLC0415 - as above

    cluster = reaching.reach(arguments)
    runs = inventory.read(cluster) if cluster else []
    led = {} if arguments.run else {run.run_id: run for run in runs if _stays(run, has_gone)}
    wanted = [arguments.run] if arguments.run else [run.run_id for run in runs if run.run_id not in led]
    accounts = {one: _ended(cluster, one, arguments.wait) for one in wanted} if cluster else {}
    tables.say(tables.as_json(as_data(accounts, led)) if arguments.json else "\n".join(told(accounts, led)))
    return InfrastructureError.exit_code if any(account.left for account in accounts.values()) else 0


def _ended(cluster: Cluster, run: str, wait: float) -> Account:
    from paddock.namespaces import pool, release  # noqa: PLC0415 - loads the cluster's client

    return release.reap(cluster, pool.known_as(cluster, run), seconds=wait)


def _stays(run: RunState, has_gone: Callable[[str], bool]) -> bool:
    return bool(run.holder) and not has_gone(run.holder) and (run.left is None or run.left > 0)


def _reason(run: RunState) -> str:
    return f"led by {run.holder}" if run.left is None else f"kept for another {tables.span(run.left)}"


def told(accounts: Mapping[str, Account], led: Mapping[str, RunState]) -> Iterable[str]:
    """Return the account as a person reads it."""
    lines = [f"run {run}: {account.verified()}" for run, account in accounts.items()]
    lines += [f"run {run}: {_reason(one)}, so it stays; 'paddock down {run}' ends it" for run, one in led.items()]
    return lines or ["nothing was left"]


def as_data(accounts: Mapping[str, Account], led: Mapping[str, RunState]) -> dict[str, Any]:
    """Return the account as JSON holds it."""
    ended = [
        {"run": run, "found": list(account.created), "left": dict(account.left)} for run, account in accounts.items()
    ]
    return {"ended": ended, "led": [{"run": run, "holder": one.holder, "left": one.left} for run, one in led.items()]}
