"""A run on a cluster as a list of objects, without a cluster.

Owns the order of the list, which is that of their making. It must not make anything, nor ask a cluster or a registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock import images
from paddock.cluster import connect
from paddock.engines import delivery, equipment
from paddock.engines.credentials import draw_credentials
from paddock.engines.preparation import check, holder, make_plan, pod_user
from paddock.engines.run import worker_objects
from paddock.namespaces import manifests, records
from paddock.namespaces.masking import masked
from paddock.specs import DEFAULT_UID
from paddock.workers import inpod_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.cluster.requests import Manifest
    from paddock.engines.request import RunRequest
    from paddock.specs import RunPlan


def planned(request: RunRequest, workers: Sequence[str]) -> list[Manifest]:
    """Return every object of the run; what is secret is masked.

    Raises:
        UsageError: the request cannot be meant, or images cannot be made of this machine.
    """
    check(request)
    uid = pod_user(request) or DEFAULT_UID
    roots = [one.root for one in request.sources]
    library = inpod_files.files()
    choice = connect.choose(request.context, request.kubeconfig)
    to = delivery.destination(choice, request.images, lambda: connect.connect(choice))
    made, python = images.expected(to, inpod=library, uid=uid, roots=roots, choices=request.images)
    return objects(make_plan(request, workers, made, python))


def objects(plan: RunPlan) -> list[Manifest]:
    """Return every object of a run: its record, what workers share, each worker's, all in the order of their making."""
    of_run = [records.namespace_manifest(), records.manifest(plan.run_id, holder(), plan.lease_duration)]
    places = manifests.places(plan, plan.workers)
    holders = plan.workers[: plan.hardware_workers]
    plans = {place: plan if place in holders else equipment.without(plan) for place in places}
    of_places = [worker_objects(one, place, draw_credentials(plan.broker)).all() for place, one in plans.items()]
    return [masked(manifest) for group in (of_run, *of_places) for manifest in group]
