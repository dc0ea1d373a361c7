"""``paddock shell``: a terminal in a worker's pod, as the worker sees it.

Owns the argv that kubectl is given. The half in the pod is ``workers.inpod.enter``.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from paddock.cli import reaching, targets
from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.cluster.requests import Manifest

_ENTER = "enter.py"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--pod", help="another pod: broker or database (default: worker)")
    reaching.add_arguments(options, json=False)
    parser = subparsers.add_parser(
        "shell", help="open a shell in a worker's pod", description=__doc__, parents=[options]
    )
    # One positional for all that follows: with two of them argparse takes the '--' between them for its own.
    parser.add_argument("target", nargs=argparse.REMAINDER, metavar="WORKER [-- COMMAND]", help=targets.MEANING)
    parser.set_defaults(
        handler=lambda given: shell(complete(given, options)), pod="worker", context=None, kubeconfig=None
    )


def complete(arguments: argparse.Namespace, options: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the arguments with worker and command apart. Options may stand on both sides of the worker.

    Raises:
        UsageError: there is no worker, or something that is no option stands before ``--``.
    """
    words: list[str] = arguments.target
    cut = words.index("--") if "--" in words else len(words)
    target, command = "".join(words[:1]), words[cut + 1 :]
    arguments, unknown = options.parse_known_args(words[1:cut], arguments)
    if unknown:
        raise UsageError(f"A command stands behind '--': paddock shell {target} -- {' '.join(unknown)}")
    if not target or cut == 0:
        raise UsageError(f"A worker is missing: paddock shell WORKER; expected {targets.MEANING}.")
    arguments.target, arguments.command = target, command
    return arguments


def shell(arguments: argparse.Namespace) -> int:
    """Become kubectl: terminal, exit code and Ctrl-C are then its own."""
    from paddock.cli import kubectl  # noqa: PLC0415 - loads the cluster's client
    from paddock.cluster import requests  # noqa: PLC0415 - as above
    from paddock.namespaces import inventory  # noqa: PLC0415 - as above

    cluster = reaching.require(arguments)
    worker = targets.worker(inventory.read(cluster), arguments.target)
    pod = targets.pod(worker, arguments.pod)
    if not pod.runs:
        raise UsageError(f"The pod {pod.name} of {worker.run_id}/{worker.name} does not run: {pod.state}.")
    manifest = cluster.send(requests.get(requests.POD, pod.name, worker.namespace))
    command = inside(manifest, arguments.command)
    program = kubectl.find(cluster, arguments)
    argv = program.argv("exec", *_terminal(), "--namespace", worker.namespace, pod.name, "--", *command)
    os.execve(argv[0], argv, program.environment)  # noqa: S606 - see the docstring


def inside(pod: Manifest, command: Sequence[str]) -> list[str]:
    """Return the argv inside the pod: in a worker's through ``enter``, by its first process's interpreter."""
    first = pod["spec"]["containers"][0].get("command") or []
    main = next((number for number, part in enumerate(first) if part.endswith("/inpod/__main__.py")), None)
    if main is None:
        return list(command) or ["/bin/sh"]
    return [*first[:main], first[main].removesuffix("__main__.py") + _ENTER, *command]


def _terminal() -> list[str]:
    return ["--stdin", *(["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else [])]
