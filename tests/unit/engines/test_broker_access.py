"""Who may enter a broker: read once, told in one sentence where it cannot be meant, and signed for the right names."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from paddock.engines import authority
from paddock.engines.broker_access import Files, read
from paddock.engines.credentials import draw_credentials
from paddock.errors import UsageError
from paddock.namespaces.masking import masked
from paddock.services import broker
from paddock.specs import BrokerAccess

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture
def own(tmp_path: Path) -> Files:
    """An authority of the user's own, in files."""
    made = authority.make()
    (tmp_path / "ca.crt").write_text(authority.pem(made.certificate))
    (tmp_path / "ca.key").write_bytes(made.key.private_bytes(*PLAIN))
    return Files(tls=True, ca=tmp_path / "ca.crt", ca_key=tmp_path / "ca.key")


def test_who_gives_nothing_has_a_broker_as_ever() -> None:
    """Its Secret has no further entry."""
    assert read(Files(), "k7x2mq") == BrokerAccess()
    assert set(draw_credentials(BrokerAccess())["broker"]) == {"USERNAME", "PASSWORD"}


def test_a_certificate_is_for_every_name_that_a_broker_has(own: Files) -> None:
    """In its own namespace, in that of the run, and on this machine; by the user's authority or the run's own."""
    for files in (own, Files(tls=True)):
        access = read(files, "k7x2mq")
        found = x509.load_pem_x509_certificate(access.certificate.encode())
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(access.authority.encode()))
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["broker", "broker.paddock-k7x2mq-shared", "localhost"]
        assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
        assert found.not_valid_after_utc > dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
    assert own.ca
    assert read(own, "k7x2mq").authority == own.ca.read_text()
    assert read(Files(tls=True), "a").authority != read(Files(tls=True), "a").authority


def test_accounts_are_read_as_they_stand(tmp_path: Path) -> None:
    """A line each; comments and empty lines are none."""
    (tmp_path / "accounts").write_text("# ours\ncamera:c secret\n\nhub:h\n")
    access = read(Files(accounts=tmp_path / "accounts"), "r")
    assert access.accounts == {"camera": "c secret", "hub": "h"}
    assert broker.logins(access) == "camera:c secret\nhub:h\n"
    assert "c secret" not in repr(access)


@pytest.mark.parametrize("line", ["camera", "camera:", ":secret", "camera:a:b", "paddock:mine"])
def test_a_line_that_is_no_account_is_told_with_its_place(tmp_path: Path, line: str) -> None:
    """Mosquitto would cut a password at its colon, and two accounts of one name are one."""
    (tmp_path / "accounts").write_text(f"hub:h\n{line}\n")
    with pytest.raises(UsageError, match=r"accounts:2 (is no account; expected name:password|names the account)"):
        read(Files(accounts=tmp_path / "accounts"), "r")


def test_what_cannot_be_read_or_does_not_fit_is_told(own: Files, tmp_path: Path) -> None:
    """In one sentence, with the files."""
    assert own.ca_key
    with pytest.raises(UsageError, match="nowhere', given for the broker, cannot be read: No such file"):
        read(Files(acl=tmp_path / "nowhere"), "r")
    own.ca_key.write_bytes(authority.make().key.private_bytes(*PLAIN))
    with pytest.raises(UsageError, match=r"ca\.crt and .*ca\.key do not belong together"):
        read(own, "r")
    own.ca_key.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(*PLAIN))
    with pytest.raises(UsageError, match=r"ca\.key cannot be used: a key of the kind Ed25519PrivateKey"):
        read(own, "r")
    own.ca_key.write_text("nothing")
    with pytest.raises(UsageError, match="Expected a certificate and an open key, as PEM"):
        read(own, "r")


def test_paddock_s_own_account_may_use_every_topic_of_a_list() -> None:
    """Fixtures clean with it; without a list everybody may use all."""
    rights = broker.rights(BrokerAccess(acl="user camera\ntopic camera/#"))
    assert rights.startswith("user camera\ntopic camera/#\n")
    assert "user paddock\ntopic readwrite #\n" in rights
    assert broker.rights(BrokerAccess(accounts={"a": "b"})) == ""


def test_passwords_and_keys_are_masked_where_a_plan_is_printed() -> None:
    """Rights and certificates are none."""
    access = BrokerAccess(accounts={"camera": "c-secret"}, acl="topic a", authority="A", certificate="C", key="K")
    shown = masked({"kind": "Secret", "stringData": draw_credentials(access)["broker"]})["stringData"]
    assert {name for name, value in shown.items() if value == "***"} == {"PASSWORD", "ACCOUNTS", "KEY"}
    assert (shown["CERTIFICATE"], shown["PORT"]) == ("C", "8883")
