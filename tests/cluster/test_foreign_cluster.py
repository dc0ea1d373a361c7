"""A cluster of somebody else's: the embedded node under another name, with a registry that nothing here knows."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from paddock import node
from tests.cluster.on_the_node import project_folder, runner
from tests.contract.plugin.cases import GREEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run
    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs pytest with Paddock in an empty project folder."""
    with project_folder("paddock-foreign") as folder:
        yield runner(folder, tmp_path)


@pytest.fixture
def stranger(embedded_node: EmbeddedNode, tmp_path: Path) -> list[str]:
    """The options that choose the cluster: a copied kubeconfig whose context is called otherwise."""
    loaded = yaml.safe_load(embedded_node.kubeconfig.read_text())
    loaded["contexts"][0]["name"] = loaded["current-context"] = "stranger"
    path = tmp_path / "stranger.kubeconfig"
    path.write_text(yaml.safe_dump(loaded))
    return [f"--paddock-kubeconfig={path}", "--paddock-context=stranger"]


def test_a_cluster_with_a_registry_runs_tests(run: Run, stranger: list[str], registry: str) -> None:
    """Images are pushed under one name and pulled under another; the second run finds them there."""
    pushed = registry.replace("localhost", "127.0.0.1")
    places = [f"--paddock-registry={pushed}/strangers/ci", f"--paddock-nodes-registry={registry}/strangers/ci"]
    first = run("-n2", *stranger, *places, files=GREEN)
    assert (first.code, first.counts) == (0, {"passed": 6}), first
    assert first.last_line == "paddock: namespaces: created 2, deleted 2, left 0"
    tags = [str(node.tool("crane")), "ls", f"{pushed}/strangers/ci/worker"]
    (worker,) = subprocess.run(tags, capture_output=True, text=True, check=True).stdout.split()
    planned = run("-n1", *stranger, *places, "--paddock-plan=json")
    assert f'"image": "{registry}/strangers/ci/worker:{worker}"' in planned.out
    assert "localhost:5055" not in planned.out
    second = run("-n2", *stranger, *places)
    assert second.code == 0, second
    assert "images:" not in second.err


def test_a_cluster_that_no_image_would_reach_is_a_mistake(
    run: Run, stranger: list[str], embedded_node: EmbeddedNode
) -> None:
    """One line, exit code 4, and no object is made: not even the record of a run."""
    before = embedded_node.namespaces()
    result = run("-n2", *stranger, files=GREEN)
    assert result.code == 4, result
    (line,) = [line for line in result.err.splitlines() if line]
    assert "'stranger'" in line
    assert "--paddock-registry=REGISTRY/PATH" in line
    assert embedded_node.namespaces() <= before  # those of other tests may go meanwhile


def test_a_registry_that_nobody_answers_at_ends_the_run(
    run: Run, stranger: list[str], embedded_node: EmbeddedNode
) -> None:
    """The infrastructure failed, told once with the client's words, and no namespace was made for it."""
    before = embedded_node.namespaces()
    result = run("-n2", *stranger, "--paddock-registry=127.0.0.1:9/nobody", files=GREEN)
    assert result.code == 3, result
    assert "connection refused" in result.out + result.err
    assert embedded_node.namespaces() <= before  # those of other tests may go meanwhile
