"""kubectl on the cluster that a command looks into: for terminals and port forwarding, which it does well.

Owns which program that is and how it is told the cluster. It must not know what it is used for.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.cli import reaching
from paddock.cluster.connect import EMBEDDED
from paddock.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from paddock.cluster.client import Cluster


@dataclass(frozen=True)
class Kubectl:
    """A kubectl that reaches the cluster."""

    program: str
    options: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    typed: str = "kubectl"
    """What a person types to get the same."""

    def argv(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        return [self.program, *self.options, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with what kubectl needs beside it."""
        return {**os.environ, **self.variables}


def find(cluster: Cluster, arguments: argparse.Namespace) -> Kubectl:
    """Return the node's own kubectl on the embedded node, elsewhere the one on PATH.

    Raises:
        UsageError: there is none on PATH.
    """
    wanted = reaching.settings(arguments)
    if cluster.context == EMBEDDED and wanted.kubeconfig is None:
        from paddock import node  # noqa: PLC0415 - for the embedded node only

        access = node.access()
        if access is not None:
            return Kubectl(
                str(node.tool("kubectl")),
                variables={"KUBECONFIG": str(access.kubeconfig)},
                typed="paddock node kubectl",
            )
    program = shutil.which("kubectl")
    if program is None:
        raise UsageError("This command hands over to kubectl, and there is none on PATH: install it.")
    context = [] if cluster.context == "in-cluster" else [f"--context={cluster.context}"]
    options = [*context, *([f"--kubeconfig={wanted.kubeconfig}"] if wanted.kubeconfig else [])]
    return Kubectl(program, options, typed=" ".join(["kubectl", *options]))
