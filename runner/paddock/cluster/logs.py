"""A pod's log, line by line, as it is or as it grows, or its last part alone.

Owns the cutting of chunks into lines. It must not know whose pod it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paddock.cluster import requests
from paddock.cluster.translation import unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.cluster.client import Cluster
    from paddock.deadlines import Deadline

_SILENCE_SECONDS = 4 * 3600.0
"""Longest wait for the next line while following, as long as the kubelet keeps an idle stream open by default."""

_ANSWER_SECONDS = 30.0
_CHUNK = 1 << 16
_LAST_LINES = 5000
"""The node sends no more than these of a log whose last part is wanted: its size is not known before."""


def lines(cluster: Cluster, namespace: str, pod: str, *, follow: bool, tail: int | None = None) -> Iterator[str]:
    """Yield the lines of a pod's log, without their ends; ``follow`` goes on until the pod has ended.

    Raises:
        ClusterError: it cannot be read, or the connection was cut.
    """
    request = requests.logs(namespace, pod, follow=follow, tail=tail)
    response = cluster.open(request, silence=_SILENCE_SECONDS if follow else _ANSWER_SECONDS)
    rest = b""
    try:
        for chunk in _chunks(response):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
    except OSError as error:
        raise unreachable(request, error, cluster.server) from error
    finally:
        response.close()
    if rest:
        yield rest.decode(errors="replace")


def last_part(
    cluster: Cluster, namespace: str, pod: str, container: str, *, previous: bool, size: int, deadline: Deadline
) -> str:
    """Return the last lines of a container's log, at most ``size`` bytes; what the deadline cuts off is missing.

    ``previous`` is the log of the container before its last restart.

    Raises:
        ClusterError: it cannot be read.
    """
    request = requests.logs(namespace, pod, container=container, previous=previous, tail=_LAST_LINES)
    response = cluster.open(request, silence=deadline.at_most(_ANSWER_SECONDS) or 0.001)
    kept, cut = b"", False
    try:
        for chunk in _chunks(response):
            kept, cut = (kept + chunk)[-size:], cut or len(kept) + len(chunk) > size
            if deadline.passed:
                break
    except OSError as error:
        raise unreachable(request, error, cluster.server) from error
    finally:
        response.close()
    return (kept.partition(b"\n")[2] if cut else kept).decode(errors="replace")


def _chunks(response: Any) -> Iterator[bytes]:  # noqa: ANN401 - urllib3's response, untyped here
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - loaded with the official client, not before

    try:
        yield from response.stream(_CHUNK)
    except HTTPError as error:
        raise OSError(str(error)) from error
