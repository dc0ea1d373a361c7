"""One worker's own space of topics on a broker that several workers share: ``test/<worker>/`` before every topic.

Pure. It must not know brokers or clients; ``fixtures.mqtt.namespaced`` puts it to use.
"""

from __future__ import annotations

import re

from paddock.errors import UsageError

ROOT = "test"
"""First level of every namespace."""

_SERVERS = ("$SYS", "$CONTROL")
"""First levels that belong to the broker itself: everybody's, and useless with anything before them."""

_SHARED = "$share"
_ONE_LEVEL = re.compile(r"[^/+#$\0]+")


class TopicNamespace:
    """Translates topics and filters between what a worker's tests say and what its shared broker hears.

    ``a/b`` stands for ``test/gw0/a/b``, both in topics and in filters with ``+`` and ``#``. In a shared subscription,
    ``$share/group/filter``, the filter is what is translated. ``$SYS/…`` and ``$CONTROL/…`` stay as they are: they are
    the broker's own. Any other topic with ``$`` before it, which ``#`` must not match (MQTT 5.0, 4.7.2), stands for
    ``$test/gw0/$…``, which ``#`` does not match either.

    Raises:
        UsageError: the worker's id or the root cannot be one level of a topic.
    """

    def __init__(self, worker_id: str, root: str = ROOT) -> None:
        for name in (worker_id, root):
            if not _ONE_LEVEL.fullmatch(name):
                raise UsageError(
                    f"{name!r} cannot be a level of a topic namespace: expected one or more characters other than "
                    "'/', '+', '#', '$' and NUL. Give a worker id such as 'gw0'.",
                )
        self.worker_id = worker_id
        self.namespace = f"{root}/{worker_id}"

    def __repr__(self) -> str:
        """Name it as it is seen on the broker."""
        return f"TopicNamespace({self.namespace})"

    @property
    def prefix(self) -> str:
        """What stands before every topic, with its slash."""
        return f"{self.namespace}/"

    @property
    def everything(self) -> tuple[str, str]:
        """The two filters, for the broker, that match every topic of this namespace and of no other."""
        return f"{self.prefix}#", f"${self.prefix}#"

    def topic(self, topic: str) -> str:
        """Return the broker's name of a topic; an empty one, as a topic alias of MQTT 5 has it, stays empty."""
        if not topic or _is_servers(topic):
            return topic
        return f"${self.prefix}{topic}" if topic.startswith("$") else f"{self.prefix}{topic}"

    def strip(self, topic: str) -> str:
        """Return a topic as the worker's tests know it; what is not of this namespace stays as it is."""
        for prefix in (self.prefix, f"${self.prefix}"):
            if topic.startswith(prefix):
                return topic.removeprefix(prefix)
        return topic

    def owns(self, topic: str) -> bool:
        """Return whether a message on this topic of the broker's is for this worker: its own, or the broker's."""
        return not topic or _is_servers(topic) or topic.startswith((self.prefix, f"${self.prefix}"))

    def filter(self, pattern: str) -> str:
        """Return the broker's form of a topic filter."""
        share, inner = _parted(pattern)
        return f"{share}{self.topic(inner)}"

    def strip_filter(self, pattern: str) -> str:
        """Return a filter as the worker's tests know it."""
        share, inner = _parted(pattern)
        return f"{share}{self.strip(inner)}"


def _is_servers(topic: str) -> bool:
    return topic.partition("/")[0] in _SERVERS


def _parted(pattern: str) -> tuple[str, str]:
    """Part ``$share/group/`` from its filter; what only begins so is left to the broker, which refuses it."""
    first, *others = pattern.split("/", 2)
    if first != _SHARED:
        return "", pattern
    return (f"{first}/{others[0]}/", others[1]) if len(others) == 2 else (pattern, "")  # noqa: PLR2004 - group and filter
