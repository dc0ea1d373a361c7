"""The worker's own MQTT broker: Eclipse Mosquitto in the pod ``broker``.

Pure: credentials and connection facts. The YAML is ``k8s/namespace/broker.yaml``.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from paddock.specs import ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "broker"
"""Name of pod, Service and Secret; inside the namespace it is also the host name."""

PORT = 1883


def credentials() -> dict[str, str]:
    """Draw the entries of the Secret: 192 random bits for each worker, in digits that nothing needs to quote."""
    return {"USERNAME": "paddock", "PASSWORD": secrets.token_hex(24)}


def facts(secret: Mapping[str, str]) -> ServiceFacts:
    """Return how tests reach the broker.

    The short name: with it the resolver asks once, with the full one it tries three search domains first.
    """
    return ServiceFacts(kind=NAME, host=NAME, port=PORT, username=secret["USERNAME"], password=secret["PASSWORD"])
