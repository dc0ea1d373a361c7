"""The user's files about who may enter a broker, read once for a run, and the certificate that the run's brokers have.

It must not know how a broker is started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock import names
from paddock.errors import UsageError
from paddock.services import broker
from paddock.specs import BrokerAccess

if TYPE_CHECKING:
    from pathlib import Path

    from paddock.engines.authority import Authority

_RESERVED = frozenset({broker.credentials()["USERNAME"]})
"""Accounts that Paddock makes itself."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """What the user gave."""

    accounts: Path | None = None
    acl: Path | None = None
    tls: bool = False
    ca: Path | None = None
    ca_key: Path | None = None


def read(files: Files, run_id: str) -> BrokerAccess:
    """Return what all brokers of a run have in common.

    Raises:
        UsageError: a file cannot be read or meant.
    """
    accounts = _accounts(files.accounts) if files.accounts else {}
    acl = _text(files.acl).decode() if files.acl else ""
    if not files.tls:
        return BrokerAccess(accounts=accounts, acl=acl)
    signer = _authority(files)
    certificate, key = signer.issue([broker.NAME, f"{broker.NAME}.{names.namespace_name(run_id, names.SHARED)}"])
    from paddock.engines.authority import pem  # noqa: PLC0415 - loads cryptography, which few runs need

    return BrokerAccess(accounts=accounts, acl=acl, authority=pem(signer.certificate), certificate=certificate, key=key)


def _authority(files: Files) -> Authority:
    from paddock.engines import authority  # noqa: PLC0415 - as above

    if files.ca is None or files.ca_key is None:
        return authority.make()
    return authority.given(_text(files.ca), _text(files.ca_key), f"{files.ca} and {files.ca_key}")


def _accounts(file: Path) -> dict[str, str]:
    lines = enumerate(_text(file).decode().splitlines(), start=1)
    return dict(_account(line, f"{file}:{number}") for number, line in lines if line.strip() and line[0] != "#")


def _account(line: str, place: str) -> tuple[str, str]:
    name, _, password = line.partition(":")
    if not name or not password or ":" in password:
        raise UsageError(f"{place} is no account; expected name:password, without a colon in either.")
    if name in _RESERVED:
        raise UsageError(f"{place} names the account {name!r}, which is Paddock's own. Choose another name.")
    return name, password


def _text(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{str(file)!r}, given for the broker, cannot be read: {error.strerror}.") from None
