"""The first objects of a node's API server: cluster DNS. Manifests are completed as data, never as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from paddock.errors import NodeError
from paddock.resources import k8s_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.node.api import NodeApi
    from paddock.node.layout import NodeLayout

_COLLECTIONS = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Service": "/api/v1/namespaces/kube-system/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
}


def dns_objects(layout: NodeLayout) -> Iterator[dict[str, Any]]:
    """Yield the objects of cluster DNS, completed with the node's addresses and ports."""
    for manifest in yaml.safe_load_all((k8s_folder() / "node" / "objects" / "dns.yaml").read_text()):
        if manifest["kind"] == "Service":
            manifest["spec"]["clusterIP"] = layout.dns_service
        if manifest["kind"] == "EndpointSlice":
            manifest["endpoints"][0]["addresses"] = [layout.address]
            manifest["ports"] = [port | {"port": layout.ports.dns} for port in manifest["ports"]]
        yield manifest


def create(api: NodeApi, layout: NodeLayout) -> None:
    """Create the objects; those that exist already stay.

    Raises:
        NodeError: the API server refused one.
    """
    for manifest in dns_objects(layout):
        if not api.create(_COLLECTIONS[manifest["kind"]], manifest):
            name = f"{manifest['kind']} {manifest['metadata']['name']}"
            raise NodeError(f"The API server refused the {name}. Its log is {layout.logs}/kube-apiserver.log.")
