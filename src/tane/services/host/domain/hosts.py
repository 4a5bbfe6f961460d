"""Which hosts there are, and how one is removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import HostUnreachable, store
from tane.hosts.store import CUT_OFF
from tane.services.compute import interface as compute
from tane.services.network import interface as network
from tane.services.object import interface as objects
from tane.services.volume import interface as volume
from tane.web.errors import Conflict, NotFound


@dataclass(frozen=True)
class HostView:
    """A host, whether it was heard of lately, whether this process reaches it, and what is on it."""

    row: Row[Any]
    up: bool
    connected: bool
    servers: int
    volumes: int


def every(core: Core) -> list[HostView]:
    with core.db.read() as tx:
        return _views(core, tx, store.all_hosts(tx))


def one(core: Core, wanted: str) -> HostView:
    """By its id or its name. :raises NotFound:"""
    with core.db.read() as tx:
        return _views(core, tx, [_row(tx, wanted)])[0]


def switch(core: Core, wanted: str, enabled: bool | None, reason: str | None, dead: bool | None) -> HostView:
    """Let new servers and volumes come to a host, or none; call it dead, or believe it again. None leaves it as it is.

    :raises NotFound: :raises Conflict: the host that is called dead answers, or what is enabled is let in no more.
    """
    with core.db.write() as tx:
        row = _row(tx, wanted)
        if enabled and row.disabled_reason == CUT_OFF and not store.certificates_of(tx, row.id):
            raise Conflict(
                f"Host {row.name} was cut off. Let it join again first: tane host token --name {row.name}, "
                "and tane join --again on it."
            )
        if enabled is not None:
            store.change(tx, row.id, enabled=enabled, disabled_reason=None if enabled else reason)
            volume.switch_pool(tx, row.id, enabled=enabled, reason=reason)
        if dead is not None:
            [found] = _views(core, tx, [row])
            if dead and found.connected:
                raise Conflict(f"Host {row.name} is connected: it is not dead.")
            store.change(tx, row.id, forced_down=dead)
        return _views(core, tx, [_row(tx, row.id)])[0]


async def remove(core: Core, wanted: str) -> None:
    """Remove a host for good: nothing it shows is believed any more, and its line is cut.

    :raises NotFound: :raises Conflict: there are servers, volumes or copies of objects on it, or it is the cloud's own.
    """

    def write() -> str:
        with core.db.write() as tx:
            row = _row(tx, wanted)
            if _is_own(core, row.id):
                raise Conflict(f"Host {row.name} is the machine the cloud itself runs on.")
            [found] = _views(core, tx, [row])
            if found.servers or found.volumes:
                raise Conflict(
                    f"Host {row.name} has {found.servers} servers and {found.volumes} volumes: delete them first."
                )
            if not row.forced_down and (copies := objects.copies_on(core, row.id)):
                number = copies if copies < 500 else "500 or more"
                raise Conflict(
                    f"Host {row.name} has {number} copies of objects: disable it, and wait until they are elsewhere "
                    "(tane object repair); or say that it is dead."
                )
            store.remove(tx, row.id)
            network.host_removed(tx, row.id)
            return str(row.id)

    _cut(core, await core.in_thread(write))


async def cut_off(core: Core, wanted: str) -> None:
    """Believe no certificate of a host any more and end its connections: it is let in again only by a token of its
    name (``tane join --again``), and then has to be enabled. What runs on it stays what the cloud knows.

    :raises NotFound: :raises Conflict: it is the cloud's own.
    """

    def write() -> str:
        with core.db.write() as tx:
            row = _row(tx, wanted)
            if _is_own(core, row.id):
                raise Conflict(f"Host {row.name} is the machine the cloud itself runs on.")
            store.disown(tx, row.id)
            # At once, and not when it was not heard of for a minute.
            store.change(tx, row.id, enabled=False, disabled_reason=CUT_OFF, last_seen=tx.now - store.ALIVE)
            volume.switch_pool(tx, row.id, enabled=False, reason=CUT_OFF)
            return str(row.id)

    _cut(core, await core.in_thread(write))


def roles_refused(tx: Tx, host_id: str, roles: Sequence[str]) -> str | None:
    """Why a host cannot have just these roles: what is on it that needs another."""
    servers, volumes = compute.servers_by_host(tx).get(host_id, 0), volume.volumes_by_host(tx).get(host_id, 0)
    if servers and "compute" not in roles:
        return f"{servers} servers are on this host: it needs the role compute until they are elsewhere"
    if volumes and "volume" not in roles:
        return f"{volumes} volumes are on this host: it needs the role volume until they are elsewhere"
    return None


def _cut(core: Core, host_id: str) -> None:
    if core.hosts.door is not None:
        core.hosts.door.cut(host_id)


def _is_own(core: Core, host_id: str) -> bool:
    try:
        return not core.hosts.agent(host_id).distant
    except HostUnreachable:
        return False


def _row(tx: Tx, wanted: str) -> Row[Any]:
    row = store.get(tx, wanted) or store.by_name(tx, wanted)
    if row is None:
        raise NotFound(f"Host {wanted} could not be found.")
    return row


def _views(core: Core, tx: Tx, rows: list[Row[Any]]) -> list[HostView]:
    connected = {agent.host_id for agent in core.hosts.reached()}
    servers, volumes = compute.servers_by_host(tx), volume.volumes_by_host(tx)
    return [
        HostView(row, store.is_up(tx, row), row.id in connected, servers.get(row.id, 0), volumes.get(row.id, 0))
        for row in rows
    ]
