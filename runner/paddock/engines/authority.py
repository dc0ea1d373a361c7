"""The authority that a run's brokers have their certificate from: made for the run, or the user's own.

Owns what is in the certificates: as much as OpenSSL's strict mode asks for, which is Python's default from 3.13 on. It
must not know who uses them.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIFETIME = dt.timedelta(days=365)  # what is kept or waits for the next run lives for hours; a year is never the reason
_CLOCK_SKEW = dt.timedelta(hours=1)
_HERE = ipaddress.IPv4Address("127.0.0.1")

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Authority(NamedTuple):
    """Who signs."""

    certificate: x509.Certificate
    key: _Key

    def issue(self, names: Sequence[str]) -> tuple[str, str]:
        """Return certificate and key, as PEM, of a server that is reached by these names or on this machine."""
        key = ec.generate_private_key(ec.SECP256R1())
        known = [*map(x509.DNSName, names), x509.DNSName("localhost"), x509.IPAddress(_HERE)]
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = (
            _builder(names[0], self.certificate.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(known), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(signer, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return pem(made), private.decode()


def make() -> Authority:
    """Return an authority that nobody else has."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("paddock-brokers")
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder("paddock-brokers", name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(made, key)


def given(certificate: bytes, key: bytes, place: str) -> Authority:
    """Return the user's own authority; ``place`` names its files.

    Raises:
        UsageError: they are not certificate and key of an authority.
    """
    try:
        found = Authority(x509.load_pem_x509_certificate(certificate), _private(key))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{place} cannot be used: {error}. Expected a certificate and an open key, as PEM.") from None
    if found.certificate.public_key() != found.key.public_key():
        raise UsageError(f"{place} do not belong together: the key is not that of the certificate.")
    return found


def _private(text: bytes) -> _Key:
    key = serialization.load_pem_private_key(text, None)
    if not isinstance(key, _Key):
        raise ValueError(f"a key of the kind {type(key).__name__} is not known here, only RSA and elliptic curves")  # noqa: TRY004 - told as every other mistake in the file
    return key


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=_name(name),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _CLOCK_SKEW,
        not_valid_after=now + _LIFETIME,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
