"""The Kubernetes of the node is what it says, and new enough."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from paddock.cluster import connect, versions
from paddock.node.recipes import KUBERNETES_VERSION, OLDEST_VERSION

if TYPE_CHECKING:
    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster


def test_every_component_tells_the_version_that_was_built(embedded_node: EmbeddedNode) -> None:
    """API server and kubelet agree, and a run accepts them; ``nox -s oldest`` asks the same of the oldest version."""
    kubelets = json.loads(embedded_node.kubectl("get", "nodes", "--output", "json"))["items"]
    (told,) = {one["status"]["nodeInfo"]["kubeletVersion"] for one in kubelets}
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), embedded_node.kubeconfig)
    assert versions.require(cluster) == told
    cluster.close()
    assert told in {f"v{KUBERNETES_VERSION}", f"v{OLDEST_VERSION}"}
