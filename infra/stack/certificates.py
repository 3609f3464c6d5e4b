"""Certificates of the embedded stack: an authority of the home's own, one certificate a component.

The authority's key is forgotten once it has signed. To have new ones, remove the folder ``tls`` of
the home while the stack is down.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra.settings import Settings
from infra.stack.component import HOST

__all__ = ["authority", "certificate", "make_certificates", "trusted"]

_COMPONENTS = ("kafka", "source", "minio", "trino", "redis")
_VALID = timedelta(days=3650)


def authority(home: Path) -> Path:
    """The authority's certificate, PEM."""
    return home / "tls" / "ca.crt"


def trusted(settings: Settings) -> Path | None:
    """Who signed for the stack's components; None without TLS."""
    return authority(settings.home) if settings.stack_tls else None


def certificate(home: Path, component: str) -> Path:
    """A component's folder with ``public.crt``, ``private.key`` and both in ``keystore.pem``."""
    return home / "tls" / component


def make_certificates(home: Path) -> None:
    """Make the authority and the certificates where there are none yet."""
    if authority(home).is_file():
        return
    for component in _COMPONENTS:  # of a making that was cut short: the authority comes last
        shutil.rmtree(certificate(home, component), ignore_errors=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("FinLake embedded stack")
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    for component in _COMPONENTS:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = (
            _builder(_name(component), ca_name, key.public_key(), ca_key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            # the broker is a client too: of its own controller
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))]
                ),
                critical=False,
            )
            .sign(ca_key, hashes.SHA256())
        )
        folder = certificate(home, component)
        folder.mkdir(parents=True, mode=0o700)
        public = signed.public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(folder / "public.crt", public)
        _write(folder / "private.key", private)
        _write(folder / "keystore.pem", private + public)
    partial = authority(home).with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _write(partial, ca.public_bytes(Encoding.PEM))
    partial.replace(authority(home))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
