"""Key pairs of users (Compute API: "Keypairs")."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.compute.domain import quotas
from tane.services.compute.store import keypairs
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound

USER_PRINCIPAL_NAME = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


def index(core: Core, user_id: str, marker: str | None, limit: int | None) -> list[Row[Any]]:
    with core.db.read() as tx:
        if marker is not None and keypairs.get(tx, user_id, marker) is None:
            raise BadRequest(f"marker [{marker}] not found")
        return keypairs.find(tx, user_id, marker, limit)


def show(core: Core, user_id: str, name: str) -> Row[Any]:
    with core.db.read() as tx:
        row = keypairs.get(tx, user_id, name)
    if row is None:
        raise NotFound(f"Keypair {name} not found for user {user_id}")
    return row


def delete(core: Core, user_id: str, name: str) -> None:
    with core.db.write() as tx:
        if not keypairs.remove(tx, user_id, name):
            raise NotFound(f"Keypair {name} not found for user {user_id}")


def create(
    core: Core, ctx: Context, *, user_id: str, name: str, kind: str, public_key: str | None, extra_characters: str = ""
) -> tuple[Row[Any], str | None]:
    """Keep a public key, or make a pair of keys when there is none; the private key is told once and not kept.

    :raises BadRequest: the name or the key is no good. :raises Conflict: the name is taken.
    """
    if not re.fullmatch(rf"[a-zA-Z0-9 _{re.escape(extra_characters)}-]+", name):
        raise BadRequest("Keypair data is invalid: Keypair name contains unsafe characters")
    private_key = None
    if public_key is None:
        public_key, private_key = generate() if kind == "ssh" else generate_certificate(ctx.user_id)
    # Kept as it came: whoever compares it with a file sees the same bytes. Guests are given the line in it.
    shown = fingerprint(public_key.strip() if kind == "ssh" else public_key, kind)
    with core.db.write() as tx:
        quotas.refuse_keypairs_over_quota(tx, ctx, user_id)
        if keypairs.get(tx, user_id, name) is not None:
            raise Conflict(f"Key pair '{name}' already exists.")
        keypairs.add(tx, user_id=user_id, name=name, type=kind, public_key=public_key, fingerprint=shown)
        row = keypairs.get(tx, user_id, name)
        assert row is not None
        return row, private_key


def generate() -> tuple[str, str]:
    """(public, private) of a fresh Ed25519 key pair in OpenSSH's forms."""
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return f"{public.decode()} Generated-by-Tane", private.decode()


def generate_certificate(user_id: str) -> tuple[str, str]:
    """(certificate, private key) in PEM, for WinRM: signed by itself, ten years, for ``<user id>@localhost``."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    # Windows maps a certificate to an account by this field, the "user principal name".
    principal = x509.OtherName(USER_PRINCIPAL_NAME, _utf8_string(f"{user_id}@localhost"))
    begin = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=3650))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([principal]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def _utf8_string(text: str) -> bytes:
    """DER of a UTF8String of up to 127 bytes."""
    content = text.encode()[:127]
    return bytes((0x0C, len(content))) + content


def line_of(row: Row[Any]) -> str:
    """What a guest is given of a key pair: an SSH key is one line of ``authorized_keys``."""
    return str(row.public_key.strip() if row.type == "ssh" else row.public_key)


SSH_KEY = re.compile(r"[a-z0-9@.-]+[ \t]+[A-Za-z0-9+/=]+(?:[ \t][^\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]*)?")
"""Its line goes into a guest's ``authorized_keys``: another line in it would be another key."""


def fingerprint(public_key: str, kind: str) -> str:
    """MD5 of an SSH key, SHA-1 of a certificate, as upstream shows them. :raises BadRequest: neither can be read."""
    try:
        if kind == "x509":
            digest = x509.load_pem_x509_certificate(public_key.encode()).fingerprint(hashes.SHA1()).hex()
        else:
            if not SSH_KEY.fullmatch(public_key):
                raise ValueError("not one line of a kind, a key and a comment")
            loaded = serialization.load_ssh_public_key(public_key.encode())
            if isinstance(loaded, rsa.RSAPublicKey) and loaded.key_size < 1024:
                raise BadRequest("Keypair data is invalid: the RSA key is shorter than 1024 bits")
            digest = hashlib.md5(base64.b64decode(public_key.split()[1]), usedforsecurity=False).hexdigest()
    except BadRequest:
        raise
    except Exception:
        raise BadRequest("Keypair data is invalid: failed to generate fingerprint") from None
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))
