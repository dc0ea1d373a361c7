"""The components of a node as pure values: layout in; arguments, environment, order and readiness out.

Nothing here starts anything or looks at the machine; :mod:`paddock.node.supervisor` does, and golden tests compare.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.node.layout import NodeLayout


PYTHON = "python"
"""Stands for the supervisor's own interpreter, with this very Paddock: where those lie is no part of what a node is
made of, or every environment would want another node."""

AHEAD = -10
"""Niceness of what answers for the whole cluster. On a cluster of many machines the control plane has its own; here
pods that begin or end would keep it waiting, and with it everybody who watches them. Decision 171 has the figures."""


class Check(Enum):
    """How readiness is found out."""

    ALIVE = "alive"
    """Started is ready: nothing waits for it and it serves no health check."""
    SOCKET = "socket"
    """The unix socket accepts a connection."""
    HTTP = "http"
    """The URL answers 200."""
    API = "api"
    """The path of the API server answers 200 to the administrator."""
    NODE = "node"
    """Kubelet listens and its Node object is Ready."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One process of the node."""

    name: str
    arguments: tuple[str, ...]
    check: Check = Check.ALIVE
    target: str = ""
    """Path, URL or name that ``check`` looks at."""
    early_target: str = ""
    """Target at which ``check`` passes as soon as the component answers at all, for those that wait for no more."""
    after: tuple[str, ...] = ()
    """Components that must be ready before this one is started for the first time."""
    after_serving: tuple[str, ...] = ()
    """Components that must at least have passed their early check by then."""
    environment: Mapping[str, str] = field(default_factory=dict)
    essential: bool = True
    """Whether the node is not up without it."""
    niceness: int = 0
    """Added to the supervisor's own, as nice(1) counts: -20 is served first, 19 last."""


def components(layout: NodeLayout) -> tuple[Component, ...]:
    """Return all components; each stands behind those it waits for."""
    return (
        _etcd(layout),
        _containerd(layout),
        _registry(layout),
        _api_server(layout),
        _controller_manager(layout),
        _scheduler(layout),
        _kubelet(layout),
        _proxy(layout),
        _dns(layout),
        _reaper(layout),
    )


def _etcd(layout: NodeLayout) -> Component:
    unused = "http://127.0.0.1:2380"  # a lone member is never called by peers, but must name an address of this form
    return Component(
        name="etcd",
        niceness=AHEAD,
        arguments=(
            str(layout.binaries.kubernetes / "etcd"),
            "--name=paddock",
            f"--data-dir={layout.state}/etcd",
            f"--listen-client-urls=unix://{layout.etcd_socket}",
            "--advertise-client-urls=http://127.0.0.1:2379",
            f"--listen-peer-urls=unix://{layout.runtime}/etcd-peer.sock",
            f"--initial-advertise-peer-urls={unused}",
            f"--initial-cluster=paddock={unused}",
            "--unsafe-no-fsync",  # right for a throw-away node, wrong for anything else
            "--log-level=warn",
        ),
        check=Check.SOCKET,
        target=str(layout.etcd_socket),
    )


def _containerd(layout: NodeLayout) -> Component:
    return Component(
        name="containerd",
        arguments=(str(layout.binaries.containerd / "containerd"), f"--config={layout.configuration}/containerd.toml"),
        environment={"PATH": layout.binaries.search_path()},
        check=Check.SOCKET,
        target=str(layout.containerd_socket),
    )


def _registry(layout: NodeLayout) -> Component:
    return Component(
        name="registry",
        arguments=(str(layout.binaries.registry / "registry"), "serve", f"{layout.configuration}/registry.yaml"),
        environment={"OTEL_TRACES_EXPORTER": "none"},
        check=Check.HTTP,
        target=f"http://127.0.0.1:{layout.ports.registry}/v2/",
    )


def _api_server(layout: NodeLayout) -> Component:
    keys = layout.keys
    return Component(
        name="kube-apiserver",
        niceness=AHEAD,
        arguments=(
            str(layout.binaries.kubernetes / "kube-apiserver"),
            f"--etcd-servers=unix://{layout.etcd_socket}",
            f"--secure-port={layout.ports.api_server}",
            f"--advertise-address={layout.address}",
            f"--service-cluster-ip-range={layout.service_network}",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--profiling=false",
            f"--tls-cert-file={keys}/apiserver.crt",
            f"--tls-private-key-file={keys}/apiserver.key",
            f"--client-ca-file={keys}/ca.crt",
            f"--kubelet-certificate-authority={keys}/ca.crt",
            f"--kubelet-client-certificate={keys}/apiserver-kubelet.crt",
            f"--kubelet-client-key={keys}/apiserver-kubelet.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={keys}/front-proxy-ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={keys}/front-proxy.crt",
            f"--proxy-client-key-file={keys}/front-proxy.key",
            f"--service-account-key-file={keys}/service-account.pub",
            f"--service-account-signing-key-file={keys}/service-account.key",
            "--service-account-issuer=https://kubernetes.default.svc",
        ),
        after=("etcd",),
        check=Check.API,
        target="/readyz",
        early_target="/version",
    )


def _controller_manager(layout: NodeLayout) -> Component:
    keys = layout.keys
    return Component(
        name="kube-controller-manager",
        niceness=AHEAD,
        arguments=(
            str(layout.binaries.kubernetes / "kube-controller-manager"),
            *_client_flags(layout, "controller-manager"),
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={keys}/service-account.key",
            f"--root-ca-file={keys}/ca.crt",
            f"--cluster-signing-cert-file={keys}/ca.crt",
            f"--cluster-signing-key-file={keys}/ca.key",
            "--concurrent-namespace-syncs=20",  # a run's namespaces go away together
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ),
        after=("kube-apiserver",),
    )


def _scheduler(layout: NodeLayout) -> Component:
    return Component(
        name="kube-scheduler",
        arguments=(str(layout.binaries.kubernetes / "kube-scheduler"), *_client_flags(layout, "scheduler")),
        after=("kube-apiserver",),
    )


def _client_flags(layout: NodeLayout, user: str) -> tuple[str, ...]:
    kubeconfig = layout.configuration / f"{user}.kubeconfig"
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
    )


def _kubelet(layout: NodeLayout) -> Component:
    return Component(
        name="kubelet",
        arguments=(
            str(layout.binaries.kubernetes / "kubelet"),
            f"--config={layout.configuration}/kubelet.yaml",
            f"--kubeconfig={layout.configuration}/kubelet.kubeconfig",
            f"--root-dir={layout.kubelet}",
            f"--hostname-override={layout.name}",
            f"--node-ip={layout.address}",
        ),
        after=("containerd",),
        # a kubelet needs none of the roles and namespaces that the API server makes before it says that it is ready:
        # starting it meanwhile saves more than a second (measured: 1.6 s between the two)
        after_serving=("kube-apiserver",),
        check=Check.NODE,
        target=layout.name,
    )


def _proxy(layout: NodeLayout) -> Component:
    return Component(
        name="kube-proxy",
        arguments=(str(layout.binaries.kubernetes / "kube-proxy"), f"--config={layout.configuration}/proxy.yaml"),
        environment={"PATH": layout.binaries.search_path()},
        after=("kube-apiserver",),
    )


def _dns(layout: NodeLayout) -> Component:
    return Component(
        name="coredns",
        arguments=(str(layout.binaries.kubernetes / "coredns"), f"-conf={layout.configuration}/Corefile"),
        after=("kube-apiserver",),
        check=Check.HTTP,
        target=f"http://127.0.0.1:{layout.ports.dns_ready}/ready",
    )


def _reaper(layout: NodeLayout) -> Component:
    kubeconfig = layout.configuration / "admin.kubeconfig"
    return Component(
        name="reaper",
        # -P: a file of the current folder called like a module of Python must not be run as root's
        arguments=(PYTHON, "-P", "-m", "paddock", "reap", "--watch", f"--kubeconfig={kubeconfig}", "--context=paddock"),
        after=("kubelet", "coredns"),  # its start takes the processor 0.6 s (measured), and nobody waits for it
        essential=False,
    )
