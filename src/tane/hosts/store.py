"""SQL of the host registry."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts.tables import allocation, allocation_total, host, host_authority, host_certificate, host_token, provider

ALIVE = timedelta(seconds=60)
CUT_OFF = "cut off"
"""Why a host is disabled whose certificates are believed no more."""
INNER = ipaddress.IPv4Network("100.64.0.0/10")
"""Of the hosts' own network (RFC 6598: addresses that are nobody's outside)."""


def all_hosts(tx: Tx) -> list[Row[Any]]:
    return tx.all(select(host).order_by(host.c.name))


def get(tx: Tx, host_id: str) -> Row[Any] | None:
    return tx.row(host, id=host_id)


def states(tx: Tx, host_ids: Collection[str]) -> list[Row[Any]]:
    """What tells whether these hosts are up, and enabled: not what they say of themselves."""
    columns = host.c.id, host.c.enabled, host.c.forced_down, host.c.last_seen
    return tx.all(select(*columns).where(host.c.id.in_(host_ids)))


def by_name(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(host, name=name)


def register(
    tx: Tx, host_id: str, name: str, roles: Sequence[str], local_ip: str | None, capabilities: dict[str, Any]
) -> None:
    """Record a host, or refresh what it says of itself; an administrator's settings are kept."""
    values = {
        "name": name,
        "roles": list(roles),
        "local_ip": local_ip,
        "capabilities": capabilities,
        "last_seen": tx.now,
        # Each agent says it anew: an older one leases nothing.
        "leased": None,
    }
    number = select(func.coalesce(func.max(host.c.number), 0) + 1).scalar_subquery()
    kept = func.coalesce(host.c.number, number)
    if not tx.update(host, {"id": host_id}, **values, number=kept, updated_at=tx.now):
        new = {"id": host_id, "number": number, "enabled": True, "forced_down": False, "created_at": tx.now}
        tx.insert(host, **new, **values)


def inner_address(row: Row[Any]) -> str | None:
    """The host's address in the network that the hosts have between them; None where no tunnel leads to it."""
    return None if row.local_ip is None or row.number is None else str(INNER[row.number])


def seen(tx: Tx, host_ids: Sequence[str]) -> None:
    """Record a heartbeat."""
    tx.execute(update(host).where(host.c.id.in_(host_ids)).values(last_seen=tx.now))


def lease(tx: Tx, host_id: str, until: datetime, guests: Sequence[str]) -> None:
    """Write down until when a host's guests may run without being heard of, and which."""
    values = {"lease_until": until, "leased": list(guests), "last_seen": tx.now}
    tx.update(host, {"id": host_id}, **values)


def leasing_or_dead(tx: Tx) -> list[str]:
    """Ids of the hosts that have had a lease, or were called dead."""
    found = select(host.c.id).where(or_(host.c.lease_until.is_not(None), host.c.forced_down))
    return [str(row.id) for row in tx.all(found)]


def is_up(tx: Tx, row: Row[Any]) -> bool:
    """Whether the host's heartbeat is fresh and nobody forced it down."""
    return bool(not row.forced_down and tx.now - row.last_seen < ALIVE)


def is_there(tx: Tx, host_id: str) -> bool:
    """Whether there is such a host and it is up."""
    row = get(tx, host_id)
    return row is not None and is_up(tx, row)


def is_up_by_name(tx: Tx, name: str) -> bool:
    """Whether there is a host of the name and it is up."""
    row = by_name(tx, name)
    return row is not None and is_up(tx, row)


def out(tx: Tx) -> set[str]:
    """Ids of the hosts that are called dead, or cut off and not let in again."""
    believed_one = select(host_certificate.c.serial).where(host_certificate.c.host_id == host.c.id).exists()
    cut = (host.c.disabled_reason == CUT_OFF) & ~believed_one
    return {str(row.id) for row in tx.all(select(host.c.id).where(or_(host.c.forced_down, cut)))}


def change(tx: Tx, host_id: str, **values: Any) -> int:
    return tx.update(host, {"id": host_id}, updated_at=tx.now, **values)


def compared(tx: Tx, host_id: str, started: str) -> bool:
    """Write down that the host's guests were compared after this start of its agent; whether it is the first time."""
    other = or_(host.c.compared.is_(None), host.c.compared != started)
    return bool(tx.count(update(host).where(host.c.id == host_id, other).values(compared=started)))


def disown(tx: Tx, host_id: str) -> None:
    """Believe no certificate and no token of the host any more."""
    tx.execute(delete(host_token).where(host_token.c.host_id == host_id))
    tx.execute(delete(host_certificate).where(host_certificate.c.host_id == host_id))


def remove(tx: Tx, host_id: str) -> None:
    """Forget the host."""
    disown(tx, host_id)
    tx.execute(delete(provider).where(provider.c.host_id == host_id))
    for claims in (allocation, allocation_total):
        tx.execute(delete(claims).where(claims.c.host_id == host_id))
    tx.execute(delete(host).where(host.c.id == host_id))


# --------------------------------------------------------------------------------------------------------- joining


def authority(tx: Tx) -> Row[Any] | None:
    return tx.first(select(host_authority))


def keep_authority(tx: Tx, certificate: str, private_key: str) -> None:
    tx.insert(host_authority, id=1, certificate=certificate, private_key=private_key, created_at=tx.now)


def tokens(tx: Tx) -> list[Row[Any]]:
    """Those that are still good, and those that were used in the last hour."""
    return tx.all(select(host_token).where(host_token.c.expires_at > tx.now).order_by(host_token.c.created_at))


def token(tx: Tx, token_id: str) -> Row[Any] | None:
    return tx.row(host_token, id=token_id)


def add_token(tx: Tx, values: dict[str, Any]) -> None:
    tx.execute(delete(host_token).where(host_token.c.expires_at <= tx.now))
    tx.insert(host_token, created_at=tx.now, **values)


def use_token(tx: Tx, token_id: str, host_id: str, key_hash: str) -> None:
    tx.update(host_token, {"id": token_id}, host_id=host_id, key_hash=key_hash)


def remove_token(tx: Tx, token_id: str) -> int:
    return tx.count(delete(host_token).where(host_token.c.id == token_id))


def believe(tx: Tx, serial: str, host_id: str, expires_at: datetime) -> None:
    """Believe a certificate of the host until it ends."""
    tx.execute(delete(host_certificate).where(host_certificate.c.expires_at <= tx.now))
    values = {"serial": serial, "host_id": host_id, "expires_at": expires_at, "created_at": tx.now}
    tx.insert(host_certificate, **values)


def certificates_of(tx: Tx, host_id: str) -> list[Row[Any]]:
    """Those of a host that are believed, the newest first."""
    found = select(host_certificate).where(host_certificate.c.host_id == host_id)
    return tx.all(found.order_by(host_certificate.c.created_at.desc()))


def disbelieve(tx: Tx, serials: Sequence[str]) -> None:
    tx.execute(delete(host_certificate).where(host_certificate.c.serial.in_(serials)))


def believed(tx: Tx, serial: str) -> str | None:
    """The host that a certificate is of, when it is believed."""
    found = select(host_certificate.c.host_id).where(host_certificate.c.serial == serial)
    row = tx.first(found.where(host_certificate.c.expires_at > tx.now))
    return None if row is None else str(row.host_id)
