"""Where everything of one embedded node lies: folders, ports, networks, binaries.

A frozen value that ``up`` makes once and every other part reads. It must not touch the machine:
what it says is found out by :mod:`paddock.node.machine` and carried out by others.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from paddock.node.places import KUBELET, RUNTIME, STATE

CLUSTER_DOMAIN = "cluster.local"
CONTEXT = "paddock"
"""Name of cluster, user and context in the administrator's kubeconfig."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """TCP ports of the node; ``dns`` also on UDP. ``up`` replaces a port in use by the next free one."""

    api_server: int = 6443
    kubelet: int = 10250
    registry: int = 5055
    """Not 5000, where other registries (and a desktop's services) like to sit."""
    dns: int = 10053
    dns_ready: int = 10054


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """Folders with the programs of the node, as :mod:`paddock.node.building` made them."""

    kubernetes: Path
    containerd: Path
    cni: Path
    registry: Path
    system: Path
    """Programs of the distribution: ``runc`` and ``nft``."""

    def search_path(self) -> str:
        """Return the PATH that containerd and kube-proxy find their helpers on."""
        ours = (self.containerd, self.cni, self.system)
        return ":".join([*map(str, ours), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])


@dataclass(frozen=True, kw_only=True)
class NodeLayout:
    """Everything that decides how the components of a node are started."""

    address: str
    """IPv4 address of the machine that pods reach; kubelet refuses one on loopback."""
    binaries: Binaries
    images: Path
    """Folder of the registry: it outlives the node, so that images need not be pushed again."""
    pause_image: str
    cgroup_version: int
    restrict_oom_score_adj: bool
    """True without CAP_SYS_RESOURCE: containerd then leaves the scores it may not lower."""
    name_servers: tuple[str, ...] = ()
    """Where names outside the cluster are asked for; none: only cluster names resolve."""
    ports: Ports = field(default_factory=Ports)
    state: Path = STATE
    runtime: Path = RUNTIME
    kubelet: Path = KUBELET
    name: str = "paddock"
    pod_network: str = "10.244.0.0/16"
    service_network: str = "10.96.0.0/16"
    cgroup: str = "paddock"
    """Cgroup below which all processes of the node live, components and pods alike."""

    @property
    def configuration(self) -> Path:
        """Folder of the components' configuration files."""
        return self.state / "configuration"

    @property
    def keys(self) -> Path:
        """Folder of certificates and private keys, 0700."""
        return self.state / "keys"

    @property
    def logs(self) -> Path:
        """Folder of one log file per component."""
        return self.state / "logs"

    @property
    def containerd_socket(self) -> Path:
        """Socket that kubelet speaks CRI on."""
        return self.runtime / "containerd.sock"

    @property
    def etcd_socket(self) -> Path:
        """Socket of etcd: a file that only root reaches instead of a port that everybody does."""
        return self.runtime / "etcd.sock"

    @property
    def server(self) -> str:
        """URL of the API server from this machine."""
        return f"https://127.0.0.1:{self.ports.api_server}"

    @property
    def registry(self) -> str:
        """Host part of an image reference in the node's registry."""
        return f"localhost:{self.ports.registry}"

    @property
    def kubernetes_service(self) -> str:
        """Address of the API server's Service: the first one of the service network."""
        return str(ipaddress.ip_network(self.service_network)[1])

    @property
    def dns_service(self) -> str:
        """Address of the cluster's DNS Service: by custom the tenth one."""
        return str(ipaddress.ip_network(self.service_network)[10])

    def to_json(self) -> str:
        """Return the layout as JSON, for the supervisor and for ``down``."""
        return json.dumps(asdict(self), default=str, indent=1)


def from_json(text: str) -> NodeLayout:
    """Return the layout that :meth:`NodeLayout.to_json` wrote; what only another version knows is left out."""
    known = {each.name for each in fields(NodeLayout)}
    values: dict[str, Any] = {key: value for key, value in json.loads(text).items() if key in known}
    paths = {key: Path(values[key]) for key in ("images", "state", "runtime", "kubelet")}
    nested = {
        "binaries": Binaries(**{key: Path(value) for key, value in values["binaries"].items()}),
        "ports": Ports(**values["ports"]),
        "name_servers": tuple(values["name_servers"]),
    }
    return NodeLayout(**values | paths | nested)
