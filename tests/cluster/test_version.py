"""The Kubernetes of the node is the one that was asked for, and new enough."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from paddock.cluster import connect, versions
from paddock.node import recipes
from paddock.node.building import folder_of
from paddock.node.layout import from_json
from paddock.node.places import LAYOUT_FILE
from paddock.node.supply import MODULES, Supply

if TYPE_CHECKING:
    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster


def test_the_node_is_of_the_version_that_was_built_for_it(embedded_node: EmbeddedNode) -> None:
    """API server and kubelet tell it, and a run accepts it; ``nox -s oldest`` asks the same of the oldest version."""
    released = (recipes.KUBERNETES_VERSION, recipes.OLDEST_VERSION)
    modules = Supply(source=MODULES)
    recipes_of = zip(recipes.OF_VERSION.values(), released, strict=True)
    built = {folder_of(recipe, modules): f"v{one}" for recipe, one in recipes_of}
    expected = built[from_json(LAYOUT_FILE.read_text()).binaries.kubernetes]
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), embedded_node.kubeconfig)
    assert versions.require(cluster) == expected
    cluster.close()
    kubelets = json.loads(embedded_node.kubectl("get", "nodes", "--output", "json"))["items"]
    assert [one["status"]["nodeInfo"]["kubeletVersion"] for one in kubelets] == [expected]
