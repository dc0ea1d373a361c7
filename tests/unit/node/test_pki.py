"""Certificates: who may be whom, and who may read the keys."""

from __future__ import annotations

import ipaddress
import stat
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from paddock.node import pki

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys, made over an older one with wider rights."""
    folder = tmp_path_factory.mktemp("pki") / "keys"
    folder.mkdir(mode=0o755)
    (folder / "ca.key").write_text("an older key")
    (folder / "ca.key").chmod(0o644)
    pki.write(folder, pki.identities(node="paddock", address="192.0.2.2", service_address="10.96.0.1"))
    return folder


def certificate(keys: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((keys / f"{name}.crt").read_bytes())


def test_only_the_owner_reads_keys(keys: Path) -> None:
    """The folder is 0700 and every file in it 0600, also where an older file was wider."""
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {0o600}


def test_the_api_server_is_known_by_every_address_it_is_called_by(keys: Path) -> None:
    """From this machine, from pods by its Service, and by its names."""
    names = certificate(keys, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = set(names.get_values_for_type(x509.IPAddress))
    assert addresses == {ipaddress.ip_address(text) for text in ("127.0.0.1", "192.0.2.2", "10.96.0.1")}
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_kubelet_is_the_node_it_says_it_is(keys: Path) -> None:
    """The Node authorizer goes by exactly these names."""
    subject = certificate(keys, "kubelet").subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:paddock"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


def test_only_two_certificates_may_do_everything(keys: Path) -> None:
    """The administrator's and the one the API server shows to kubelet."""
    mighty = {
        path.stem
        for path in keys.glob("*.crt")
        for group in certificate(keys, path.stem).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        if group.value == "system:masters"
    }
    assert mighty == {"admin", "apiserver-kubelet"}


def test_authorities_sign_what_is_theirs(keys: Path) -> None:
    """A front proxy's certificate must not be good for logging in, so another authority signs it."""
    authorities = {name: certificate(keys, name) for name in ("ca", "front-proxy-ca")}
    for path in keys.glob("*.crt"):
        if path.stem not in authorities:
            signer = "front-proxy-ca" if path.stem == "front-proxy" else "ca"
            certificate(keys, path.stem).verify_directly_issued_by(authorities[signer])
