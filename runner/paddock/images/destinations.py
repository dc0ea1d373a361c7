"""Where finished images go: the node's own registry, any registry, or the nodes of a local cluster.

Owns what each is asked beforehand, how it gets what it lacks, and under which names pods find the images there.
It must not know how images are made, nor talk to a cluster: what its nodes hold is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from paddock.images import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from paddock import specs
    from paddock.images.making import Maker

_LOADED = "localhost/paddock"
"""Beginning of the names of images that no registry has: a name that no runtime completes by a registry of its own."""


class Destination(Protocol):
    """What becomes of finished images."""

    @property
    def prefix(self) -> str:
        """How the references begin under which images are brought: a registry and a path in it."""

    def missing(self, references: Sequence[str]) -> list[str]:
        """Return those of ``references`` that are not there.

        Raises:
            ImageError: that cannot be found out.
        """

    def bring(self, maker: Maker, images: specs.Images, missing: Collection[str]) -> None:
        """Have those of ``images`` made and brought whose references are ``missing``.

        Raises:
            UsageError: a program that the user has to install is not there.
            ImageError: making or bringing them failed.
        """

    def in_pods(self, images: specs.Images) -> specs.Images:
        """Return the images as pods are to name and pull them."""


@dataclass(frozen=True)
class NodeRegistry:
    """The embedded node's own registry: plain HTTP on the loopback address, asked in milliseconds."""

    host: str
    crane: Callable[[], Path]

    @property
    def prefix(self) -> str:
        """See :class:`Destination`."""
        return f"{self.host}/paddock"

    def missing(self, references: Sequence[str]) -> list[str]:
        """See :class:`Destination`."""
        return registry.missing(self.host, references)

    def bring(self, maker: Maker, images: specs.Images, missing: Collection[str]) -> None:  # noqa: ARG002 - it asks again
        """See :class:`Destination`."""
        maker.publish(self.host, images, self.crane())

    def in_pods(self, images: specs.Images) -> specs.Images:
        """See :class:`Destination`."""
        return images


@dataclass(frozen=True)
class AnyRegistry:
    """A registry that the user names, with a path in it; nodes may know it under another name."""

    prefix: str
    crane: Callable[[], Path]
    for_nodes: str | None = None

    def missing(self, references: Sequence[str]) -> list[str]:
        """See :class:`Destination`."""
        return registry.missing_anywhere(self.crane(), references)

    def bring(self, maker: Maker, images: specs.Images, missing: Collection[str]) -> None:
        """See :class:`Destination`."""
        maker.push(images, self.crane(), missing)

    def in_pods(self, images: specs.Images) -> specs.Images:
        """See :class:`Destination`."""
        nodes = self.for_nodes or self.prefix
        renamed = {
            name: nodes + getattr(images, name).removeprefix(self.prefix) for name in ("worker", "broker", "database")
        }
        return replace(images, **renamed)


@dataclass(frozen=True)
class LocalCluster:
    """The nodes of a cluster on this machine, which get images by its own command and pull none."""

    context: str
    held: Callable[[], Collection[str]]
    """Asks for the names of the images that all its nodes hold."""
    prefix: str = _LOADED

    def missing(self, references: Sequence[str]) -> list[str]:
        """See :class:`Destination`."""
        held = self.held()
        return [reference for reference in references if reference not in held]

    def bring(self, maker: Maker, images: specs.Images, missing: Collection[str]) -> None:
        """See :class:`Destination`."""
        maker.load(images, self.context, missing)

    def in_pods(self, images: specs.Images) -> specs.Images:
        """See :class:`Destination`."""
        return replace(images, pull="Never")  # a name that no registry has; a pull would only hide that it is gone
