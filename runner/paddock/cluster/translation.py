"""Foreign errors into Paddock's own, in one place.

Owns the mapping from HTTP status and transport errors to the error tree. It must not retry or log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paddock.cluster.answers import parsed
from paddock.errors import ClusterError, ClusterUnreachable, Conflict, NotAllowed, NotFound, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def refusal(
    request: Request | str, status: int, body: bytes, server: str, headers: Mapping[str, str] | None = None
) -> ClusterError:
    """Return the error for an answer that is not a success; only a parsed ``Status`` message is quoted."""
    kind = _BY_STATUS.get(status, ClusterUnreachable if status >= _SERVER_ERROR else Rejected)
    message = f"The API server {server} answered {request} with {status}: {_message(body)}"
    return kind(message, status=status, retry_after=_retry_after((headers or {}).get("Retry-After", "")))


def unreachable(request: Request | str, error: BaseException, server: str) -> ClusterUnreachable:
    """Return the error for a request that got no answer."""
    return ClusterUnreachable(
        f"The API server {server} gave no answer to {request} ({_plain(error)}). "
        "Check that it runs ('paddock node status' for the embedded node) and that this machine reaches it.",
    )


def _retry_after(said: str) -> float:
    """Return seconds, of a number or of a date, as RFC 9110 (section 10.2.3) allows; 0 where nothing usable is said."""
    from urllib3.exceptions import InvalidHeader  # noqa: PLC0415 - loaded with the official client, not before
    from urllib3.util import Retry  # noqa: PLC0415 - as above

    try:
        return float(Retry().parse_retry_after(said)) if said else 0.0
    except InvalidHeader:
        return 0.0


def _message(body: bytes) -> str:
    try:
        answer: Any = parsed(body)
    except ValueError:
        return "an answer that is not a Kubernetes Status."
    message = answer.get("message", "") if isinstance(answer, dict) and answer.get("kind") == "Status" else ""
    return str(message)[:_MESSAGE_LIMIT] or "no reason given."


def _plain(error: BaseException) -> str:
    innermost = getattr(error, "reason", None) or error
    return str(innermost)[:_MESSAGE_LIMIT] or type(innermost).__name__
