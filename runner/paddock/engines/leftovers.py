"""Evidence of namespaces that were to go and are still there.

For whoever looks behind a run, in a process that knows nothing of it but its id. It must not delete anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock import names
from paddock.engines.evidence import Evidence
from paddock.namespaces.evidence import Collector
from paddock.namespaces.masking import secrets_of
from paddock.specs import PhaseLimits, Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.cluster.client import Cluster
    from paddock.deadlines import Deadline
    from paddock.engines.evidence import Files, Look
    from paddock.report_folder import ReportFolder

FOLDER = "left"
"""In the folder of a worker, beside what was kept when something failed: the state after the clean-up."""
_SECONDS = PhaseLimits.evidence


def keep(cluster: Cluster, run_id: str, left: Mapping[str, str], report: ReportFolder) -> list[str]:
    """Keep what the cluster shows of the namespaces in ``left``, name -> why; return what is to be told of it."""
    prefix = names.namespace_name(run_id, "gw").removesuffix("gw")
    ours = {name.removeprefix(prefix): name for name in left if name.startswith(prefix)}  # a record may be left as well
    evidence = Evidence(lambda worker: secrets_of(cluster, ours[worker]), report, _SECONDS)
    for worker, name in ours.items():
        evidence.begin(
            worker, {"cause.txt": f"{name} is still there: {left[name]}\n"}, _look(cluster, name), folder=FOLDER
        )
    return evidence.finish(_SECONDS)


def _look(cluster: Cluster, namespace: str) -> Look:
    def look(deadline: Deadline) -> Files:
        return Collector(cluster, namespace, size=Report.size, deadline=deadline).files(dict)

    return look
