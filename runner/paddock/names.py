"""Naming rules: run ids, namespace names, labels and annotations.

Pure. It must not know clusters, pytest or files; every other layer takes its names from here,
and deletes by label and run record, never by the shape of a name.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "paddock.dev"
"""Prefix of every label and annotation of ours."""

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY_VALUE = "paddock"
COMPONENT = "app.kubernetes.io/component"
RUN = f"{PREFIX}/run"
WORKER = f"{PREFIX}/worker"
SHARED = "shared"
"""Stands for a worker where something serves all workers of a run: in the namespace's name and label."""
PHASE, RUNNING, NOTED_AT = f"{PREFIX}/phase", f"{PREFIX}/running", f"{PREFIX}/noted-at"
"""Annotations of a worker's namespace: what the worker is at, the test that runs now, and as of when."""
AWAITS = f"{PREFIX}/awaits"
"""Annotation of a worker's namespace: the shared device that its next test waits for, as JSON; empty as a rule."""
EXPIRES = f"{PREFIX}/expires"
"""Annotation of namespaces and of records: until when, by the API server's clock, as RFC 3339 writes it."""
KEPT = f"{PREFIX}/kept"
"""Annotation of a namespace that outlives its run to be looked into: why."""
POOL = f"{PREFIX}/pool"
"""Label of a record whose namespaces wait for the next run: of which project and plan."""
ALSO = f"{PREFIX}/also"
"""Label of a record: the id of the run that has taken it over, as its user knows it."""
WAITS_FOR = f"{PREFIX}/waits-for"
"""Annotation of a record: the resources that its run waits for while others hold them, with blanks between."""
NEEDS, HOLDS_UNTIL = f"{PREFIX}/needs-hardware", f"{PREFIX}/holds-hardware-until"
"""Annotations of a record: what a run that waits will hold, and for how many seconds, as JSON; and until when one that
waits no more expects to hold hardware, by the API server's clock, as RFC 3339 writes it."""
RUN_RECORDS_NAMESPACE = "paddock-system"
"""Namespace of the run records: a namespace is ours only if its run is recorded there."""

TRIALS_NAMESPACE = "paddock-trials"
"""Beginning of the namespaces in which pods are tried without being made; the security level follows."""

_DNS_LABEL_LIMIT = 63  # RFC 1123 label, the limit of a namespace name and of a label value
_RUN_ID_ALPHABET = "bcdfghjkmnpqrstvwxz2456789"  # no vowels (no words), no look-alikes; as Kubernetes' generated names
_RUN_ID_LENGTH = 6  # 26**6 = 3e8: two runs at the same time collide about never, and a person can read it out
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


RUN_ID_PATTERN = r"[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?"
RUN_ID_EXPECTED = "1 to 20 lower-case letters, digits and inner hyphens"
"""What a run id looks like, and the same in words: a part of a namespace's name and a label's value."""


def new_run_id() -> str:
    """Draw a run id: six characters, fit for a label value and for a part of a namespace name."""
    return "".join(secrets.choice(_RUN_ID_ALPHABET) for _ in range(_RUN_ID_LENGTH))


def namespace_name(run_id: str, worker: str) -> str:
    """Return the namespace of one worker, such as ``paddock-k7x2mq-gw0``.

    Raises:
        UsageError: the result would not be a DNS label of at most 63 characters.
    """
    name = f"paddock-{run_id}-{worker}".lower()
    if len(name) > _DNS_LABEL_LIMIT or not _NAME.fullmatch(name):
        raise UsageError(
            f"The worker name {worker!r} gives the namespace name {name!r}, which Kubernetes refuses: at most "
            f"{_DNS_LABEL_LIMIT} lower-case letters, digits and inner hyphens are allowed. "
            "Choose a shorter or plainer name.",
        )
    return name


def labels(run_id: str, worker: str | None = None, component: str | None = None) -> dict[str, str]:
    """Return the labels that every object of a run carries; ``worker`` and ``component`` where they apply."""
    optional = {WORKER: worker, COMPONENT: component}
    return {MANAGED_BY: MANAGED_BY_VALUE, RUN: run_id} | {key: value for key, value in optional.items() if value}


def selector(wanted: Mapping[str, str]) -> str:
    """Return a label selector that matches exactly the objects carrying all of ``wanted``."""
    return ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))
