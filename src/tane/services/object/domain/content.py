"""Objects as they are written, and the rows that are read."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.db.documents import dump
from tane.services.object.domain import blobs, locks, metadata, room
from tane.services.object.domain.access import Visit
from tane.services.object.domain.blobs import Content
from tane.services.object.domain.errors import Conflicting, Failed
from tane.services.object.domain.locks import Lock
from tane.services.object.store import blobs as blob_rows
from tane.services.object.store import objects, places, stamps
from tane.web.errors import TooLarge


@dataclass
class New:
    """An object to be. Its bytes are ``content`` or another object's blob (``shared``). ``size`` and ``etag`` where
    they are not its bytes' own (large objects). ``lock``: where the container's own is not meant."""

    content_type: str
    content: Content | None = None
    shared: str | None = None
    size: int = 0
    etag: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    delete_at: int | None = None
    kind: str = ""
    manifest: str = ""
    lock: Lock | None = None


def write(core: Core, tx: Tx, visit: Visit, new: New, *, only_new: bool = False) -> int:
    """Write an object in place of what is there; returns its stamp.

    ``only_new``: not when there is one. :raises Failed: there is one. :raises TooLarge: over a quota.
    :raises NotFound: there is no container.
    """
    old = visit.there
    exists = old.id is not None and not expired(old, tx)
    if only_new and exists:
        raise Failed("A precondition for this request was not met.")
    metadata.check_type(new.content_type)
    size = new.content.size if new.content is not None and not new.size else new.size
    check_quotas(core, tx, visit, size)
    stamp = max(stamps.of(tx.now), (old.stamp or 0) + 1)
    locks.require_free_part(tx, old.container_id, visit.name)
    kept = old.id is not None and _archive(core, tx, visit)
    if old.id is not None and not kept:
        locks.require_free(tx, old)
    if old.versions_mode == "suspended":
        # What is written now is the version "null", of which there is one.
        _drop_null(tx, visit)
    blob_id = _blob(core, tx, old.account_id, new)
    lock = locks.of_new(visit.container_meta, new.lock, locks.now(tx))
    if lock != Lock() and locks.points_elsewhere(new.kind, new.meta):
        raise Conflicting(locks.ELSEWHERE)
    new.meta = {**locks.without(new.meta), **lock.meta()}
    values = {
        "container_id": old.container_id,
        "name": visit.name,
        "stamp": stamp,
        "size": size,
        "etag": new.etag or (new.content.md5 if new.content is not None else ""),
        "content_type": new.content_type,
        "meta": dump(new.meta),
        "delete_at": new.delete_at,
        "kind": new.kind,
        "manifest": new.manifest,
        "blob_id": blob_id,
        "versioned": int(old.versions_mode == "enabled"),
        "manifest_etag": manifest_etag(new.manifest) if new.kind == "slo" else "",
    }
    objects.put(tx, old.id, values)
    if lock != Lock():
        locks.follow(tx, new.meta)
    if old.id is not None and not kept and old.blob_id is not None:
        blob_rows.drop(tx, old.blob_id)
    places.count(tx, old.container_id, int(old.id is None), size - (old.size if old.id is not None and not kept else 0))
    return stamp


def _blob(core: Core, tx: Tx, account_id: int, new: New) -> str | None:
    if new.shared is not None:
        blob_rows.share(tx, new.shared)
        return new.shared
    content = new.content
    if content is None:
        return None
    if content.draft is not None:
        draft = content.draft
        blob_rows.add(tx, draft.id, content.size, content.crc, None, account_id, draft.copies, draft.checks)
        return draft.id
    blob_id = uuid4().hex
    blob_rows.add(tx, blob_id, content.size, content.crc, content.data, account_id)
    return blob_id


def manifest_etag(manifest: str) -> str:
    """The MD5 of a kept manifest, by which listings and ``multipart-manifest=get`` know it."""
    return hashlib.md5(manifest.encode(), usedforsecurity=False).hexdigest()


def guessed(name: str) -> str:
    """The content type that a name stands for."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def expired(row: Row[Any], tx: Tx) -> bool:
    """Whether its time is over, though nobody has removed it yet."""
    return row.delete_at is not None and bool(row.delete_at <= stamps.of(tx.now) // stamps.SECOND)


# -------------------------------------------------------------------------------------------------------- versions


def _content_of(row: Row[Any]) -> dict[str, Any]:
    """The columns of the object in a row of the object, or of the place that holds it."""
    found = {name: row._mapping[name] for name in objects.CONTENT if name in row._mapping}
    if "object_name" in row._mapping:
        found["name"] = row.object_name
    return found


def _archive(core: Core, tx: Tx, visit: Visit) -> bool:
    """Keep the object that is about to be replaced, where the container's versions say so; whether that was done."""
    row = visit.there
    if row.versions_mode in ("location", "history"):
        _stack(tx, visit)
        return False
    if row.versions_mode == "enabled" or (row.versions_mode == "suspended" and row.versioned):
        if not row.versioned:
            # There is one version "null" at most.
            _drop_null(tx, visit)
        objects.add_version(tx, _content_of(row))
        return True
    return False


def _drop_null(tx: Tx, visit: Visit) -> None:
    found = null_version(tx, visit)
    if found is not None:
        drop_version(tx, found)


def null_version(tx: Tx, visit: Visit) -> Row[Any] | None:
    return objects.null_version(tx, visit.there.container_id, visit.name)


def drop_version(tx: Tx, row: Row[Any], *, bypass: bool = False) -> None:
    """Delete a version that is not the current one. :raises Held: its lock forbids that."""
    locks.require_free(tx, row, bypass=bypass)
    objects.remove_version(tx, row.id)
    if row.blob_id is not None:
        blob_rows.drop(tx, row.blob_id)
    places.count(tx, row.container_id, 0, -row.size)


def _stack(tx: Tx, visit: Visit, marker: bool = False) -> None:
    """The older forms: the old object becomes one of another container.

    :raises Failed: that one is not there.
    """
    row = visit.there
    other = places.place(tx, visit.account, row.versions_container)
    if other is None or other.container_id is None:
        raise Failed("The versions container does not exist")
    stamp = stamps.of(tx.now) if marker else row.stamp
    name = stacked(visit.name) + text(stamp)
    values = {**_content_of(row), "container_id": other.container_id, "name": name, "versioned": 0}
    if marker:
        values |= {"stamp": stamp, "size": 0, "etag": EMPTY, "content_type": MARKER_TYPE, "meta": "{}", "kind": ""}
        values |= {"manifest": "", "manifest_etag": "", "blob_id": None, "delete_at": None}
    old = objects.current(tx, other.container_id, name)
    if old is not None:
        locks.require_free(tx, old)
    objects.put(tx, old.id if old else None, values)
    if values["blob_id"] is not None:
        blob_rows.share(tx, values["blob_id"])
    if old is not None and old.blob_id is not None:
        blob_rows.drop(tx, old.blob_id)
    places.count(tx, other.container_id, int(old is None), values["size"] - (old.size if old is not None else 0))


EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
MARKER_TYPE = "application/x-deleted;swift_versions_deleted=1"


def stacked(name: str) -> str:
    """How the names of an object's older versions begin."""
    return f"{len(name.encode()):03x}{name}/"


def text(stamp: int) -> str:
    """A stamp as X-Timestamp and the ids of versions have it."""
    return f"{stamp // stamps.SECOND:010d}.{stamp % stamps.SECOND:05d}"


# -------------------------------------------------------------------------------------------------------- deletion


def delete(core: Core, tx: Tx, visit: Visit) -> tuple[bool, int | None]:
    """Delete the current object; whether there was one, and the stamp of the marker that keeps its place among the
    versions, if any. Where versions are kept, a marker is put also where nothing is."""
    row = visit.there
    locks.require_free_part(tx, row.container_id, visit.name)
    if row.versions_mode == "enabled":
        return row.id is not None, _mark(core, tx, visit)
    if row.versions_mode == "suspended" and row.id is not None and row.versioned:
        set_aside(tx, visit)
        return True, None
    there = row.id is not None and not expired(row, tx)
    if row.versions_mode == "history":
        if there:
            _stack(tx, visit)
        if there or _was_there(tx, visit):
            _stack(tx, visit, marker=True)
    if row.versions_mode == "location" and _restore(tx, visit, there=there):
        return True, None
    if row.id is not None:
        remove(tx, row)
    return there, None


def set_aside(tx: Tx, visit: Visit) -> None:
    """Make the current object, which has a version's id, one of the older versions; nothing takes its place."""
    row = visit.there
    locks.require_free_part(tx, row.container_id, visit.name)
    objects.add_version(tx, _content_of(row))
    objects.remove(tx, row.id)
    places.count(tx, row.container_id, -1, 0)


def restore(core: Core, tx: Tx, visit: Visit, row: Row[Any]) -> None:
    """Put an older version in the place of the current one, which is kept. Its id stays. :raises TooLarge: a quota."""
    current = visit.there
    locks.require_free_part(tx, current.container_id, visit.name)
    kept = current.id is not None and _archive(core, tx, visit)
    if current.id is not None and not kept:
        locks.require_free(tx, current)
    objects.put(tx, current.id, {**_content_of(row), "versioned": 1})
    objects.remove_version(tx, row.id)
    if current.id is not None and not kept and current.blob_id is not None:
        blob_rows.drop(tx, current.blob_id)
    gone = current.size if current.id is not None and not kept else 0
    places.count(tx, current.container_id, int(current.id is None), -gone)


def mark_null(tx: Tx, visit: Visit) -> None:
    """Delete the current object of a container whose versions are suspended, as S3 has it: a marker takes the place of
    the version "null"."""
    row = visit.there
    stamp = max(stamps.of(tx.now), (row.stamp or 0) + 1)
    if row.id is not None and row.versioned:
        set_aside(tx, visit)
    elif row.id is not None:
        remove(tx, row)
    _drop_null(tx, visit)
    objects.add_version(tx, _marker(row.container_id, visit.name, stamp, False))


def promote(tx: Tx, visit: Visit) -> None:
    """Where nothing is current, as S3 has it: the newest version takes that place, unless it is a marker."""
    newest = objects.newest_version(tx, visit.there.container_id, visit.name)
    if newest is not None and newest.kind != "marker":
        objects.put(tx, None, _content_of(newest))
        objects.remove_version(tx, newest.id)
        places.count(tx, newest.container_id, 1, 0)


def is_kept(row: Row[Any]) -> bool:
    """Whether what is there now stays as a version when something else comes in its place."""
    stacked = row.versions_mode in ("location", "history")
    return bool(stacked or row.versions_mode == "enabled" or (row.versions_mode == "suspended" and row.versioned))


def _mark(core: Core, tx: Tx, visit: Visit) -> int:
    """Keep what is there as a version, and a marker after it."""
    row = visit.there
    stamp = max(stamps.of(tx.now), (row.stamp or 0) + 1)
    if row.id is not None:
        _archive(core, tx, visit)
        objects.remove(tx, row.id)
        places.count(tx, row.container_id, -1, 0)
    objects.add_version(tx, _marker(row.container_id, visit.name, stamp, True))
    return stamp


def expire(tx: Tx, row: Row[Any]) -> None:
    """Remove a current object whose time is over; where versions are on, it stays as one of them."""
    if row.versions_mode == "enabled" and (row.versioned or locks.of_row(row) != Lock()):
        objects.add_version(tx, _content_of(row))
        objects.remove(tx, row.id)
        places.count(tx, row.container_id, -1, 0)
    else:
        remove(tx, row)


def remove(tx: Tx, row: Row[Any], *, bypass: bool = False) -> None:
    """Remove a current object, whatever the container's versions say. :raises Held: its lock forbids that."""
    locks.require_free(tx, row, bypass=bypass)
    objects.remove(tx, row.id)
    if row.blob_id is not None:
        blob_rows.drop(tx, row.blob_id)
    places.count(tx, row.container_id, -1, -row.size)


def _marker(container_id: int, name: str, stamp: int, versioned: bool) -> dict[str, Any]:
    return {
        "container_id": container_id,
        "name": name,
        "stamp": stamp,
        "size": 0,
        "etag": EMPTY,
        "content_type": MARKER_TYPE,
        "meta": "{}",
        "delete_at": None,
        "kind": "marker",
        "manifest": "",
        "blob_id": None,
        "versioned": int(versioned),
        "manifest_etag": "",
    }


def _was_there(tx: Tx, visit: Visit) -> bool:
    """Whether older versions tell of an object that is not there now: each deletion of it leaves a marker, as in the
    real service. Deleting what never was leaves nothing, and neither does it where the account's objects are counted
    and there is no room for one more."""
    row = visit.there
    other = places.place(tx, visit.account, row.versions_container)
    if (
        other is None
        or other.container_id is None
        or objects.newest_below(tx, other.container_id, *_stack_of(visit)) is None
    ):
        return False
    most = visit.account_meta.get(COUNT_QUOTA)
    return most is None or not room.over(most, places.totals(tx, row.account_id).objects + 1)


def _stack_of(visit: Visit) -> tuple[str, str]:
    """Where the names of the older versions begin, and before what they end."""
    begin = stacked(visit.name)
    return begin, begin[:-1] + chr(ord("/") + 1)


def _restore(tx: Tx, visit: Visit, *, there: bool) -> bool:
    """Of the first form: the newest older version takes the place of what is deleted (``there``).

    A marker that is newer was put by the other form, before the container changed: what is there goes, and is not
    replaced; where nothing is there, that is because of the marker, which goes with the version before it.
    """
    row = visit.there
    other = places.place(tx, visit.account, row.versions_container)
    if other is None or other.container_id is None:
        return False
    last = objects.newest_below(tx, other.container_id, *_stack_of(visit))
    if last is None or there == (last.content_type == MARKER_TYPE):
        return False
    if not there:
        remove(tx, last)
        last = objects.newest_below(tx, other.container_id, *_stack_of(visit))
        if last is None or last.content_type == MARKER_TYPE:
            return True
    if row.id is not None:
        locks.require_free(tx, row)
    locks.require_free(tx, last)
    values = {**_content_of(last), "container_id": row.container_id, "name": visit.name}
    values["stamp"] = max(stamps.of(tx.now), (row.stamp or 0) + 1)
    objects.put(tx, row.id, values)
    objects.remove(tx, last.id)
    if row.blob_id is not None:
        blob_rows.drop(tx, row.blob_id)
    places.count(tx, row.container_id, int(row.id is None), last.size - (row.size or 0))
    places.count(tx, other.container_id, -1, -last.size)
    return True


# ---------------------------------------------------------------------------------------------------------- quotas


def check_quotas(core: Core, tx: Tx, visit: Visit, size: int) -> None:
    """What is kept counts, and what lies on the disk until it is swept; so does an older object that stays elsewhere.

    :raises TooLarge: account or container would hold more than it may. :raises InsufficientStorage: the disk would.
    """
    row, meta = visit.there, visit.container_meta
    old = (row._mapping.get("size") or 0) if row._mapping.get("id") is not None else None
    stays = old is not None and (row.versions_mode == "enabled" or (row.versions_mode == "suspended" and row.versioned))
    stacked = old is not None and row.versions_mode in ("location", "history")
    if room.over(meta.get("x-container-meta-quota-bytes"), row.bytes + size - (0 if stays else old or 0)):
        raise TooLarge(room.OVER)
    if old is None and room.over(meta.get("x-container-meta-quota-count"), row.objects + 1):
        raise TooLarge(room.OVER)
    account = visit.account_meta
    used = places.totals(tx, row.account_id)
    more = size - (0 if stays or stacked else old or 0)
    dead = blob_rows.dead_bytes(tx, row.account_id) if size > blobs.INLINE else 0
    one_more = old is None or stacked
    wanted = used.bytes + dead + more
    over = wanted > room.MOST_BYTES or room.over(room.limit(core, row.account, account), wanted)
    if (one_more and room.over(account.get(COUNT_QUOTA), used.objects + 1)) or ((more > 0 or dead) and over):
        raise TooLarge(room.OVER)
    _check_policy(tx, visit, more, one_more=one_more)
    room.check_room(core)


BYTES_QUOTA, COUNT_QUOTA = "x-account-quota-bytes", "x-account-quota-count"


def _check_policy(tx: Tx, visit: Visit, more: int, *, one_more: bool) -> None:
    """What the account may have in containers of this one's policy."""
    row, account = visit.there, visit.account_meta
    most, most_objects = (account.get(f"{name}-policy-{row.policy}") for name in (BYTES_QUOTA, COUNT_QUOTA))
    if most is None and most_objects is None:
        return
    used = next(each for each in places.totals_by_policy(tx, row.account_id) if each.policy == row.policy)
    many = one_more and room.over(most_objects, used.objects + 1)
    if many or (more > 0 and room.over(most, used.bytes + more)):
        raise TooLarge(room.OVER)
