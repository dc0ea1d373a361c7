"""The components' configuration files as pure values: layout in, file name and text out.

Kubernetes' own formats are built as data and dumped as YAML, containerd's as TOML. It must not write anything.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import yaml

from paddock.node.layout import CLUSTER_DOMAIN, CONTEXT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from paddock.node.layout import NodeLayout

_USERS = ("admin", "controller-manager", "scheduler", "proxy", "dns", "kubelet")
_MORE_THAN_ANY_RUN_NEEDS = 250  # pods of one node; 110 is kubelet's default and ends at some 35 workers of three pods


def files(layout: NodeLayout) -> dict[str, str]:
    """Return every configuration file: name inside :attr:`NodeLayout.configuration` -> text."""
    return {
        "containerd.toml": toml(containerd(layout)),
        f"certs.d/{layout.registry}/hosts.toml": toml({"server": f"http://127.0.0.1:{layout.ports.registry}"}),
        "cni/10-paddock.conflist": json.dumps(network(layout), indent=2) + "\n",
        "kubelet.yaml": yaml.safe_dump(kubelet(layout)),
        "proxy.yaml": yaml.safe_dump(proxy(layout)),
        "registry.yaml": yaml.safe_dump(registry(layout)),
        "Corefile": corefile(layout),
        **{f"{user}.kubeconfig": yaml.safe_dump(component_kubeconfig(layout, user)) for user in _USERS},
    }


def containerd(layout: NodeLayout) -> dict[str, Any]:
    """Return containerd's configuration."""
    runc = {"runtime_type": "io.containerd.runc.v2", "options": {"Root": str(layout.runtime / "runc")}}
    runtime = {
        "restrict_oom_score_adj": layout.restrict_oom_score_adj,
        # without it a device handed to a pod stays unreadable for the pod's non-root user
        "device_ownership_from_security_context": True,
        "netns_mounts_under_state_dir": True,  # below our own folder, where `down` finds them
        "enable_criu": False,
        "cni": {
            "bin_dirs": [str(layout.binaries.cni)],
            "conf_dir": str(layout.configuration / "cni"),
            "use_internal_loopback": True,  # one program fewer to start per pod
        },
        "containerd": {"runtimes": {"runc": runc}},
    }
    images = {
        "snapshotter": "overlayfs",
        "pinned_images": {"sandbox": layout.pause_image},
        "registry": {"config_path": str(layout.configuration / "certs.d")},
    }
    return {
        "version": 4,
        "root": str(layout.state / "containerd"),
        "state": str(layout.runtime / "containerd"),
        "disabled_plugins": ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"],
        "imports": [],
        "plugins": {
            "io.containerd.cri.v1.images": images,
            "io.containerd.cri.v1.runtime": runtime,
            "io.containerd.metadata.v1.bolt": {"no_sync": True},  # a throw-away node survives no power cut anyway
            "io.containerd.shim.v1.manager": {"socket_dir": str(layout.runtime / "shims")},
            "io.containerd.server.v1.grpc": {"address": str(layout.containerd_socket)},
            "io.containerd.server.v1.ttrpc": {"address": f"{layout.containerd_socket}.ttrpc"},
        },
    }


def network(layout: NodeLayout) -> dict[str, Any]:
    """Return the CNI network: a routed link per pod (``ptp``), masqueraded by nftables where it leaves the machine."""
    address_management = {
        "type": "host-local",
        "dataDir": str(layout.runtime / "cni"),
        "ranges": [[{"subnet": layout.pod_network}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugin = {"type": "ptp", "ipMasq": True, "ipMasqBackend": "nftables", "ipam": address_management}
    return {"cniVersion": "1.0.0", "name": "paddock", "plugins": [plugin]}


def kubelet(layout: NodeLayout) -> dict[str, Any]:
    """Return kubelet's configuration."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.address,
        "port": layout.ports.kubelet,
        "healthzPort": 0,
        "podLogsDir": str(layout.state / "pod-logs"),
        "volumePluginDir": str(layout.kubelet / "volume-plugins"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.keys / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.keys / "kubelet.crt"),
        "tlsPrivateKeyFile": str(layout.keys / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": layout.cgroup_version != 1,  # deprecated upstream, and still what many machines have
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "makeIPTablesUtilChains": False,
        "clusterDomain": CLUSTER_DOMAIN,
        "clusterDNS": [layout.dns_service],
        "resolvConf": "",
        "maxPods": _MORE_THAN_ANY_RUN_NEEDS,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "imageGCHighThresholdPercent": 100,  # never: it would remove the images between two runs
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "registerNode": True,
    }


def proxy(layout: NodeLayout) -> dict[str, Any]:
    """Return kube-proxy's configuration."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(layout.configuration / "proxy.kubeconfig")},
        "clusterCIDR": layout.pod_network,
        "hostnameOverride": layout.name,
        "healthzBindAddress": "",
        "metricsBindAddress": "",
        "conntrack": {
            "maxPerCore": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },  # leave the machine's
        "nftables": {"minSyncPeriod": "100ms"},  # default 1 s: a new Service would be reachable that much later
    }


def registry(layout: NodeLayout) -> dict[str, Any]:
    """Return the configuration of the image registry."""
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(layout.images)}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{layout.ports.registry}", "secret": "one process, nothing shared"},
    }


def corefile(layout: NodeLayout) -> str:
    """Return CoreDNS' configuration: cluster names from the API server, all others from the machine's name servers."""
    forward = f"    forward . {' '.join(layout.name_servers)}\n" if layout.name_servers else ""
    return f""".:{layout.ports.dns} {{
    bind {layout.address}
    errors
    ready 127.0.0.1:{layout.ports.dns_ready}
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
        kubeconfig {layout.configuration / "dns.kubeconfig"} {CONTEXT}
        ttl 1
        fallthrough in-addr.arpa
    }}
{forward}    cache 5 {{
        disable success {CLUSTER_DOMAIN}
        disable denial {CLUSTER_DOMAIN}
    }}
}}
"""


def component_kubeconfig(layout: NodeLayout, user: str) -> dict[str, Any]:
    """Return the kubeconfig of a component, which names the files of its certificate."""
    cluster = {"server": layout.server, "certificate-authority": str(layout.keys / "ca.crt")}
    pair = {"client-certificate": str(layout.keys / f"{user}.crt"), "client-key": str(layout.keys / f"{user}.key")}
    return _kubeconfig(cluster, pair)


def admin_kubeconfig(layout: NodeLayout) -> str:
    """Return the administrator's kubeconfig, certificates and key inside it; reads them from the layout's keys."""
    cluster = {"server": layout.server, "certificate-authority-data": _encoded(layout.keys / "ca.crt")}
    pair = {
        "client-certificate-data": _encoded(layout.keys / "admin.crt"),
        "client-key-data": _encoded(layout.keys / "admin.key"),
    }
    return yaml.safe_dump(_kubeconfig(cluster, pair))


def _kubeconfig(cluster: Mapping[str, str], user: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": dict(cluster)}],
        "users": [{"name": CONTEXT, "user": dict(user)}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
    }


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def toml(values: Mapping[str, Any]) -> str:
    """Return nested mappings of strings, numbers, booleans and lists of them as TOML, whose such values are JSON's."""
    return "\n".join(_toml_lines(values, ())) + "\n"


def _toml_lines(values: Mapping[str, Any], table: tuple[str, ...]) -> list[str]:
    scalars = [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict)]
    header = [f"[{'.'.join(json.dumps(part) for part in table)}]"] if table and scalars else []
    tables = (_toml_lines(value, (*table, key)) for key, value in values.items() if isinstance(value, dict))
    return header + scalars + [line for lines in tables for line in lines]
