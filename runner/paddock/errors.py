"""The errors of Paddock, named for what the caller can do about them.

::

    PaddockError                    anything Paddock raises on purpose
    ├── UsageError                  the user typed or configured something wrong: say it in one line, exit 4
    └── InfrastructureError         tests could not be run or accounted for: exit 3
        ├── NodeError               the embedded node could not be built, started or removed
        ├── ImageError              an image could not be built or pushed
        ├── ClusterError            the API server refused or did not answer
        │   ├── ClusterUnreachable  no answer: it may come back, so a retry makes sense
        │   ├── NotAllowed          401 or 403: a right is missing, a retry is pointless
        │   ├── NotFound            404: the object is gone
        │   ├── Conflict            409: it exists already or somebody changed it meanwhile
        │   └── Rejected            any other refusal: the request itself is wrong
        ├── LeaseError              a worker's namespace, service or pod did not become ready in time
        └── StreamError             the byte stream to a worker
            ├── StreamClosed        we closed it ourselves
            ├── StreamBroken        the other side or the network went away: dial again
            └── StreamEnded         the worker ended and said so: nothing more will come

Every message is one or more whole sentences that name the value, what was expected and the remedy.
This module imports nothing: every layer may use it.
"""

from __future__ import annotations


class PaddockError(Exception):
    """Anything Paddock raises on purpose; ``str()`` of it is fit for the user's eyes."""

    exit_code = 3
    """Process exit code when the error ends a command: 3, infrastructure failed, unless a subclass knows better."""


class UsageError(PaddockError):
    """The user typed or configured something that cannot be meant: told in one line, without a traceback."""

    exit_code = 4


class InfrastructureError(PaddockError):
    """Tests could not be run or accounted for; never confused with a failing test."""


class NodeError(InfrastructureError):
    """The embedded node could not be built, started or removed."""


class ImageError(InfrastructureError):
    """An image could not be built or pushed."""


class ClusterError(InfrastructureError):
    """The API server refused a request or did not answer it.

    ``status`` is the HTTP status, 0 when there was none; ``retry_after`` the seconds that the server asks to be left
    alone for, 0 when it did not ask.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class ClusterUnreachable(ClusterError):  # noqa: N818 - named for the state of the resource, as the tree explains
    """No usable answer came from the API server; the same request may succeed later."""


class NotAllowed(ClusterError):  # noqa: N818 - see ClusterUnreachable
    """The account lacks a right (401, 403); retrying cannot help."""


class NotFound(ClusterError):  # noqa: N818 - see ClusterUnreachable
    """The object does not exist (404)."""


class Conflict(ClusterError):  # noqa: N818 - see ClusterUnreachable
    """The object exists already, or changed between reading and writing (409)."""


class Rejected(ClusterError):  # noqa: N818 - see ClusterUnreachable
    """The request itself is wrong (any other 4xx)."""


class LeaseError(InfrastructureError):
    """A worker's namespace, service or pod did not become ready within its time limit."""


class StreamError(InfrastructureError):
    """The byte stream to a worker cannot be used any more, for the reason the subclass names."""


class StreamClosed(StreamError):  # noqa: N818 - see ClusterUnreachable
    """This side closed the stream earlier."""


class StreamBroken(StreamError):  # noqa: N818 - see ClusterUnreachable
    """The other side or the network went away without a goodbye; dialling again may work."""


class StreamEnded(StreamError):  # noqa: N818 - see ClusterUnreachable
    """The worker ended and said so; no more bytes will come."""
