"""Which Kubernetes is new enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paddock.cluster import versions
from paddock.engines import preparation
from paddock.engines.request import RunRequest
from paddock.errors import UsageError
from paddock.node import recipes

ROOT = Path(__file__).resolve().parents[3]


class Cluster:
    """Tells a version."""

    context, server = "stranger", "https://far:6443"

    def __init__(self, told: str) -> None:
        self._told = told

    def send(self, *_: object, **__: object) -> dict[str, Any]:
        """Answer as /version does; the minor as providers write it."""
        return {"major": "1", "minor": "34+", "gitVersion": self._told}


def require(told: str) -> str:
    """Return what a server's version comes to."""
    cluster: Any = Cluster(told)
    return versions.require(cluster)


@pytest.mark.parametrize("told", ["v1.34.0", "v1.34.1-eks-3025e55", "v1.36.4", "v1.100.0+k3s1", "v2.0.0"])
def test_a_version_that_is_new_enough_is_returned(told: str) -> None:
    """Whatever the provider has added to it."""
    assert require(told) == told


@pytest.mark.parametrize("told", ["v1.33.9", "v1.9.11", "v0.40.0", "", "master"])
def test_an_older_version_is_refused_in_one_sentence(told: str) -> None:
    """It names what was found, what is wanted and the way out; a version that is none is not trusted."""
    found = rf"'stranger' at https://far:6443 runs Kubernetes {told or 'unknown'}"
    with pytest.raises(UsageError, match=rf"{found}, and 1\.34 or newer is needed\. .* --paddock-context"):
        require(told)


def test_a_run_on_an_older_cluster_ends_before_images_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made for a cluster that nothing can run on."""
    monkeypatch.setattr(preparation, "_connected", lambda *_: Cluster("v1.20.0"))
    monkeypatch.setattr(preparation, "_images", lambda *_: pytest.fail("images are made"))
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("contexts: [{name: stranger}]", encoding="utf-8")
    request = RunRequest(
        run_id="r", root=tmp_path, working_directory=tmp_path, context="stranger", kubeconfig=kubeconfig
    )
    with pytest.raises(UsageError, match=r"v1\.20\.0"):
        preparation.prepare(request, ["gw0"], print)


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/clusters.md"])
def test_the_documentation_states_the_minimum(page: str) -> None:
    """It is declared once; the pages that repeat it follow."""
    assert f"Kubernetes {versions.shown()} or newer" in (ROOT / page).read_text(encoding="utf-8")


def test_the_minimum_is_a_version_that_can_be_built_and_tested() -> None:
    """A minimum that nobody runs is a guess."""
    assert versions.shown() == recipes.OLDEST
