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
from cryptography.hazmat.primitives import hashes

from tane.config import WILDCARDS, Config
from tane.linux import addresses
from tane.linux.files import write_private
from tane.wire import certificates
from tane.wire.certificates import Authority

SERVER_DAYS = 397
"""Clients of some makers refuse longer ones."""
RENEW_DAYS = 90


def issue(config: Config, folder: Path) -> None:
    """Make what is missing: ``ca.pem`` for clients, ``server.pem`` with the key of the server, ``ca-key.pem``."""
    authority = _authority(config, folder)
    names = _names(config)
    present = _certificate(folder / "server.pem")
    if present is not None and _serves(present, authority, names):
        return
    key = certificates.new_key()
    certificate = authority.sign(config.region, key.public_key(), SERVER_DAYS, certificates.SERVER, names)
    # In one file, so that a crash leaves no key beside another one's certificate.
    content = certificates.pem(certificate) + certificates.pem(authority.certificate) + certificates.pem_of_key(key)
    write_private(folder / "server.pem", content)


def _authority(config: Config, folder: Path) -> Authority:
    secret, public = folder / "ca-key.pem", folder / "ca.pem"
    if not secret.exists():
        made = certificates.new_authority(f"Tane {config.region}")
        write_private(secret, certificates.pem(made.certificate) + certificates.pem_of_key(made.key))
    kept = secret.read_bytes()
    authority = Authority(x509.load_pem_x509_certificate(kept), certificates.read_key(kept))
    shown = certificates.pem(authority.certificate)
    if not public.exists() or public.read_bytes() != shown:
        write_private(public, shown)
    return authority


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


def _serves(present: x509.Certificate, authority: Authority, names: list[x509.GeneralName]) -> bool:
    if present.not_valid_after_utc - datetime.now(UTC) < timedelta(days=RENEW_DAYS):
        return False
    if present.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value != authority.identifier:
        return False
    return set(names) <= set(present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _certificate(file: Path) -> x509.Certificate | None:
    return x509.load_pem_x509_certificate(file.read_bytes()) if file.exists() else None


def fingerprint(certificate: Path) -> str:
    """SHA-256 of the first certificate of a file, as browsers and openssl write it."""
    digest = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def days_left(certificate: Path) -> int:
    """Whole days until the first certificate of a file ends. Raises OSError, ValueError."""
    end = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return (end - datetime.now(UTC)).days
