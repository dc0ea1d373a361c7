"""What a person types to look into the namespaces that are kept, as lines to be pasted.

Pure but for the look whether ``paddock`` is on PATH. It must not talk to a cluster.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster.connect import EMBEDDED, INSIDE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

_INSIDE = {
    "broker": ("sh",),
    "database": ("sh", "-c", "/usr/lib/postgresql/*/bin/psql --host=/run/paddock --username=postgres"),
}
"""Service -> what is started in its pod, where no password is asked for."""


class Commands:
    """Commands for one cluster, named as its own client names it; ``kubeconfig`` if the user named one."""

    def __init__(self, context: str, kubeconfig: Path | None) -> None:
        embedded = context == EMBEDDED and kubeconfig is None
        chosen = [] if embedded or context == INSIDE else [f"--context={context}"]
        self._options = [*chosen, *([f"--kubeconfig={kubeconfig}"] if kubeconfig else [])]
        self._paddock = ["paddock"] if shutil.which("paddock") else [sys.executable, "-m", "paddock"]
        self._kubectl = [*self._paddock, "node", "kubectl"] if embedded else ["kubectl", *self._options]

    def inside(self, run_id: str, worker: str, running: Collection[str]) -> list[str]:
        """Return the commands for one namespace; those for a pod only if it is among ``running``."""
        namespace, target = f"--namespace={names.namespace_name(run_id, worker)}", f"{run_id}/{worker}"
        services = [service for service in _INSIDE if service in running]
        return [
            self._typed(*self._kubectl, "get", "pods,events", namespace),
            self._own("logs", target),
            *([self._own("shell", target)] if "worker" in running else []),
            *(
                self._typed(*self._kubectl, "exec", "-it", namespace, service, "--", *_INSIDE[service])
                for service in services
            ),
            *(self._own("forward", target, service) for service in services),
        ]

    def end(self, run_id: str) -> str:
        """Return the command that ends everything of a run early."""
        return self._own("reap", f"--run={run_id}")

    def _own(self, *arguments: str) -> str:
        return self._typed(*self._paddock, *arguments, *self._options)

    @staticmethod
    def _typed(*arguments: str) -> str:
        return shlex.join(arguments)


def indented(commands: Sequence[str]) -> str:
    """Return the commands below a sentence, a line each."""
    return "".join(f"\n  {command}" for command in commands)
