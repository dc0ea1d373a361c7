"""The Kubernetes of the node is the one that was asked for, and new enough."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from paddock.cluster import connect, versions
from paddock.node import pins

if TYPE_CHECKING:
    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster


def test_the_node_is_of_the_version_that_was_made_for_it(embedded_node: EmbeddedNode) -> None:
    """API server and kubelet tell it, and a run accepts it; ``nox -s oldest`` asks the same of the oldest version."""
    made = pins.read()
    assert made, "an earlier version of Paddock made this node: paddock node up"
    expected = f"v{made.kubernetes}"
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), embedded_node.kubeconfig)
    assert versions.require(cluster) == expected
    cluster.close()
    kubelets = json.loads(embedded_node.kubectl("get", "nodes", "--output", "json"))["items"]
    assert [one["status"]["nodeInfo"]["kubeletVersion"] for one in kubelets] == [expected]
