"""The passwords of a worker's services: drawn by lot, or derived where the next run is to come to the same ones.

It must not know where they are written, nor who reads them.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from paddock.services import broker, database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.specs import BrokerAccess


def draw_credentials(access: BrokerAccess) -> dict[str, Mapping[str, str]]:
    """Draw the entries of all Secrets of one worker: name of the Secret -> its entries."""
    return {broker.NAME: broker.credentials() | broker.entries(access), database.NAME: database.credentials()}


def derive_credentials(secret: bytes, namespace: str, access: BrokerAccess) -> dict[str, Mapping[str, str]]:
    """Return the entries that who has ``secret`` comes to for a namespace, without having to read its Secrets."""

    def password(service: str) -> str:
        return hmac.digest(secret, f"{namespace}/{service}".encode(), "sha256").hex()

    return {
        broker.NAME: broker.credentials(password(broker.NAME)) | broker.entries(access),
        database.NAME: database.credentials(password(database.NAME)),
    }
