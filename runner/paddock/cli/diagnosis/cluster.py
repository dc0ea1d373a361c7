"""Checks of the cluster: which one, whether it answers, what may be done there, what was left there."""

from __future__ import annotations

import os
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.cli.diagnosis.findings import ANSWER_SECONDS, FAIL, OK, WARN, Finding
from paddock.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.cli.diagnosis.findings import Surroundings
    from paddock.cluster.client import Cluster
    from paddock.images.destinations import Destination
    from paddock.specs import ImageChoices

_NOTICED_SECONDS, _HARMFUL_SECONDS = 5.0, 60.0
"""Clocks apart: from the first on ages are wrong, from the second on certificates and tokens may not be valid yet."""


def answer(here: Surroundings) -> Finding:
    """Whether it is there."""
    if here.cluster is None:
        return Finding(OK, "the embedded node, which is down: a run starts it")
    from paddock.cluster.requests import VERSION  # noqa: PLC0415 - loads the cluster's client

    here.cluster.send(VERSION, deadline=Deadline(ANSWER_SECONDS))
    return Finding(OK, f"context {here.cluster.context} at {here.cluster.server} answers")


def version(here: Surroundings) -> Finding | None:
    """Whether its Kubernetes is new enough; the error of one that is not is the finding."""
    if here.answering is None:
        return None
    from paddock.cluster import versions  # noqa: PLC0415 - loads the cluster's client

    told = versions.require(here.answering, deadline=Deadline(ANSWER_SECONDS))
    return Finding(OK, f"Kubernetes {told}; {versions.shown()} or newer is needed")


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
    from paddock.cluster import requests  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces import rights  # noqa: PLC0415 - as above

    for right in rights.RUN:
        for verb in right.verbs:
            question = requests.review(verb, right.kind, subresource=right.subresource, namespace=right.namespace)
            if not cluster.send(question, deadline=Deadline(ANSWER_SECONDS))["status"].get("allowed"):
                yield f"{verb} {right.resource}"


def images(here: Surroundings) -> Finding | None:
    """The images of this environment: how they reach the cluster's nodes, and whether they are there already."""
    from paddock.engines import delivery  # noqa: PLC0415 - loads the cluster's client
    from paddock.node.building import missing_builds  # noqa: PLC0415 - as above

    choices = here.settings.image_choices(Path.cwd())
    delivery.check(here.choice, choices)
    cluster = here.answering
    if cluster is None:
        return None
    if not here.is_embedded and choices.registry and "registry" in missing_builds():
        return Finding(OK, f"a run brings them to {choices.registry}; its image client is not built yet, to ask there")
    return _found(delivery.destination(here.choice, choices, lambda: cluster), here, choices)


def _found(to: Destination, here: Surroundings, choices: ImageChoices) -> Finding:
    from paddock import images as making  # noqa: PLC0415 - as above
    from paddock.specs import DEFAULT_UID  # noqa: PLC0415 - as above
    from paddock.workers import inpod_files  # noqa: PLC0415 - as above
    from paddock.workers.choice import choose  # noqa: PLC0415 - as above

    wanted, uid = here.settings, os.getuid() or DEFAULT_UID
    sources = choose(Path.cwd(), include=wanted.include, exclude=wanted.exclude, limit=wanted.sources_size)
    roots = [one.root for one in sources]
    absent = making.missing(to, inpod=inpod_files.files(), uid=uid, roots=roots, choices=choices)
    if absent:
        short = [reference.rpartition("/")[2].partition(":")[0] for reference in absent]
        return Finding(WARN, f"Not made yet for this folder and environment: {', '.join(short)}.", "The next run does.")
    return Finding(OK, f"worker, broker and database are at {to.prefix}")


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
