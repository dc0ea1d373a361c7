"""Foreign errors into Paddock's own, in one place.

Owns the mapping from HTTP status and transport errors to the error tree. It must not retry or log.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paddock.errors import ClusterError, ClusterUnreachable, Conflict, NotAllowed, NotFound, Rejected

if TYPE_CHECKING:
    from paddock.cluster.requests import Request

_MESSAGE_LIMIT = 300  # characters: long enough for a quota message, too short to fill a screen

_SERVER_ERROR = 500

_BY_STATUS: dict[int, type[ClusterError]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: Conflict,
    429: ClusterUnreachable,
}


def refusal(request: Request | str, status: int, body: bytes, server: str) -> ClusterError:
    """Return the error for an answer that is not a success; only a parsed ``Status`` message is quoted."""
    kind = _BY_STATUS.get(status, ClusterUnreachable if status >= _SERVER_ERROR else Rejected)
    return kind(f"The API server {server} answered {request} with {status}: {_message(body)}", status=status)


def unreachable(request: Request | str, error: BaseException, server: str) -> ClusterUnreachable:
    """Return the error for a request that got no answer."""
    return ClusterUnreachable(
        f"The API server {server} gave no answer to {request} ({_plain(error)}). "
        "Check that it runs ('paddock node status' for the embedded node) and that this machine reaches it.",
    )


def _message(body: bytes) -> str:
    try:
        parsed: Any = json.loads(body)
    except ValueError:
        return "an answer that is not a Kubernetes Status."
    message = parsed.get("message", "") if isinstance(parsed, dict) and parsed.get("kind") == "Status" else ""
    return str(message)[:_MESSAGE_LIMIT] or "no reason given."


def _plain(error: BaseException) -> str:
    innermost = getattr(error, "reason", None) or error
    return str(innermost)[:_MESSAGE_LIMIT] or type(innermost).__name__
