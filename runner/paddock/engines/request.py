"""What the plugin asks an engine for, as a frozen value.

Pure. It must not know pytest, xdist or clusters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.specs import ImageChoices, PhaseLimits, RunPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from paddock.specs import Artifacts, DeclaredService, PodAddition
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
    uid: int | str | None = None
    """User of the pods, ``specs.PLATFORM_UID``, or ``None`` for the one who runs pytest."""
    security: str = "restricted"
    pull_credentials: Path | None = None
    """File as ``docker login`` writes it, with what the cluster's nodes pull with."""
    additions: Sequence[PodAddition] = ()
    """What the user adds to pods."""
    services: Sequence[DeclaredService] = ()
    """Services of the user's own, beside broker and database."""
