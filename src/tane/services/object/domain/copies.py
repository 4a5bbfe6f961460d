"""Blobs in three copies: which hosts there are for them, and the way to what lies there."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from tane.core import Core
from tane.hosts import store as host_rows
from tane.services.object.drivers.hosts import COPIES, Copied, CopiedDraft, Links, Owner, Reading, TooFew, chosen
from tane.services.object.store import copies as store
from tane.services.object.store import database
from tane.shares import for_the_cloud
from tane.web.errors import BadRequest, Unavailable

ONE, THREE = "one", "three"
POLICIES = (ONE, THREE)
ROLE = "object"
NONE = "none"
"""A copy that has no host yet."""
LINKS = "object-links"


@dataclass(frozen=True)
class Fleet:
    """The hosts with the role, by id. ``zones``: of those that take copies, their availability zones; ``names`` of all;
    ``left``: those whose copies belong elsewhere, since they are disabled, called dead, or silent for too long."""

    zones: dict[str, str]
    names: dict[str, str]
    left: frozenset[str]


def links(core: Core) -> Links:
    """This process's way to the hosts it reaches."""
    found: Links = core.memory.get(LINKS) or core.memory.setdefault(LINKS, Links(core.hosts))
    return found


def fleet(core: Core) -> Fleet:
    # Compute uses volumes, which use this service: what it exports is there when it is asked for.
    from tane.services.compute import interface as compute

    lost = timedelta(minutes=core.config.object.lost_minutes)
    with core.db.read() as tx:
        rows = [row for row in host_rows.all_hosts(tx) if ROLE in row.roles]
        zones = compute.zones(tx) if rows else {}
        left = frozenset(row.id for row in rows if not row.enabled or row.forced_down or tx.now - row.last_seen > lost)
    taking = {row.id: zones.get(row.name, "") for row in rows if row.id not in left}
    return Fleet(taking, {row.id: row.name for row in rows}, left)


def policies(core: Core) -> tuple[str, ...]:
    """Those that a container may be made with now."""
    return POLICIES if len(fleet(core).zones) >= COPIES else (ONE,)


def policy(core: Core, wanted: str) -> str:
    """The storage policy of a new container; the default when nothing is wanted. :raises BadRequest:"""
    name = wanted.lower() or core.config.object.default_policy
    if name not in POLICIES:
        raise BadRequest(f"Invalid X-Storage-Policy '{wanted[:100]}'")
    if name == THREE and (count := len(fleet(core).zones)) < COPIES:
        raise BadRequest(
            f"Storage policy 'three' needs {COPIES} enabled hosts with the role '{ROLE}', and there are {count}"
        )
    return name


def draft(core: Core, owner: Owner) -> CopiedDraft:
    """Begin a blob in three copies: on hosts that answer, as far as there are so many. :raises Unavailable:"""
    blob_id, way, zones = uuid.uuid4().hex, links(core), fleet(core).zones
    reached = way.reached()
    shy = {host_id for host_id in zones if way.is_slow(host_id) or way.is_rotten(host_id)}
    answering = {host_id: zone for host_id, zone in zones.items() if host_id in reached - shy}
    found = chosen(blob_id, answering)
    found += chosen(blob_id, zones, found, COPIES - len(found))
    try:
        return CopiedDraft(way, blob_id, [*found, NONE][:COPIES], owner)
    except TooFew as error:
        raise Unavailable(str(error)) from None


def find(core: Core, blob_id: str) -> Copied | None:
    """A blob that lies on hosts; None when there is no such one."""
    with database.of(core).read() as tx:
        return store.find(tx, blob_id)


def reading(core: Core, blob: Copied, owner: Owner = None) -> Reading:
    """Reads a blob for an owner; what is found to be rot is marked."""

    async def mark(blob_id: str, host_id: str) -> None:
        # Whoever reads may wait for it in a thread of his own project's.
        with for_the_cloud():
            await core.in_thread(damaged, core, blob_id, host_id)

    return Reading(links(core), blob, mark, owner)


def damaged(core: Core, blob_id: str, host_id: str) -> None:
    """A copy is not what was written, or not there: nobody is given it, and it is replaced. Nothing when the blob was
    deleted meanwhile, or belongs elsewhere."""
    with database.of(core).write() as tx:
        known = store.change(tx, blob_id, host_id, "bad", store.READABLE)
    if known:
        links(core).rotted(host_id)


async def parts(core: Core, way: Reading, offset: int, length: int) -> AsyncIterator[bytes]:
    """The bytes of a range, at most a block at a time. :raises OSError: no host gives them as they were written."""
    links(core).bind()
    while length:
        data = await way.part(offset, length)
        offset, length = offset + len(data), length - len(data)
        yield data
