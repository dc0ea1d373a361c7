"""The cluster that a command looks into: the one that a run started here would use.

Owns the arguments that name it, and what is said when the embedded node is down. It must not start anything.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.settings.table import BY_NAME

if TYPE_CHECKING:
    import argparse

    from paddock.cluster.client import Cluster
    from paddock.settings.resolution import Settings

NODE_IS_DOWN = "the embedded node is down"


def add_arguments(parser: argparse.ArgumentParser, *, json: bool = True) -> None:
    """Add what every command takes that looks into a cluster."""
    parser.add_argument("--context", metavar="NAME", help=BY_NAME["context"].help)
    parser.add_argument("--kubeconfig", metavar="PATH", help=BY_NAME["kubeconfig"].help)
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON")


def settings(arguments: argparse.Namespace) -> Settings:
    """Return the settings of a run that would be started here.

    Raises:
        UsageError: something in the environment or in pyproject.toml cannot be meant.
    """
    from paddock.settings.resolution import read_pyproject, resolve  # noqa: PLC0415 - not needed for --help

    given = {"context": arguments.context, "kubeconfig": arguments.kubeconfig}
    return resolve(given, os.environ, read_pyproject(Path.cwd()))


def reach(arguments: argparse.Namespace) -> Cluster | None:
    """Return the cluster; ``None`` if that is the embedded node, and it is down.

    Raises:
        UsageError: the cluster may not be used, or the node belongs to another user.
    """
    from paddock.engines.preparation import reachable_cluster  # noqa: PLC0415 - loads the cluster's client
    from paddock.node.places import STATE  # noqa: PLC0415 - not needed for --help
    from paddock.node.privilege import require_readable  # noqa: PLC0415 - as above

    wanted = settings(arguments)
    found = reachable_cluster(wanted.context, wanted.kubeconfig)
    if found is None:
        require_readable(STATE)
    return found


def require(arguments: argparse.Namespace) -> Cluster:
    """Return the cluster.

    Raises:
        UsageError: as ``reach``, and when the embedded node is down.
    """
    found = reach(arguments)
    if found is None:
        raise UsageError(f"There is nothing to look into: {NODE_IS_DOWN}. Start one with 'pytest --paddock -n 2'.")
    return found
