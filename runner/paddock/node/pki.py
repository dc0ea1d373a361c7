"""The node's certificate authorities, certificates and keys.

Owns what is signed by whom and how it lies on the disk: keys 0600 in a folder 0700.
It must not know which component uses which file.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LIFETIME = dt.timedelta(days=365)  # a node lives for hours or days; a year is never the reason it stops
_LEFT = dt.timedelta(days=30)  # a certificate that ends sooner is not kept over an upgrade
_CLOCK_SKEW = dt.timedelta(hours=1)
_AUTHORITIES = ("ca", "front-proxy-ca")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One certificate: the user it names and the addresses it may serve."""

    file: str
    common_name: str
    group: str = ""
    dns_names: Sequence[str] = ()
    addresses: Sequence[str] = ()
    authority: str = "ca"


@dataclass(frozen=True)
class _Signer:
    name: x509.Name
    key: ec.EllipticCurvePrivateKey


def identities(*, node: str, address: str, service_address: str) -> tuple[Identity, ...]:
    """Return the certificates of a node called ``node`` at ``address``."""
    api_names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    api_addresses = ("127.0.0.1", address, service_address)
    return (
        Identity(file="apiserver", common_name="kube-apiserver", dns_names=api_names, addresses=api_addresses),
        Identity(file="apiserver-kubelet", common_name="kube-apiserver-kubelet-client", group="system:masters"),
        Identity(file="front-proxy", common_name="front-proxy-client", authority="front-proxy-ca"),
        Identity(file="admin", common_name="paddock-admin", group="system:masters"),
        Identity(file="controller-manager", common_name="system:kube-controller-manager"),
        Identity(file="scheduler", common_name="system:kube-scheduler"),
        Identity(file="proxy", common_name="system:kube-proxy"),
        Identity(file="dns", common_name="system:coredns"),
        Identity(
            file="kubelet",
            common_name=f"system:node:{node}",
            group="system:nodes",
            dns_names=(node,),
            addresses=(address, "127.0.0.1"),
        ),
    )


def write(folder: Path, wanted: Sequence[Identity]) -> None:
    """Make authorities, certificates and the service account key afresh in ``folder``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    signers = {name: _write_authority(folder, name) for name in _AUTHORITIES}
    for identity in wanted:
        _write_certificate(folder, identity, signers[identity.authority])
    _write_service_account_key(folder)


def fit(folder: Path, wanted: Sequence[Identity]) -> bool:
    """Tell whether the certificates are there, name what is wanted, and are valid for a while."""
    return all(_fits(folder / f"{identity.file}.crt", identity) for identity in wanted)


def _fits(file: Path, identity: Identity) -> bool:
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        return False
    valid = found.not_valid_after_utc > dt.datetime.now(dt.UTC) + _LEFT
    return valid and found.subject == _name_of(identity) and _names_in(found) == _alternative_names(identity)


def _names_in(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(extension.value)


def _write_authority(folder: Path, name: str) -> _Signer:
    signer = _Signer(_subject(f"paddock-{name}", ""), ec.generate_private_key(ec.SECP256R1()))
    basic = x509.BasicConstraints(ca=True, path_length=None)
    builder = _builder(signer.name, signer.name, signer.key).add_extension(basic, critical=True)
    _write_pair(folder, name, builder.sign(signer.key, hashes.SHA256()), signer.key)
    return signer


def _write_certificate(folder: Path, identity: Identity, signer: _Signer) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    builder = _builder(_name_of(identity), signer.name, key).add_extension(usage, critical=False)
    if names := _alternative_names(identity):
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    _write_pair(folder, identity.file, builder.sign(signer.key, hashes.SHA256()), key)


def _alternative_names(identity: Identity) -> list[x509.GeneralName]:
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in identity.addresses]
    return [*map(x509.DNSName, identity.dns_names), *addresses]


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _CLOCK_SKEW,
        not_valid_after=now + _LIFETIME,
    )


def _name_of(identity: Identity) -> x509.Name:
    return _subject(identity.common_name, identity.group)


def _subject(common_name: str, group: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if group:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(attributes)


def _write_service_account_key(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )
    _write_private(folder / "service-account.key", _pem(key))
    _write_private(folder / "service-account.pub", public)


def _write_pair(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    _write_private(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    _write_private(folder / f"{name}.key", _pem(key))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    encryption = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600
    )  # never readable by others, not even briefly
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(content)
