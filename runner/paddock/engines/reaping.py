"""``paddock reap``: ends what a run has left behind, by its id.

Owns the command's arguments and its account. What may be deleted is decided in ``namespaces.release``.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
from contextlib import suppress
from pathlib import Path

from paddock import names
from paddock.specs import PhaseLimits


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("reap", help="end what a run has left behind, and account for it")
    run_help = "the run's id, as the run's first line shows it"
    parser.add_argument("--run", dest="run_id", type=_run_id, required=True, metavar="ID", help=run_help)
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
    """End the run and print the account; 3 when something is left."""
    from paddock.engines.preparation import reachable_cluster  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces import release  # noqa: PLC0415 - as above

    cluster = reachable_cluster(arguments.context, arguments.kubeconfig)
    if cluster is None:
        sys.stdout.write(f"paddock: run {arguments.run_id}: the embedded node is down, so nothing of it is left\n")
        return 0
    account = release.reap(cluster, arguments.run_id, seconds=arguments.wait)
    sys.stdout.write(f"paddock: run {arguments.run_id}: {account.verified()}\n")
    return 3 if account.left else 0
