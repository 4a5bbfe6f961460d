"""How a host joins: an authority of the cloud's own, tokens that are good once, certificates of thirty days."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from tane.db import Tx
from tane.hosts import store
from tane.linux.files import write_private
from tane.wire import certificates
from tane.wire.certificates import Authority
from tane.wire.errors import Refused
from tane.wire.joining import SERVER_NAME, Join, Joined

HOST_DAYS = 30
SERVER_DAYS = 397
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
    token = store.token(tx, asked.token_id)
    if token is None or not hmac.compare_digest(token.secret_hash, _hash(asked.secret)) or token.expires_at <= tx.now:
        raise Refused("the join token is unknown or expired: make another one with tane host token")
    if token.host_id not in (None, asked.host_id):
        raise Refused("the join token was used by another host: each is good for one")
    if token.name is not None and token.name != asked.name:
        raise Refused(f"the join token is for a host named {token.name}, not {asked.name}")
    too_many = sorted({*asked.roles} - {*token.roles})
    if too_many:
        raise Refused(f"the join token is not for the role {', '.join(too_many)}, but for {', '.join(token.roles)}")
    named, known = store.by_name(tx, asked.name), store.get(tx, asked.host_id)
    if named is not None and named.id != asked.host_id:
        raise Refused(f"there is a host named {asked.name} already: choose another with --name, or remove that one")
    if known is not None and token.host_id is None:
        raise Refused("this host has joined already; tane host remove lets it go first")
    if known is None:
        store.register(tx, asked.host_id, asked.name, asked.roles, None, {})
    store.use_token(tx, asked.token_id, asked.host_id)
    made = certify(tx, signer, asked.host_id, asked.request)
    return Joined(certificate=made, authority=certificates.pem(signer.certificate).decode(), tunnel_port=tunnel_port)


def certify(tx: Tx, signer: Authority, host_id: str, request: str) -> str:
    """A certificate of the host for the key of its request. :raises Refused: it is no request that is good."""
    try:
        key = certificates.requested_key(request.encode())
    except ValueError as error:
        raise Refused(f"the request for a certificate is not good: {error}") from None
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
