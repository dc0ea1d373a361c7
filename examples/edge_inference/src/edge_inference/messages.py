"""Where the broker is, and on which topics requests and verdicts travel."""

from dataclasses import dataclass, field

REQUESTS = "inference/requests/+"


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """Where the broker answers, and who we are there."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)


def request_topic(name: str) -> str:
    """Name the topic of one request."""
    return f"inference/requests/{name}"


def verdict_topic(request: str) -> str:
    """Name the topic on which a request is answered."""
    return request.replace("/requests/", "/verdicts/", 1)
