"""The worker's own MQTT broker: Eclipse Mosquitto in the pod ``broker``.

Pure: credentials and connection facts. The YAML is ``k8s/namespace/broker.yaml``.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from paddock.specs import BrokerAccess, ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "broker"
"""Name of pod, Service and Secret; inside the namespace it is also the host name."""

_OWN_RIGHTS = """
user paddock
topic readwrite #
topic readwrite $SYS/#
topic readwrite $CONTROL/#
topic readwrite $paddock/#
topic readwrite $test/#
"""
"""What Paddock's own account may do, added to the user's list: fixtures clean and drain with it. No wildcard of
Mosquitto's stands for a first level that begins with a dollar sign."""

PER_WORKER_ALIASES = ("TEST_PER_WORKER_BROKERS", "USE_PER_WORKER_BROKERS")
"""Names that suites have for the variable that says whether each worker has a broker of its own."""

USED, ALWAYS, NEVER = "used", "always", "never"
"""After which tests a broker is cleaned: once one of them has used it, always, or never."""


def credentials(password: str = "") -> dict[str, str]:
    """Draw the entries of the Secret: 192 random bits for each worker, in digits that nothing needs to quote.

    A ``password`` that is given is as good as one that is drawn.
    """
    return {"USERNAME": "paddock", "PASSWORD": password or secrets.token_hex(24)}


def entries(access: BrokerAccess) -> dict[str, str]:
    """Return the further entries of the Secret; none for a broker that is open to its one account and speaks no TLS."""
    found = {
        "ACCOUNTS": logins(access),
        "ACL": rights(access),
        "CERTIFICATE": access.certificate,
        "KEY": access.key,
        "PORT": str(access.port) if access.authority else "",
    }
    return {name: value for name, value in found.items() if value}


def logins(access: BrokerAccess) -> str:
    """Return the accounts as Mosquitto's tools read them, a line ``name:password`` each."""
    return "".join(f"{name}:{password}\n" for name, password in access.accounts.items())


def rights(access: BrokerAccess) -> str:
    """Return the whole list of who may use which topics; empty where everybody may use all."""
    return f"{access.acl}\n{_OWN_RIGHTS}" if access.acl else ""


def facts(secret: Mapping[str, str], namespace: str = "", access: BrokerAccess | None = None) -> ServiceFacts:
    """Return how tests reach the broker, in another ``namespace`` if one is given.

    The shortest name: with it the resolver asks once or twice, with the full one it tries three search domains first.
    """
    host = f"{NAME}.{namespace}" if namespace else NAME
    access = access or BrokerAccess()
    return ServiceFacts(
        kind=NAME,
        host=host,
        port=access.port,
        username=secret["USERNAME"],
        password=secret["PASSWORD"],
        authority=access.authority,
        logins=logins(access),
    )
