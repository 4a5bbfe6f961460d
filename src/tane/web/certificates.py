"""The cloud as its own authority (RFC 5280): a certificate of ten years that clients are given once, and by it one of
the server, of all names the cloud is reached by, made anew at a start when names came or its end is near."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tane.config import WILDCARDS, Config
from tane.linux import addresses
from tane.linux.files import write_private

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397
"""Clients of some makers refuse longer ones."""
RENEW_DAYS = 90
_EARLIER = timedelta(hours=1)
"""Clocks of clients go wrong by so much."""


def issue(config: Config, folder: Path) -> None:
    """Make what is missing: ``ca.pem`` for clients, ``server.pem`` with the key of the server, ``ca-key.pem``."""
    authority, authority_key = _authority(config, folder)
    names = _names(config)
    present = _certificate(folder / "server.pem")
    if present is not None and _serves(present, authority, names):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_subject(config.region), key, SERVER_DAYS)
        .issuer_name(authority.subject)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_issuer_of(authority), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    # In one file, so that a crash leaves no key beside another one's certificate.
    write_private(folder / "server.pem", _pem(certificate) + _pem(authority) + _pem_key(key))


def _authority(config: Config, folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    secret, public = folder / "ca-key.pem", folder / "ca.pem"
    authority = _certificate(secret)
    if authority is None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(f"Tane {config.region}")
        usage = {name: name in ("key_cert_sign", "crl_sign") for name in _USAGES}
        authority = (
            _builder(subject, key, AUTHORITY_DAYS)
            .issuer_name(subject)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(secret, _pem(authority) + _pem_key(key))
    if not public.exists() or public.read_bytes() != _pem(authority):
        write_private(public, _pem(authority))
    kept = serialization.load_pem_private_key(secret.read_bytes(), password=None)
    assert isinstance(kept, ec.EllipticCurvePrivateKey), "this module makes no other keys"
    return authority, kept


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _issuer_of(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _names(config: Config) -> list[x509.GeneralName]:
    """Every name the cloud may be reached by."""
    wanted = {"localhost", "127.0.0.1", "::1", socket.gethostname(), urlsplit(config.url).hostname or ""}
    wanted |= {urlsplit(f"//{name}").hostname or "" for name in config.server_names}
    wanted |= set(addresses.every()) if config.host in WILDCARDS else {config.host}
    return [_name(name) for name in sorted(wanted - {""})]


def _name(text: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(text))
    return x509.DNSName(text)


def _serves(present: x509.Certificate, authority: x509.Certificate, names: list[x509.GeneralName]) -> bool:
    if present.not_valid_after_utc - datetime.now(UTC) < timedelta(days=RENEW_DAYS):
        return False
    if present.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value != _issuer_of(authority):
        return False
    return set(names) <= set(present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _certificate(file: Path) -> x509.Certificate | None:
    return x509.load_pem_x509_certificate(file.read_bytes()) if file.exists() else None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def fingerprint(certificate: Path) -> str:
    """SHA-256 of the first certificate of a file, as browsers and openssl write it."""
    digest = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def days_left(certificate: Path) -> int:
    """Whole days until the first certificate of a file ends. Raises OSError, ValueError."""
    end = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return (end - datetime.now(UTC)).days
