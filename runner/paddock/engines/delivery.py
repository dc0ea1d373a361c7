"""How images reach the nodes of the chosen cluster: by its registry, or by the loading command of a local cluster.

Owns that choice, and its refusal before anything is made. It must not make images, nor bring the embedded node up.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from paddock import node
from paddock.cluster import connect, requests
from paddock.errors import NotAllowed, UsageError
from paddock.images.destinations import AnyRegistry, LocalCluster, NodeRegistry
from paddock.node.layout import Ports

_LOGIN = "Write a file that has them: DOCKER_CONFIG=FOLDER crane auth login REGISTRY, then name FOLDER/config.json."

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from paddock.cluster.client import Cluster
    from paddock.images.destinations import Destination
    from paddock.specs import ImageChoices


def check(choice: connect.Choice, images: ImageChoices) -> None:
    """Refuse a cluster whose nodes no image would reach.

    Raises:
        UsageError: no registry was named, and the cluster loads no images, or not these.
    """
    if choice.embedded or images.registry:
        return
    from paddock.images import loading  # noqa: PLC0415 - the embedded node loads nothing

    loading.require(choice.context)
    if images.worker:
        raise UsageError(
            f"The image {images.worker!r} is completed in a registry, and the cluster of the context "
            f"{choice.context!r} pulls from none that is named. Name one: --paddock-registry=REGISTRY/PATH."
        )


def destination(choice: connect.Choice, images: ImageChoices, cluster: Callable[[], Cluster]) -> Destination:
    """Return where the images of a run go; ``cluster`` is asked only for what its nodes hold."""
    if choice.embedded:
        access = node.access()  # one that is down will have this port, unless it is taken
        return NodeRegistry(access.registry if access else f"localhost:{Ports().registry}", crane)
    if images.registry:
        return AnyRegistry(images.registry, crane, images.nodes_registry)
    return LocalCluster(choice.context, lambda: held_by_nodes(cluster()))


def pull_credentials(path: Path | None) -> str:
    """Return the content of a file with the credentials that nodes pull with; empty where there is none.

    Raises:
        UsageError: it cannot be read, or holds no credentials itself.
    """
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="utf-8")
        has_any = any(dict(json.loads(text)["auths"]).values())  # a helper keeps credentials elsewhere, and leaves {}
    except OSError as error:
        raise UsageError(f"The credentials to pull with, {str(path)!r}, cannot be read: {error.strerror}.") from None
    except (ValueError, LookupError, TypeError):
        has_any = False
    if not has_any:
        raise UsageError(f"{str(path)!r} holds no credentials to pull with, as `docker login` writes them. {_LOGIN}")
    return text


def crane() -> Path:
    """Return the image client; it comes from the embedded node's cache, and needs no node."""
    return node.tool("crane")


def held_by_nodes(cluster: Cluster) -> frozenset[str]:
    """Return the names of the images that every node tells to hold; none where nodes may not be looked at.

    A node tells its fifty largest images, so one that is there may be missing here: it is then loaded once more.
    """
    try:
        nodes = cluster.list_objects(requests.NODE)
    except NotAllowed:
        return frozenset()
    held = [{name for image in one["status"].get("images", ()) for name in image.get("names", ())} for one in nodes]
    return frozenset(set.intersection(*held)) if held else frozenset()
