"""Objects that the cloud keeps for itself, in accounts that belong to no project: nobody reaches them by an API.

Their names begin with ".", and :func:`~tane.services.object.domain.access.project_of` knows no owner of such. Nothing
here counts for anybody's quota. Everything runs in threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tane.core import Core
from tane.db import Tx
from tane.db.documents import dump, load
from tane.services.object.domain import blobs, content, copies, room
from tane.services.object.domain.access import Visit
from tane.services.object.domain.blobs import Content
from tane.services.object.domain.content import New
from tane.services.object.domain.inside import TYPE, Gone, Stored
from tane.services.object.store import database, listing, places, stamps
from tane.services.object.store import objects as rows
from tane.services.object.store.listing import Wanted

A_STEP = 50
"""Objects that are deleted in one transaction."""
A_PAGE = 1000
UNWANTED = "unwanted"
"""In an object's metadata: since when nobody needs it."""


@dataclass(frozen=True)
class Vault:
    """A container of the account that a part of the cloud has (``owner``). ``policy``: of its copies, "" the default;
    that with which the container was made stays."""

    owner: str
    container: str
    policy: str = ""

    @property
    def account(self) -> str:
        return f".{self.owner}"


@dataclass(frozen=True)
class Entry:
    """``meta``: what was written beside an object. ``stamp``: when, in tens of microseconds."""

    name: str
    stamp: int
    meta: Mapping[str, str]


def put(core: Core, vault: Vault, name: str, parts: Iterable[bytes]) -> int:
    """Write an object; returns its bytes. Each of ``parts`` is at most 1 MiB.

    :raises ApiError: the disk is full, too few hosts take copies, or its policy cannot be had.
    """
    _prepare(core, vault)
    received = blobs.written(core, parts, blobs.MOST, (vault.account, vault.container))
    try:
        with database.of(core).write() as tx:
            _write(core, tx, vault, name, received, {})
    except BaseException:
        received.abandon()
        raise
    return received.size


def note(core: Core, vault: Vault, name: str, meta: Mapping[str, str]) -> bool:
    """An empty object that says what ``meta`` has, unless there is one, whose time becomes now; whether it is new."""
    _prepare(core, vault)
    with database.of(core).write() as tx:
        if _touch(tx, vault, name):
            return False
        _write(core, tx, vault, name, blobs.small(b""), meta)
    return True


def touch(core: Core, vault: Vault, name: str) -> bool:
    """Make an object's time be now, and wanted; False when it is not there."""
    if not database.exists(core):
        return False
    with database.of(core).write() as tx:
        return _touch(tx, vault, name)


def _touch(tx: Tx, vault: Vault, name: str) -> bool:
    row = places.outline_in(tx, vault.account, vault.container, name)
    if row is None or row.id is None:
        return False
    meta = {key: value for key, value in load(row.meta).items() if key != UNWANTED}
    rows.change(tx, row.id, stamp=max(stamps.of(tx.now), row.stamp + 1), meta=dump(meta))
    return True


def _write(core: Core, tx: Tx, vault: Vault, name: str, received: Content, meta: Mapping[str, str]) -> None:
    row = places.object_in(tx, vault.account, vault.container, name)
    visit = Visit(vault.account, vault.container, name, row, True)
    content.write(core, tx, visit, New(TYPE, content=received, meta=meta))


def _prepare(core: Core, vault: Vault) -> None:
    """:raises BadRequest: there are not hosts enough for its policy."""
    with database.of(core).read() as tx:
        row = places.place(tx, vault.account, vault.container)
    if row is not None and row.container_id is not None:
        return
    policy = copies.policy(core, vault.policy)
    with database.of(core).write() as tx:
        row = places.place(tx, vault.account, vault.container)
        if row is None:
            account_id = places.add_account(tx, vault.account, "")
            places.change_account(tx, account_id, {room.QUOTA: str(room.MOST_BYTES)})
        else:
            account_id = int(row.account_id)
        if row is None or row.container_id is None:
            places.add_container(tx, account_id, vault.container, policy)


def look(core: Core, vault: Vault, name: str) -> Entry | None:
    """What was noted of an object, if it is there."""
    if not database.exists(core):
        return None
    with database.of(core).read() as tx:
        row = places.outline_in(tx, vault.account, vault.container, name)
    if row is None or row.container_id is None or row.id is None:
        return None
    return Entry(name, int(row.stamp), load(row.meta))


def find(core: Core, vault: Vault, name: str) -> Stored:
    """:raises Gone: there is none."""
    if not database.exists(core):
        raise Gone(name)
    with database.of(core).read() as tx:
        row = places.outline_in(tx, vault.account, vault.container, name)
    if row is None or row.container_id is None or row.id is None:
        raise Gone(name)
    return Stored(core, row.size if row.blob_id else 0, row.blob_id, bool(row.filed))


def names(core: Core, vault: Vault, prefix: str) -> list[tuple[str, int]]:
    """All objects whose names begin so, each with its time."""
    found: list[tuple[str, int]] = []
    if not database.exists(core):
        return found
    while True:
        with database.of(core).read() as tx:
            row = places.place(tx, vault.account, vault.container)
            if row is None or row.container_id is None:
                return found
            after = found[-1][0] if found else ""
            page = listing.objects(tx, row.container_id, Wanted(A_PAGE, prefix=prefix, marker=after))
        found += [(str(one.name), int(one.stamp)) for one in page.found if not isinstance(one, str)]
        if len(page.found) < A_PAGE:
            return found


def remove(core: Core, vault: Vault, some: Sequence[str]) -> int:
    """Delete objects; returns how many there were."""
    gone = 0
    if not database.exists(core):
        return gone
    for begin in range(0, len(some), A_STEP):
        with database.of(core).write() as tx:
            for name in some[begin : begin + A_STEP]:
                row = places.object_in(tx, vault.account, vault.container, name)
                if row is not None and row.id is not None:
                    content.remove(tx, row)
                    gone += 1
    return gone


def let_go(core: Core, vault: Vault, name: str, seconds: float) -> bool:
    """Note that nobody needs an object; delete it once that was noted so long ago. :func:`touch` takes the note back.

    :returns: whether it was deleted.
    """
    with database.of(core).write() as tx:
        row = places.outline_in(tx, vault.account, vault.container, name)
        if row is None or row.id is None:
            return False
        meta, now = load(row.meta), stamps.of(tx.now)
        if UNWANTED not in meta:
            rows.change(tx, row.id, meta=dump({**meta, UNWANTED: str(now)}))
            return False
        if now < int(meta[UNWANTED]) + int(seconds * stamps.SECOND):
            return False
        content.remove(tx, row)
        return True


def age(core: Core, stamp: int) -> float:
    """Seconds since a time."""
    return (stamps.of(core.clock.now()) - stamp) / stamps.SECOND
