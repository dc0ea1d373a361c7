"""Which cluster: only an allowed one.

Owns the allow-list and the order of choice (an allowed context, the account inside a cluster, the embedded node).
Selecting and connecting are two steps, so that the check stands between them. It must not start a node:
the engine hands in the embedded node's access when there is one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock.cluster import official
from paddock.cluster.client import Cluster
from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOCAL_CONTEXTS = ("kind-*", "k3d-*", "minikube", "docker-desktop", "rancher-desktop", "orbstack", "colima", "paddock")
"""Contexts that are clusters on the user's own machine by their tools' naming; any other must be named by the user."""

EMBEDDED = "paddock"
"""Context of the embedded node."""

_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


INSIDE = "in-cluster"
"""What stands in a context's place for the account inside a cluster."""


@dataclass(frozen=True)
class Choice:
    """The cluster to use: a context of a kubeconfig, the account inside a cluster, or the embedded node."""

    context: str
    kubeconfig: Path | None = None
    in_cluster: bool = False

    @property
    def embedded(self) -> bool:
        """Whether this is the embedded node; its context in a kubeconfig that the user names is any cluster's."""
        return self.context == EMBEDDED and self.kubeconfig is None


def is_allowed(context: str, named: str | None) -> bool:
    """Whether a context may be used: local by its name, or named by the user."""
    return context == named or any(fnmatchcase(context, pattern) for pattern in LOCAL_CONTEXTS)


def choose(named: str | None, kubeconfig: Path | None, environment: Mapping[str, str] = os.environ) -> Choice:
    """Choose a cluster without talking to any.

    ``named`` is the context the user asked for; it allows itself. Without a usable kubeconfig context the embedded
    node is chosen; the caller finds out whether it is up.

    Raises:
        UsageError: the context that would be used is neither local nor named, or a named one does not exist.
    """
    if named == EMBEDDED and kubeconfig is None:
        return Choice(EMBEDDED)
    contexts, current = _contexts(kubeconfig, environment)
    if named is not None:
        return _named(named, contexts, kubeconfig)
    if kubeconfig is None and _inside_a_cluster(environment):
        return Choice(INSIDE, in_cluster=True)
    if current is None and kubeconfig is not None:
        raise UsageError(
            f"The kubeconfig {kubeconfig} has no current context; it has: {', '.join(contexts) or 'none'}. "
            "Name one of them with --paddock-context.",
        )
    if current is None or current == EMBEDDED:
        return Choice(EMBEDDED)
    if not is_allowed(current, named):
        raise UsageError(
            f"The current kube context {current!r} is not a local cluster, and Paddock creates and deletes namespaces. "
            f"Say --paddock-context={current} to allow it, or --paddock-context={EMBEDDED} for the embedded node.",
        )
    return Choice(current, kubeconfig)


def connect(choice: Choice, embedded: Path | None = None) -> Cluster:
    """Return the client for a choice; ``embedded`` is the kubeconfig of the embedded node, which must be up."""
    if choice.in_cluster:
        return Cluster(_account_configuration, choice.context)
    if choice.embedded:
        if embedded is None:
            raise UsageError("The embedded node is not up. Start it with 'paddock node up'.")
        return Cluster(partial(_file_configuration, embedded, EMBEDDED), EMBEDDED)
    load = partial(_file_configuration, choice.kubeconfig, choice.context)
    cluster = Cluster(load, choice.context, _proxy(choice))
    cluster.kubeconfig = choice.kubeconfig
    return cluster


def _named(named: str, contexts: Sequence[str], kubeconfig: Path | None) -> Choice:
    if named not in contexts:
        known = ", ".join(contexts) or "none"
        raise UsageError(
            f"The kube context {named!r} does not exist; the kubeconfig has: {known}. "
            "Name one of them with --paddock-context, or the file with --paddock-kubeconfig.",
        )
    return Choice(named, kubeconfig)


def _contexts(kubeconfig: Path | None, environment: Mapping[str, str]) -> tuple[list[str], str | None]:
    """Return the names of all contexts, and the current one, as kubectl merges files: the first that names it wins.

    Read here and not by the official loader, which takes 0.6 s to import (measured) and is needed only to connect.
    """
    files = [_read(path) for path in _files(kubeconfig, environment)]
    names = [str(context["name"]) for content in files for context in content.get("contexts") or []]
    return names, next((content["current-context"] for content in files if content.get("current-context")), None)


def _files(kubeconfig: Path | None, environment: Mapping[str, str]) -> list[Path]:
    if kubeconfig is not None:
        return [kubeconfig]
    listed = environment.get("KUBECONFIG") or str(Path(environment.get("HOME", "/")) / ".kube" / "config")
    return [path for part in listed.split(os.pathsep) if part and (path := Path(part)).is_file()]


def _read(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - only a run that connects needs it

    try:
        loaded = yaml.safe_load(path.read_text()) or {}
        _ = [context["name"] for context in loaded.get("contexts") or []]
    except (OSError, yaml.YAMLError, AttributeError, TypeError, KeyError) as error:
        raise UsageError(f"The kubeconfig {path} cannot be used: {error}. Correct it or name another one.") from error
    return dict(loaded)


def _proxy(choice: Choice) -> str | None:
    """Return the proxy that the kubeconfig names for the cluster of the chosen context."""
    files = [_read(path) for path in reversed(_files(choice.kubeconfig, os.environ))]  # the first that names it wins
    contexts = {one["name"]: one.get("context", {}) for content in files for one in content.get("contexts") or []}
    clusters = {one["name"]: one.get("cluster", {}) for content in files for one in content.get("clusters") or []}
    named: str | None = clusters.get(contexts[choice.context].get("cluster"), {}).get("proxy-url")
    return named


def _inside_a_cluster(environment: Mapping[str, str]) -> bool:
    return "KUBERNETES_SERVICE_HOST" in environment and _ACCOUNT_TOKEN.is_file()


def _account_configuration() -> Any:  # noqa: ANN401 - the official client is untyped here
    configuration = official.module("client.configuration").Configuration()
    official.module("config.incluster_config").load_incluster_config(client_configuration=configuration)
    return configuration


def _file_configuration(kubeconfig: Path | None, context: str) -> Any:  # noqa: ANN401 - see _account_configuration
    plain = _plain_configuration(kubeconfig, context) if kubeconfig else None
    if plain is not None:
        return plain
    configuration = official.module("client.configuration").Configuration()
    official.module("config.kube_config").load_kube_config(
        str(kubeconfig) if kubeconfig else None,
        context,
        client_configuration=configuration,
    )
    return configuration


def _plain_configuration(kubeconfig: Path, context: str) -> Any | None:  # noqa: ANN401 - see _account_configuration
    """Read a kubeconfig of one cluster and one certificate in files, as the embedded node writes it.

    Everything else returns ``None`` and is the official loader's business; that one costs 0.65 s to import.
    """
    loaded = _read(kubeconfig)
    if [one["name"] for one in loaded["contexts"]] != [context]:
        return None
    cluster, user = loaded["clusters"][0]["cluster"], loaded["users"][0]["user"]
    if set(cluster) != {"server", "certificate-authority"} or set(user) != {"client-certificate", "client-key"}:
        return None
    configuration = official.module("client.configuration").Configuration()
    configuration.host, configuration.ssl_ca_cert = cluster["server"], cluster["certificate-authority"]
    configuration.cert_file, configuration.key_file = user["client-certificate"], user["client-key"]
    return configuration
