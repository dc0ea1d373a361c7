"""A service of the user's own, as a frozen value, and what it is at the address where it listens.

Pure. It must not know clusters, files or pytest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_UNDOUBLED = re.compile(r"(?<!\{)\{\w+\.\w+\}(?!\})")
"""A placeholder that does not stand for itself."""


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Hardware that a service's pod holds in the place of the worker's own."""

    kind: str
    """What tests call it: ``hardware("coral")``."""
    count: int = 1
    resource: str = ""
    """What its pod asks for; empty in a run that gives workers none of the kind, which makes no such service."""


@dataclass(frozen=True, kw_only=True)
class DeclaredService:
    """A service of the user's own in every worker's namespace, beside broker and database."""

    name: str
    """Of pod and Service, so also its host name."""
    port: int
    readiness: Mapping[str, Any]
    """A probe of Kubernetes, as in a container's ``readinessProbe``."""
    image: str | None = None
    """Reference as nodes pull it; ``None`` for the worker's image, that is the project's own environment."""
    objects: Sequence[Mapping[str, Any]] = ()
    """The user's own Kubernetes objects in place of an image: a Pod of this name, and what it needs."""
    command: Sequence[str] = ()
    """Program and arguments; empty for the image's own."""
    local_command: Sequence[str] = ()
    """The same without a cluster, where that is another one."""
    environment: Mapping[str, str] = field(default_factory=dict)
    memory: str = ""
    """Limit as a Kubernetes quantity; empty for that of ``k8s/namespace/declared.yaml``."""
    cpu: str = ""
    """Request, likewise."""
    hardware: Holding | None = None
    """What its pod holds; there is one only where workers have such hardware."""
    url: str = ""
    """How its clients name it, with ``{name.host}`` and ``{name.port}``; empty where nobody said."""
    place: str = ""
    """File and line of its declaration."""

    @property
    def facts(self) -> Sequence[str]:
        """What tests are told of it, as placeholders have it."""
        return ("host", "port", "url") if self.url else ("host", "port")

    @property
    def devices(self) -> Mapping[str, int]:
        """Resource of device plugins -> how many of it its pod holds."""
        return {self.hardware.resource: self.hardware.count} if self.hardware and self.hardware.resource else {}

    @property
    def is_movable(self) -> bool:
        """Whether its command here says where the port belongs, so that it can listen at another one."""
        texts = [*self.own_command, *self.environment.values()]
        return any(f"{{{self.name}.port}}" in _UNDOUBLED.findall(text) for text in texts)

    @property
    def own_command(self) -> Sequence[str]:
        """Program and arguments on this machine; empty where only a cluster can run it."""
        return self.local_command or (() if self.image or self.objects else self.command)

    def listening(self, host: str, port: int, folder: str = "/tmp") -> DeclaredService:  # noqa: S108 - a pod's own
        """Return the service as it is at this address, with ``folder`` to write to.

        They stand in the place of ``{name.host}``, ``{name.port}`` and ``{name.folder}`` in commands, environment, URL
        and probe, and the port in the place of the declared one in the probe.
        """
        values = {f"{{{self.name}.{fact}}}": str(one) for fact, one in _facts(host, port, folder)}

        def put(value: Any, key: str = "") -> Any:  # noqa: ANN401 - as TOML has it
            if isinstance(value, dict):
                return {name: put(inner, name) for name, inner in value.items()}
            if isinstance(value, list | tuple):
                return type(value)(put(inner) for inner in value)
            if isinstance(value, str):
                return _UNDOUBLED.sub(lambda found: values.get(found[0], found[0]), value)
            return port if key == "port" and value == self.port else value

        return replace(
            self,
            port=port,
            command=put(tuple(self.command)),
            local_command=put(tuple(self.local_command)),
            environment=put(dict(self.environment)),
            readiness=put(dict(self.readiness)),
            url=put(self.url),
        )


def _facts(host: str, port: int, folder: str) -> Sequence[tuple[str, object]]:
    return ("host", host), ("port", port), ("folder", folder)
