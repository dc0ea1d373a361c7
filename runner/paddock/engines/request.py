"""What the plugin asks an engine for, as a frozen value.

Pure. It must not know pytest, xdist or clusters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.specs import EVERY_WORKER, BrokerAccess, ImageChoices, PhaseLimits, RunPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from paddock.declared_services import DeclaredService
    from paddock.devices.resources import Hardware, Wanted
    from paddock.specs import Artifacts, Keep, PodAddition, Report
    from paddock.workers.sources import SourceSet


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A run as the user asked for it; the engine adds cluster, images and namespaces."""

    run_id: str
    root: Path
    """pytest's rootdir: its sources are sent."""
    working_directory: Path
    """Where pytest was started."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of every worker process."""
    limits: PhaseLimits = field(default_factory=PhaseLimits)
    deadline: int = 7200
    """Seconds after which the cluster itself ends every pod of the run."""
    lease_duration: int = RunPlan.lease_duration
    """Seconds without a sign of life after which others may end the run."""
    context: str | None = None
    kubeconfig: Path | None = None
    worker_memory: str = "1Gi"
    worker_cpu: str = "100m"
    images: ImageChoices = field(default_factory=ImageChoices)
    sources: Sequence[SourceSet] = ()
    """What is sent: the project's files first, then those of its siblings."""
    artifacts: Artifacts | None = None
    """What is wanted back from the workers, if anything is."""
    report: Report | None = None
    """Where evidence of failures goes, if it is wanted."""
    uid: int | str | None = None
    """User of the pods, ``specs.PLATFORM_UID``, or ``None`` for the one who runs pytest."""
    security: str = "restricted"
    pull_credentials: Path | None = None
    """File as ``docker login`` writes it, with what the cluster's nodes pull with."""
    additions: Sequence[PodAddition] = ()
    """What the user adds to pods."""
    services: Sequence[DeclaredService] = ()
    """Services of the user's own, beside broker and database."""
    hardware: Sequence[Wanted] = ()
    """What the pods of workers hold."""
    hardware_workers: int | str = EVERY_WORKER
    """How many workers' pods; ``specs.FREE_DEVICES`` asks the cluster."""
    devices: Sequence[Hardware] = ()
    """The configured kinds of hardware; whoever hands out devices itself looks for them by these."""
    wait: float = 600.0
    """Seconds to wait for hardware while others hold all of it."""
    simulate: int | None = None
    """How many simulated devices are made for that."""
    keep: Keep | None = None
    """What stays after the run to be looked into, if anything does."""
    shares_broker: bool = False
    """Whether one broker serves all workers."""
    broker: BrokerAccess = field(default_factory=BrokerAccess)
    port_base: int = 20000
    """First of gw0's hundred ports in the local engine."""
    reuse: int | None = None
    """Seconds that namespaces wait for the next run of the project, if they do."""
