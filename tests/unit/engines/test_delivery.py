"""How images reach the nodes of the chosen cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paddock import node
from paddock.cluster.connect import EMBEDDED, Choice
from paddock.engines import delivery, kubernetes
from paddock.engines.request import RunRequest
from paddock.errors import NotAllowed, UsageError
from paddock.images.destinations import AnyRegistry, LocalCluster, NodeRegistry
from paddock.specs import ImageChoices
from tests.unit.cluster.test_choosing_a_cluster import kubeconfig

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = ImageChoices(registry="registry.example.org/team", nodes_registry="mirror:5000/team")
LOCAL = ("kind-dev", "k3d-dev", "minikube")
NOT_LOADING = ("production", "in-cluster", "docker-desktop", "kind-", "paddock")


class Nodes:
    """A cluster that is only asked for its nodes; ``None`` for an account that may not see them."""

    def __init__(self, *held: list[str] | None) -> None:
        self._held = held

    def list_objects(self, _kind: object) -> list[dict[str, Any]]:
        """Return nodes that tell what they hold."""
        if None in self._held:
            raise NotAllowed("no")
        return [{"status": {"images": [{"names": names}, {"sizeBytes": 1}]}} for names in self._held]


def nobody() -> Any:
    pytest.fail("the cluster was asked")


@pytest.fixture
def loaders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search path that has every loading program, and nothing else."""
    for name in ("kind", "k3d", "minikube"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("loaders")
@pytest.mark.parametrize("context", LOCAL)
def test_local_clusters_load_images_unless_a_registry_is_named(context: str) -> None:
    """The context's name decides; a registry wins."""
    choice = Choice(context)
    delivery.check(choice, ImageChoices())
    made = delivery.destination(choice, ImageChoices(), nobody)
    assert isinstance(made, LocalCluster)
    assert made.context == context
    delivery.check(choice, REGISTRY)
    assert isinstance(delivery.destination(choice, REGISTRY, nobody), AnyRegistry)


@pytest.mark.parametrize("context", ["production", "in-cluster", "docker-desktop"])
def test_any_other_cluster_takes_a_registry(context: str, tmp_path: Path) -> None:
    """Pushed to under one name, pulled under another, if there is one."""
    choice = Choice(context, tmp_path)
    delivery.check(choice, REGISTRY)
    made = delivery.destination(choice, REGISTRY, nobody)
    assert isinstance(made, AnyRegistry)
    assert (made.prefix, made.for_nodes) == ("registry.example.org/team", "mirror:5000/team")


@pytest.mark.usefixtures("loaders")
@pytest.mark.parametrize("context", NOT_LOADING)
def test_a_cluster_that_no_image_would_reach_is_refused(context: str, tmp_path: Path) -> None:
    """One sentence, with the option that helps; a copied kubeconfig makes the node anybody's cluster."""
    with pytest.raises(UsageError, match=rf"'{context}'.*--paddock-registry=REGISTRY/PATH"):
        delivery.check(Choice(context, tmp_path), ImageChoices())


@pytest.mark.parametrize("context", LOCAL)
def test_a_loading_program_that_is_missing_is_named(
    context: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before images are made for a minute."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=rf"'{context}' needs the program '{context.partition('-')[0]}'"):
        delivery.check(Choice(context), ImageChoices())


@pytest.mark.usefixtures("loaders")
def test_an_image_of_the_users_wants_a_registry() -> None:
    """It is completed where it lies, by the registry's client."""
    with pytest.raises(UsageError, match=r"'own:1'.*--paddock-registry=REGISTRY/PATH"):
        delivery.check(Choice("kind-dev"), ImageChoices(worker="own:1"))


def test_the_embedded_node_keeps_to_its_own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry in pyproject.toml is meant for the clusters that need one."""
    monkeypatch.setattr(node, "access", lambda: None)
    delivery.check(Choice(EMBEDDED), REGISTRY)
    made = delivery.destination(Choice(EMBEDDED), REGISTRY, nobody)
    assert isinstance(made, NodeRegistry)
    assert made.host == "localhost:5055"


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([["a", "b"], ["b", "c"]], {"b"}),
        ([["a"]], {"a"}),
        ([], set()),
        ([["a"], None], set()),
    ],
)
def test_an_image_is_held_when_every_node_has_it(held: list[list[str] | None], expected: set[str]) -> None:
    """A pod may come to any; where nodes cannot be seen, images are loaded anew."""
    cluster: Any = Nodes(*held)
    assert delivery.held_by_nodes(cluster) == expected


def test_credentials_to_pull_with_are_those_of_the_file(tmp_path: Path) -> None:
    """Word for word: Kubernetes reads what `docker login` writes."""
    text = '{"auths": {"r.example.org": {"auth": "bWU6c2VjcmV0"}}}'
    (tmp_path / "config.json").write_text(text)
    assert delivery.pull_credentials(tmp_path / "config.json") == text
    assert delivery.pull_credentials(None) == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "3", '{"auths": []}', '{"auths": 3}', '{"auths": {"r": {}}, "credsStore": "d"}']
)
def test_a_file_without_credentials_is_refused(text: str, tmp_path: Path) -> None:
    """With the way to one that has them; a helper of Docker keeps them elsewhere."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match=r"config\.json' holds no credentials .* crane auth login"):
        delivery.pull_credentials(tmp_path / "config.json")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Before anything is made."""
    with pytest.raises(UsageError, match=r"config\.json', cannot be read: No such file or directory"):
        delivery.pull_credentials(tmp_path / "config.json")


def test_a_run_that_no_image_would_reach_ends_before_the_node_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is not even made, so nothing can be created; the embedded node stays as it is."""
    monkeypatch.setattr(node, "up", nobody)
    request = RunRequest(
        run_id="k7x2mq",
        root=tmp_path,
        working_directory=tmp_path,
        context="production",
        kubeconfig=kubeconfig(tmp_path, "production"),
    )
    with pytest.raises(UsageError, match="No image would reach"):
        kubernetes.KubernetesEngine(request, print)


def test_a_foreign_cluster_leaves_the_embedded_node_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where to connect is known from the kubeconfig alone."""
    from paddock.engines import preparation  # noqa: PLC0415 - only its parts are looked at here

    for name in ("up", "access"):
        monkeypatch.setattr(node, name, nobody)
    path = kubeconfig(tmp_path, "production")
    request = RunRequest(run_id="k7x2mq", root=tmp_path, working_directory=tmp_path)
    cluster = preparation._connected(Choice("production", path), request, print)
    assert (cluster.context, cluster.server) == ("production", "https://127.0.0.1:1")
