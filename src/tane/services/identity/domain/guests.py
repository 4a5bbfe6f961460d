"""Users that stacks make for their guests and for keys in templates: good for reading what a guest is told, for
signals, and for nothing else (Heat's stack domain users).

They stand in a domain of their own, in which nobody logs in otherwise; each has one role on the stack's project, and
whatever token or signature it acts by carries the access rules of :mod:`guest_calls`. Which resources it may ask
for is orchestration's to say: its id is that of the resource which made it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import msgspec

from tane.core import Core
from tane.db import Tx
from tane.services.identity import tables
from tane.services.identity.domain import audit, keys
from tane.services.identity.domain.common import new_id
from tane.services.identity.domain.credentials import EC2, id_of
from tane.services.identity.domain.guest_calls import DOMAIN, ROLE
from tane.services.identity.domain.passwords import hash_random
from tane.services.identity.domain.users import remove as remove_user
from tane.services.identity.drivers import users_of
from tane.services.identity.store import assignments, rows
from tane.services.identity.store.assignments import Place

MARK = "stackuser"
"""What their secrets begin with, so that they can be masked wherever they stand (:mod:`tane.web.signal_addresses`)."""
OPTIONS = dict.fromkeys(
    ("ignore_password_expiry", "ignore_lockout_failure_attempts", "ignore_user_inactivity", "lock_password"), True
)
"""Nobody is there to choose another password, which is too long to be guessed."""


def add(core: Core, tx: Tx, user_id: str, name: str, project_id: str) -> str:
    """Make the user of a guest and return its password."""
    _require_domain(tx)
    password = f"{MARK}{secrets.token_hex(24)}"
    values = {
        "name": name,
        "domain_id": DOMAIN,
        "default_project_id": project_id,
        "enabled": True,
        "password_hash": hash_random(password),
        "options": OPTIONS,
        "extra": {},
    }
    users_of(core).create(tx, user_id, values)
    assignments.grant(tx, Place(user_id, "project", project_id), _role(tx))
    audit.record(tx, "created", "user", user_id)
    return password


def add_keys(tx: Tx, user_id: str, project_id: str) -> tuple[str, str]:
    """A pair of EC2 keys of such a user: (access, secret)."""
    pair = {"access": secrets.token_hex(16), "secret": f"{MARK}{secrets.token_hex(20)}"}
    blob = keys.cipher_in(tx, keys.CREDENTIAL).encrypt(msgspec.json.encode(pair)).decode()
    values = {"user_id": user_id, "project_id": project_id, "type": EC2, "encrypted_blob": blob}
    credential_id = id_of(pair["access"])
    rows.add(tx, tables.credential, {**values, "id": credential_id, "extra": {}, "created_at": tx.now})
    audit.record(tx, "created", "credential", credential_id, user=user_id)
    return pair["access"], pair["secret"]


def remove_keys(tx: Tx, access: str) -> None:
    """Delete a pair of EC2 keys, if it is still there."""
    if rows.get(tx, tables.credential, id_of(access)) is not None:
        rows.remove(tx, tables.credential, id_of(access))
        audit.record(tx, "deleted", "credential", id_of(access))


def remove(core: Core, tx: Tx, user_ids: Iterable[str]) -> None:
    """Delete those of these users that are there, with their keys."""
    for user_id in user_ids:
        user = users_of(core).get(tx, user_id)
        if user is not None and user.domain_id == DOMAIN:
            remove_user(core, tx, user_id)
            audit.record(tx, "deleted", "user", user_id)


def _require_domain(tx: Tx) -> None:
    if rows.get(tx, tables.project, DOMAIN) is not None:
        return
    # Somebody may have one of that name: who is such a user is told by the domain's id.
    taken = rows.find(tx, tables.project, {"name": DOMAIN, "domain_id": ""})
    name = f"{DOMAIN}-{new_id()[:8]}" if taken else DOMAIN
    values = {"id": DOMAIN, "name": name, "domain_id": "", "parent_id": None, "is_domain": True, "enabled": True}
    more = {"description": "Users of guests that stacks made", "tags": [], "options": {}, "extra": {}}
    rows.add(tx, tables.project, {**values, **more, "created_at": tx.now})


def _role(tx: Tx) -> str:
    for row in rows.find(tx, tables.role, {"name": ROLE, "domain_id": ""}):
        return str(row.id)
    role_id = new_id()
    rows.add(
        tx,
        tables.role,
        {"id": role_id, "name": ROLE, "domain_id": "", "options": {}, "extra": {}, "created_at": tx.now},
    )
    return role_id
