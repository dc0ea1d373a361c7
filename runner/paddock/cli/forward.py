"""``paddock forward``: a worker's broker or database on a port of this machine, for as long as the command runs.

Owns what is said about the way in. The bytes are kubectl's affair.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from paddock.cli import reaching, tables, targets
from paddock.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from typing import IO

    from paddock.namespaces.inventory import PodState, WorkerState

HOST = "127.0.0.1"
_LOOK_EVERY = 0.5
"""Seconds between two looks at whether a signal has come."""
_CHUNK = 65536
_CLIENTS = {
    "broker": "mosquitto_sub -h {host} -p {port} -u {username} -P \"$({password})\" -t '#' -v",
    "database": 'PGPASSWORD="$({password})" psql -h {host} -p {port} -U {username} {database}',
}
"""What a person would type; the password is fetched by the shell and never printed."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("forward", help="reach a worker's service from here", description=__doc__)
    parser.add_argument("target", metavar="WORKER", help=targets.MEANING)
    parser.add_argument("service", help="broker, database, or one that the project declares")
    parser.add_argument("--port", type=int, default=0, help="the local port; default: one that is free")
    reaching.add_arguments(parser)
    parser.set_defaults(handler=forward)


def forward(arguments: argparse.Namespace) -> int:
    """Forward until Ctrl-C or the pod's end."""
    from paddock.cli import kubectl  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces import inventory  # noqa: PLC0415 - as above
    from paddock.namespaces.masking import open_entries  # noqa: PLC0415 - as above

    cluster = reaching.require(arguments)
    worker = targets.worker(inventory.read(cluster), arguments.target)
    pod = targets.pod(worker, arguments.service)
    remote = port_of(worker, pod)
    program = kubectl.find(cluster, arguments)
    argv = program.argv(
        *("port-forward", f"--address={HOST}", "--namespace", worker.namespace),
        *(f"pod/{pod.name}", f"{arguments.port or ''}:{remote}"),
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # however it is ended, kubectl ends with it
    with subprocess.Popen(argv, env=program.environment, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise AssertionError("Popen was asked for a pipe.")
        try:
            way = way_in(
                worker,
                pod,
                listening(process.stdout),
                program.typed,
                open_entries(cluster, worker.namespace, pod.component),
            )
            tables.say(tables.as_json(way) if arguments.json else told(way))
            _drain(process.stdout)
        except KeyboardInterrupt:
            return 0  # the way to end it
        finally:
            process.terminate()
    raise InfrastructureError(f"The forwarding to {worker.namespace}/{pod.name} ended: its pod has probably gone.")


def _drain(output: IO[str]) -> None:
    """Take what kubectl says, a line for each connection, until it ends.

    No read blocks for long: a signal that comes just before one begins is noticed only when it returns.
    """
    ended = False
    while not ended:
        ready, _, _ = select.select([output], [], [], _LOOK_EVERY)
        ended = bool(ready) and not os.read(output.fileno(), _CHUNK)


def port_of(worker: WorkerState, pod: PodState) -> int:
    """Return the port that a service listens on in its pod.

    Raises:
        UsageError: it is none that can be forwarded, or does not run.
    """
    if pod.port is None:
        known = ", ".join(one.component for one in worker.pods if one.port)
        raise UsageError(f"{pod.name!r} has no port to forward; expected one of: {known}.")
    if not pod.runs:
        raise UsageError(f"The pod {pod.name} of {worker.run_id}/{worker.name} does not run: {pod.state}.")
    return pod.port


def listening(output: IO[str]) -> int:
    """Return the local port that kubectl says it listens on.

    Raises:
        InfrastructureError: it ended without a word of that; its own words are on stderr.
    """
    for line in output:
        found = re.match(r"Forwarding from [\d.]+:(\d+) ", line)
        if found:
            return int(found[1])
    raise InfrastructureError("kubectl could not forward the port; its own words stand above.")


def way_in(
    worker: WorkerState,
    pod: PodState,
    port: int,
    kubectl: str,
    entries: Mapping[str, str],
) -> dict[str, Any]:
    """Return how to reach the service; of the password only how it is fetched."""
    way = {"service": pod.component, "worker": f"{worker.run_id}/{worker.name}", "host": HOST, "port": port}
    if pod.component not in _CLIENTS:
        return way
    secret = f"{kubectl} get secret {pod.component} --namespace {worker.namespace}"
    return {
        **way,
        "username": entries.get("USERNAME", ""),
        "database": entries.get("DATABASE", ""),
        "password": f"{secret} -o jsonpath='{{.data.PASSWORD}}' | base64 -d",
    }


def told(way: Mapping[str, Any]) -> str:
    """Return the same as a person reads it."""
    known = (("user", "username"), ("database", "database"))
    account = ", ".join(f"{word} {way[key]}" for word, key in known if way.get(key))
    client = _CLIENTS.get(way["service"], "").format(**way)
    lines = (
        f"{way['service']} of {way['worker']} at {way['host']}:{way['port']}" + (f", {account}" if account else ""),
        *([f"  {client}"] if client else []),
        "Ctrl-C ends it.",
    )
    return "\n".join(lines)
