"""Fernet keys: one set each for tokens, receipts and stored credentials.

Rotation adds a key, which encrypts from then on. An older key of tokens goes once nothing that it encrypted can be
valid; an older key of credentials once everything stands under the new one, which happens in the same transaction.
"""

from __future__ import annotations

from datetime import timedelta

from cryptography.fernet import Fernet, MultiFernet

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.memory import Desk
from tane.services.identity.store import credentials, tokens

TOKEN, RECEIPT, CREDENTIAL = "token", "receipt", "credential"
PURPOSES = (TOKEN, RECEIPT, CREDENTIAL)


def add(tx: Tx, purpose: str) -> None:
    """Make a key, which is the one that encrypts from now on."""
    tokens.add_key(tx, purpose, Fernet.generate_key().decode())


def cipher(desk: Desk, purpose: str) -> MultiFernet:
    """What encrypts by the newest key and decrypts by any."""
    found = desk.known(("cipher", purpose), lambda tx: cipher_in(tx, purpose))
    if purpose == TOKEN:
        desk.memory.opener = found
    return found


def cipher_in(tx: Tx, purpose: str) -> MultiFernet:
    return MultiFernet([Fernet(row.key) for row in tokens.keys(tx, purpose)])


def rotate(core: Core) -> None:
    """Put new keys into use for everything."""
    with core.db.write() as tx:
        for purpose in PURPOSES:
            add(tx, purpose)
        fresh = cipher_in(tx, CREDENTIAL)
        for row in credentials.blobs(tx):
            credentials.set_blob(tx, row.id, fresh.rotate(row.encrypted_blob.encode()).decode())
        for old in tokens.keys(tx, CREDENTIAL)[1:]:
            tokens.remove_key(tx, old.id)
        audit.record(tx, "rotated", "keys", "fernet")


def keep(core: Core) -> bool:
    """Rotate keys that are older than ``token_key_days`` and drop those that nothing needs; True when any changed."""
    config = core.config
    with core.db.read() as tx:
        newest = tokens.keys(tx, TOKEN)[0].created_at
    due = config.token_key_days > 0 and core.clock.now() - newest > timedelta(days=config.token_key_days)
    if due:
        rotate(core)
    lifetimes = {TOKEN: config.token_ttl + config.allow_expired_window, RECEIPT: config.receipt_ttl}
    dropped = 0
    with core.db.write() as tx:
        for purpose, seconds in lifetimes.items():
            newer = None
            for row in tokens.keys(tx, purpose):
                if newer is not None and newer + timedelta(seconds=seconds) < tx.now:
                    tokens.remove_key(tx, row.id)
                    dropped += 1
                newer = row.created_at
        if dropped:
            audit.record(tx, "deleted", "keys", "fernet")
    return due or dropped > 0
