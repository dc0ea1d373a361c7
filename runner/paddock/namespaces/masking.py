"""Keeps credentials out of what is printed.

Owns what counts as secret: every entry of a Secret but those named here. It must not print anything itself.
"""

from __future__ import annotations

import base64
import copy
from typing import TYPE_CHECKING

from paddock.cluster import requests
from paddock.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

MASK = "***"
OPEN_ENTRIES = frozenset({"USERNAME", "DATABASE", "ACL", "CERTIFICATE", "PORT"})
"""Entries of our Secrets that are no secret; whatever else a Secret holds is one."""

SHORTEST = 6
"""Characters of the shortest value that is masked: shorter ones are found in innocent text as well."""


def masked(manifest: Manifest) -> Manifest:
    """Return the object with the secret entries of a Secret replaced; every other object as it is."""
    if manifest["kind"] != "Secret":
        return manifest
    shown = copy.deepcopy(manifest)
    for field in ("data", "stringData"):
        for entry in (shown.get(field) or {}).keys() - OPEN_ENTRIES:
            shown[field][entry] = MASK
    return shown


def open_entries(cluster: Cluster, namespace: str, name: str) -> dict[str, str]:
    """Return the entries of a Secret that are none; empty where it may not be read."""
    try:
        found = cluster.send(requests.get(requests.SECRET, name, namespace))
    except ClusterError:
        return {}
    entries = (found.get("data") or {}).items()
    return {entry: base64.b64decode(value).decode() for entry, value in entries if entry in OPEN_ENTRIES}


def secrets_of(cluster: Cluster, namespace: str) -> set[str]:
    """Return the secret values of a namespace; none where they may not be read."""
    try:
        found = cluster.list_objects(requests.SECRET, namespace=namespace)
    except ClusterError:
        return set()
    entries = (entry for secret in found for entry in (secret.get("data") or {}).items())
    values = {base64.b64decode(value).decode(errors="replace") for name, value in entries if name not in OPEN_ENTRIES}
    return {value for value in values if len(value) >= SHORTEST}


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret value replaced."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
