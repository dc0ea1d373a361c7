"""The worker's own database server: PostgreSQL in the pod ``database``.

Pure: credentials and connection facts. The YAML is ``k8s/namespace/database.yaml``.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from paddock.specs import ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "database"
"""Name of pod, Service and Secret; inside the namespace it is also the host name."""

PORT = 5432


def credentials(password: str = "") -> dict[str, str]:
    """Draw the entries of the Secret: 192 random bits for each worker, in digits that nothing needs to quote.

    A ``password`` that is given is as good as one that is drawn.
    """
    return {"USERNAME": "postgres", "PASSWORD": password or secrets.token_hex(24), "DATABASE": "postgres"}


def facts(secret: Mapping[str, str]) -> ServiceFacts:
    """Return how tests reach the server; the short name, as for the broker: one question to the resolver."""
    return ServiceFacts(
        kind=NAME,
        host=NAME,
        port=PORT,
        username=secret["USERNAME"],
        password=secret["PASSWORD"],
        database=secret["DATABASE"],
    )
