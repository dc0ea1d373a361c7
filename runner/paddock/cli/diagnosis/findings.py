"""What a check says, and what it may look at.

Owns the states and the one place where an error of ours becomes a finding. It must not know the single checks.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from paddock.cli import reaching
from paddock.deadlines import Deadline
from paddock.errors import ClusterError, PaddockError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from paddock.cluster.client import Cluster
    from paddock.cluster.connect import Choice
    from paddock.settings.resolution import Settings

OK, WARN, FAIL = "ok", "warn", "fail"

ANSWER_SECONDS = 5.0
"""Longest wait for an answer of the cluster: a person is waiting, and a well one answers in milliseconds."""


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    status: str
    message: str
    remedy: str = ""


class Surroundings:
    """What checks look at; found once, when the first check asks."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments

    @cached_property
    def settings(self) -> Settings:
        """The settings of a run that would be started here."""
        return reaching.settings(self._arguments)

    @cached_property
    def choice(self) -> Choice:
        """The cluster that a run would use, by name."""
        from paddock.cluster import connect  # noqa: PLC0415 - loads the cluster's client

        return connect.choose(self.settings.context, self.settings.kubeconfig)

    @property
    def is_embedded(self) -> bool:
        """Whether a run would use the embedded node."""
        return self.choice.embedded

    @cached_property
    def cluster(self) -> Cluster | None:
        """The cluster; ``None`` while the embedded node is down."""
        return reaching.reach(self._arguments)

    @cached_property
    def answering(self) -> Cluster | None:
        """The cluster if it answers; ``None`` spares further questions to one that does not, which the first tells."""
        from paddock.cluster.requests import VERSION  # noqa: PLC0415 - loads the cluster's client

        with suppress(ClusterError):
            if self.cluster:
                self.cluster.send(VERSION, deadline=Deadline(ANSWER_SECONDS))
                return self.cluster
        return None


def examine(check: Callable[[Surroundings], Finding | None], here: Surroundings) -> Finding | None:
    """Return what a check found, ``None`` where it does not apply; an error of ours is a fault with its own remedy."""
    try:
        return check(here)
    except PaddockError as error:
        sentences, _, remedy = str(error).rstrip().rpartition(". ")
        return Finding(FAIL, f"{sentences}." if sentences else remedy, remedy if sentences else "")
