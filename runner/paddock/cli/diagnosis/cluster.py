"""Checks of the cluster: which one, whether it answers, what may be done there, what was left there."""

from __future__ import annotations

import os
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from paddock.cli.diagnosis.findings import ANSWER_SECONDS, FAIL, OK, WARN, Finding
from paddock.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.cli.diagnosis.findings import Surroundings
    from paddock.cluster.client import Cluster

_NOTICED_SECONDS, _HARMFUL_SECONDS = 5.0, 60.0
"""Clocks apart: from the first on ages are wrong, from the second on certificates and tokens may not be valid yet."""


def answer(here: Surroundings) -> Finding:
    """Whether it is there."""
    if here.cluster is None:
        return Finding(OK, "the embedded node, which is down: a run starts it")
    from paddock.cluster.requests import VERSION  # noqa: PLC0415 - loads the cluster's client

    version = here.cluster.send(VERSION, deadline=Deadline(ANSWER_SECONDS))["gitVersion"]
    return Finding(OK, f"context {here.cluster.context} at {here.cluster.server}, Kubernetes {version}")


def clock(here: Surroundings) -> Finding | None:
    """This machine's clock against the API server's."""
    if here.answering is None:
        return None
    from paddock.cluster.requests import VERSION  # noqa: PLC0415 - loads the cluster's client

    before = time.time()
    response = here.answering.open(VERSION, silence=ANSWER_SECONDS)
    between = (before + time.time()) / 2
    response.close()
    return skew(between - parsedate_to_datetime(response.headers["Date"]).timestamp())


def skew(seconds: float) -> Finding:
    """Return what a difference of clocks means; the server's own has whole seconds only."""
    apart = abs(seconds)
    if apart <= _NOTICED_SECONDS:
        return Finding(OK, "this machine's clock and the cluster's agree")
    which = "ahead of" if seconds > 0 else "behind"
    message = f"This machine's clock is {apart:.0f} s {which} the cluster's."
    return Finding(FAIL if apart > _HARMFUL_SECONDS else WARN, message, "Set both by NTP.")


def rights(here: Surroundings) -> Finding | None:
    """What this account may do."""
    if here.answering is None:
        return None
    missing = list(_missing_rights(here.answering))
    if missing:
        return Finding(FAIL, f"The account lacks: {', '.join(missing)}.", "Have the cluster's owner grant these.")
    return Finding(OK, "the account may do all that a run does")


def _missing_rights(cluster: Cluster) -> Iterator[str]:
    from paddock import names  # noqa: PLC0415 - loads the cluster's client
    from paddock.cluster import requests  # noqa: PLC0415 - as above

    for kind, verbs, subresource in (
        (requests.NAMESPACE, ("create", "get", "list", "patch", "delete"), ""),
        (requests.POD, ("create", "get", "list", "watch", "deletecollection"), ""),
        (requests.POD, ("get", "create"), "exec"),
        (requests.SECRET, ("create",), ""),
        (requests.SERVICE, ("create",), ""),
        (requests.SERVICE_ACCOUNT, ("create",), ""),
        (requests.NETWORK_POLICY, ("create",), ""),
        (requests.LIMIT_RANGE, ("create",), ""),
        (requests.RESOURCE_QUOTA, ("create",), ""),
        (requests.LEASE, ("create", "get", "list", "delete"), ""),
    ):
        place = names.RUN_RECORDS_NAMESPACE if kind is requests.LEASE else ""
        for verb in verbs:
            question = requests.review(verb, kind, subresource=subresource, namespace=place)
            if not cluster.send(question, deadline=Deadline(ANSWER_SECONDS))["status"].get("allowed"):
                yield f"{verb} {'/'.join(filter(None, (kind.plural, subresource)))}"


def images(here: Surroundings) -> Finding | None:
    """The images of this environment, which are made once."""
    if not here.is_embedded:
        return None
    from pathlib import Path  # noqa: PLC0415 - for the embedded node only

    from paddock import images as making  # noqa: PLC0415 - as above
    from paddock import node  # noqa: PLC0415 - as above
    from paddock.images.registry import missing  # noqa: PLC0415 - as above
    from paddock.specs import DEFAULT_UID  # noqa: PLC0415 - as above
    from paddock.workers import inpod_files  # noqa: PLC0415 - as above
    from paddock.workers.choice import choose  # noqa: PLC0415 - as above

    access = node.access()
    if access is None:
        return None
    wanted, folder, uid = here.settings, Path.cwd(), os.getuid() or DEFAULT_UID
    sources = choose(folder, include=wanted.include, exclude=wanted.exclude, limit=wanted.sources_size)
    found, _ = making.expected(
        access.registry,
        inpod=inpod_files.files(),
        uid=uid,
        roots=[one.root for one in sources],
        choices=wanted.image_choices(folder),
    )
    absent = missing(access.registry, (found.worker, found.broker, found.database))
    if absent:
        short = [reference.rpartition("/")[2].partition(":")[0] for reference in absent]
        return Finding(WARN, f"Not made yet for this folder and environment: {', '.join(short)}.", "The next run does.")
    return Finding(OK, "worker, broker and database are in the registry")


def leftovers(here: Surroundings) -> Finding | None:
    """Runs whose leader has ended without giving them back."""
    if here.answering is None:
        return None
    from paddock.engines.preparation import has_gone  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces import inventory  # noqa: PLC0415 - as above

    runs = inventory.read(here.answering)
    left = [run.run_id for run in runs if has_gone(run.holder)]
    if left:
        return Finding(WARN, f"Runs that nobody leads any more: {', '.join(left)}.", "paddock down")
    return Finding(OK, f"under way: {', '.join(run.run_id for run in runs)}; none left behind" if runs else "no runs")
