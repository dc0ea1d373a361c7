"""``paddock logs``: what workers, brokers and databases have written, and what they write from now on.

Owns the threads that follow several pods at once, and the names before their lines.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.cli import reaching, tables, targets
from paddock.errors import ClusterError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from paddock.cluster.client import Cluster
    from paddock.namespaces.inventory import WorkerState

COMPONENTS = ("worker", "broker", "database")


@dataclass(frozen=True)
class Source:
    """A pod whose log is wanted."""

    namespace: str
    pod: str
    prefix: str
    """What stands before each of its lines; empty where there is only one source."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("logs", help="print what pods have written", description=__doc__)
    parser.add_argument("target", metavar="RUN|WORKER", help=targets.MEANING)
    parser.add_argument("component", nargs="?", help=f"only this pod: {', '.join(COMPONENTS)}; default: all of them")
    parser.add_argument("-f", "--follow", action="store_true", help="keep printing what is added, until Ctrl-C")
    parser.add_argument("--tail", type=int, metavar="LINES", help="begin with the last lines only")
    reaching.add_arguments(parser)
    parser.set_defaults(handler=logs)


def logs(arguments: argparse.Namespace) -> int:
    """Print the logs."""
    from paddock.namespaces import inventory  # noqa: PLC0415 - loads the cluster's client

    cluster = reaching.require(arguments)
    found = sources(targets.workers(inventory.read(cluster), arguments.target), arguments.component)
    printer = Printer(cluster, arguments)
    with suppress(KeyboardInterrupt):  # the way to end following
        printer.print_all(found)
    return 0


def sources(workers: Sequence[WorkerState], component: str | None) -> list[Source]:
    """Return the pods that are meant, those that have begun to run or have ended.

    Raises:
        UsageError: there is no such pod, or none at all yet.
    """
    chosen = [(worker, pod) for worker in workers for pod in targets.pods(worker, component) if pod.node]
    if component and not any(targets.pods(worker, component) for worker in workers):
        targets.pod(workers[0], component)
    if not chosen:
        raise UsageError("No pod has been started yet, so there is nothing to print. Try again in a moment.")
    alone = len(chosen) == 1
    return [
        Source(worker.namespace, pod.name, "" if alone else f"[{worker.name} {pod.component or pod.name}] ")
        for worker, pod in chosen
    ]


class Printer:
    """Prints logs, one after the other, or following all at once."""

    def __init__(self, cluster: Cluster, arguments: argparse.Namespace) -> None:
        self._cluster = cluster
        self._follow: bool = arguments.follow
        self._tail: int | None = arguments.tail
        self._json: bool = arguments.json
        self._lock = threading.Lock()

    def print_all(self, found: Sequence[Source]) -> None:
        """Print them; with ``--follow`` it returns when the last of the pods has ended."""
        if not self._follow or len(found) == 1:
            for source in found:
                self.print_one(source)
            return
        threads = [threading.Thread(target=self.print_one, args=(source,), daemon=True) for source in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def print_one(self, source: Source) -> None:
        """Print one log; what keeps it from being read is said in a line, since the others may be readable."""
        from paddock.cluster.logs import lines  # noqa: PLC0415 - loads the cluster's client
        from paddock.namespaces.masking import mask, secrets_of  # noqa: PLC0415 - as above

        secrets = secrets_of(self._cluster, source.namespace)
        try:
            for line in lines(self._cluster, source.namespace, source.pod, follow=self._follow, tail=self._tail):
                self._print(source, mask(line, secrets))
        except ClusterError as error:
            tables.hint(f"{source.prefix}{error}")

    def _print(self, source: Source, line: str) -> None:
        text = self._as_json(source, line) if self._json else f"{source.prefix}{line}"
        with self._lock:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    @staticmethod
    def _as_json(source: Source, line: str) -> str:
        import json  # noqa: PLC0415 - one line of JSON for each line of a log, where that is asked for

        return json.dumps({"namespace": source.namespace, "pod": source.pod, "line": line}, ensure_ascii=False)
