"""The beginning of a run on a cluster: over namespaces that wait for it, if there are any, else over new ones.

Owns that choice. What waits, and how it is taken over, is decided in ``namespaces.pool``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paddock.engines.run import ClusterRun, pool_key
from paddock.namespaces import pool

if TYPE_CHECKING:
    from paddock.cluster.client import Cluster
    from paddock.specs import RunPlan


def begin(cluster: Cluster, plan: RunPlan, holder: str) -> ClusterRun:
    """Return the run, recorded and led by ``holder``.

    Raises:
        UsageError: a run of that id exists already, or there is no place for the secret that reuse needs.
        ClusterError: nobody could be asked in time.
    """
    key = pool_key(plan) if plan.reuse else ""
    warm = pool.take(cluster, key, plan, holder) if key else None
    if warm is None:
        return ClusterRun(cluster, plan, holder, key)
    return ClusterRun(cluster, replace(plan, run_id=warm.run_id, called=plan.run_id), holder, key, warm.workers)
