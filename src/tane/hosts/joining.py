"""How a host joins: an authority of the cloud's own, tokens that are good once, certificates of thirty days."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import store
from tane.linux.files import write_private
from tane.wire import certificates
from tane.wire.certificates import Authority
from tane.wire.errors import Refused
from tane.wire.joining import SERVER_NAME, Join, Joined

HOST_DAYS = 30
SERVER_DAYS = certificates.AUTHORITY_DAYS
"""No browser looks at it: agents alone, which trust its authority as long."""
RENEWED_AFTER = timedelta(days=1)
TOKEN_HOURS = 1.0


def authority(tx: Tx, region: str) -> Authority:
    """The authority of the hosts' certificates, made at the first call."""
    kept = store.authority(tx)
    if kept is None:
        made = certificates.new_authority(f"Tane hosts of {region}")
        store.keep_authority(
            tx, certificates.pem(made.certificate).decode(), certificates.pem_of_key(made.key).decode()
        )
        return made
    return Authority(
        x509.load_pem_x509_certificate(kept.certificate.encode()), certificates.read_key(kept.private_key.encode())
    )


def new_token(tx: Tx, roles: Sequence[str], name: str | None, hours: float) -> tuple[str, str]:
    """(id, secret) of a token that lets one host in, of that name if there is one, with these roles at most."""
    token_id, secret = str(uuid.uuid4()), secrets.token_hex(32)
    expires_at = tx.now + timedelta(hours=hours)
    kept = {"id": token_id, "secret_hash": _hash(secret), "name": name, "roles": [*roles], "expires_at": expires_at}
    store.add_token(tx, kept)
    return token_id, secret


def join(tx: Tx, signer: Authority, asked: Join, tunnel_port: int) -> Joined:
    """Let a host in: its token is used, and its certificate believed. The same host may ask again with the token, as
    its answer may have been lost.

    :raises Refused: the token, the name or the request is none that is good.
    """
    token, key = known_token(tx, asked), _key(asked.request)
    key_hash = hashlib.sha256(certificates.public_bytes(key)).hexdigest()
    if token.host_id is not None and (token.host_id, token.key_hash) != (asked.host_id, key_hash):
        raise Refused("the join token was used by another host: each is good for one")
    if token.name is not None and token.name != asked.name:
        raise Refused(f"the join token is for a host named {token.name}, not {asked.name}")
    too_many = sorted({*asked.roles} - {*token.roles})
    if too_many:
        raise Refused(f"the join token is not for the role {', '.join(too_many)}, but for {', '.join(token.roles)}")
    named, known = store.by_name(tx, asked.name), store.get(tx, asked.host_id)
    if named is not None and named.id != asked.host_id:
        raise Refused(f"there is a host named {asked.name} already: choose another with --name, or remove that one")
    if known is not None and token.host_id is None and token.name != known.name:
        raise Refused(f"this host has joined already; to join it anew: tane host token --name {known.name}")
    if known is None:
        store.register(tx, asked.host_id, asked.name, asked.roles, None, {})
    store.use_token(tx, asked.token_id, asked.host_id, key_hash)
    made = _certify(tx, signer, asked.host_id, key)
    return Joined(certificate=made, authority=certificates.pem(signer.certificate).decode(), tunnel_port=tunnel_port)


def known_token(tx: Tx, asked: Join) -> Row[Any]:
    """The token that is shown. :raises Refused: there is none such that is good."""
    token = store.token(tx, asked.token_id)
    if token is None or not hmac.compare_digest(token.secret_hash, _hash(asked.secret)) or token.expires_at <= tx.now:
        raise Refused("the join token is unknown or expired: make another one with tane host token")
    return token


def renew(tx: Tx, signer: Authority, host_id: str, request: str) -> str:
    """Another certificate of a host, for the key of its request; of the older ones the newest stays good.

    :raises Refused: the host was removed, it has a new one already, or the request is not good.
    """
    if store.get(tx, host_id) is None:
        raise Refused("this host was removed from the cloud")
    found = store.certificates_of(tx, host_id)
    if found and found[0].created_at > tx.now - RENEWED_AFTER:
        raise Refused("this host's certificate is new: it is renewed once a day at most")
    store.disbelieve(tx, [row.serial for row in found[1:]])
    return _certify(tx, signer, host_id, _key(request))


def _key(request: str) -> EllipticCurvePublicKey:
    try:
        return certificates.requested_key(request.encode())
    except ValueError as error:
        raise Refused(f"the request for a certificate is not good: {error}") from None


def _certify(tx: Tx, signer: Authority, host_id: str, key: EllipticCurvePublicKey) -> str:
    made = signer.sign(host_id, key, HOST_DAYS, certificates.CLIENT)
    store.believe(tx, serial(made), host_id, tx.now + timedelta(days=HOST_DAYS))
    return certificates.pem(made).decode()


def serial(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:x}"


def host_of(tx: Tx, certificate: bytes) -> str:
    """The host that shows a certificate (DER), which TLS has found to be of our authority.

    :raises Refused: it is not believed, or no longer.
    """
    shown = x509.load_der_x509_certificate(certificate)
    host_id = store.believed(tx, serial(shown))
    if host_id is None or store.get(tx, host_id) is None:
        raise Refused("this host was removed from the cloud, or its certificate has ended: join it anew")
    return host_id


def write_server_files(signer: Authority, folder: Path) -> tuple[Path, Path]:
    """(certificate with key, authority) of the cloud's end of the lines, as files; made anew at each start."""
    key = certificates.new_key()
    names = [x509.DNSName(SERVER_NAME)]
    made = signer.sign(SERVER_NAME, key.public_key(), SERVER_DAYS, certificates.SERVER, names)
    server, ca = folder / "hosts.pem", folder / "hosts-ca.pem"
    write_private(server, certificates.pem(made) + certificates.pem_of_key(key))
    write_private(ca, certificates.pem(signer.certificate))
    return server, ca


def _hash(secret: str) -> str:
    # A secret of 256 drawn bits needs no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()
