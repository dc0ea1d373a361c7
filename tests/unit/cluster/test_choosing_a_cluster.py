"""Which cluster may be used at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from paddock.cluster.connect import EMBEDDED, Choice, choose, is_allowed
from paddock.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def kubeconfig(folder: Path, *contexts: str, current: str = "") -> Path:
    """Write a kubeconfig of these contexts."""
    path = folder / "config"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": current or contexts[0],
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in contexts],
            },
        ),
    )
    return path


@pytest.mark.parametrize("context", ["kind-dev", "k3d-a", "minikube", "docker-desktop", "colima", "paddock"])
def test_contexts_that_local_tools_name_are_allowed(context: str) -> None:
    """A cluster on the user's own machine needs no naming."""
    assert is_allowed(context, None)


@pytest.mark.parametrize("context", ["production", "kindergarten", "my-minikube", "gke_project_zone_name"])
def test_any_other_context_is_refused_until_named(context: str) -> None:
    """A cluster that may be shared is used only by its name."""
    assert not is_allowed(context, None)
    assert is_allowed(context, context)


def test_a_foreign_current_context_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """The refusal names the context and both ways out."""
    with pytest.raises(UsageError, match=r"'production'.*--paddock-context=production.*--paddock-context=paddock"):
        choose(None, kubeconfig(tmp_path, "production"), {})


def test_a_named_context_is_used(tmp_path: Path) -> None:
    """Naming a context allows it."""
    path = kubeconfig(tmp_path, "production", "other")
    assert choose("other", path, {}) == Choice("other", path)


def test_a_named_context_that_does_not_exist_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """The refusal lists what there is."""
    with pytest.raises(UsageError, match=r"'nope'.*does not exist.*production"):
        choose("nope", kubeconfig(tmp_path, "production"), {})


def test_without_any_kubeconfig_the_embedded_node_is_chosen(tmp_path: Path) -> None:
    """A newcomer's machine has no kubeconfig."""
    assert choose(None, None, {"HOME": str(tmp_path)}) == Choice(EMBEDDED)


def test_the_embedded_node_can_be_named_beside_a_foreign_current_context(tmp_path: Path) -> None:
    """The remedy that the refusal names works."""
    environment = {"KUBECONFIG": str(kubeconfig(tmp_path, "production"))}
    assert choose(EMBEDDED, None, environment) == Choice(EMBEDDED)


def test_a_local_current_context_is_chosen(tmp_path: Path) -> None:
    """What kubectl would talk to is used when it is local."""
    path = kubeconfig(tmp_path, "kind-dev")
    assert choose(None, path, {}) == Choice("kind-dev", path)


def test_a_broken_kubeconfig_is_one_sentence(tmp_path: Path) -> None:
    """No traceback of another library reaches the user."""
    path = tmp_path / "config"
    path.write_text("contexts: 3\n")
    with pytest.raises(UsageError, match="cannot be used"):
        choose(None, path, {})
