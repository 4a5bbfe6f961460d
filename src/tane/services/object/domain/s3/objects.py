"""Objects as S3 writes and deletes them: conditions, versions by their ids, tags, many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.db.documents import dump, load
from tane.services.object.domain import access, content, objects, reading, room
from tane.services.object.domain.access import Visit
from tane.services.object.domain.blobs import Content
from tane.services.object.domain.content import New
from tane.services.object.domain.errors import ObjectNotFound
from tane.services.object.domain.objects import At, Written
from tane.services.object.domain.reading import Reading
from tane.services.object.domain.s3 import locks, uploads
from tane.services.object.domain.s3.conditions import Expected
from tane.services.object.domain.s3.errors import known
from tane.services.object.store import database
from tane.services.object.store import objects as rows
from tane.web.errors import ApiError, NotFound
from tane.web.request import Request

ANY = Expected()
Named = tuple[str, str | None, Expected]
"""A key, which version of it, and what must be there."""
AT_ONCE = 100
"""So many are deleted in a transaction: others want the writer, too."""


def put(request: Request, at: At, received: Content, new: New, expected: Expected) -> Written:
    """:raises S3Error: the condition does not hold. :raises NotFound: there is no bucket."""
    return objects.put(request, at, received, new, check=uploads.replacing(expected))


def copy(
    request: Request,
    at: At,
    target: At,
    finish: Callable[[Reading], New],
    received: Content | None,
    expected: Expected,
) -> Written:
    return objects.copy(request, at, target, finish, received, check=uploads.replacing(expected))


# -------------------------------------------------------------------------------------------------------- deletion


@dataclass(frozen=True)
class Deleted:
    """``version``: of what was deleted, or of the marker that was put. ``marker``: it is one."""

    version: str = ""
    marker: bool = False


def delete(request: Request, at: At, version: str | None, expected: Expected = ANY, *, bypass: bool = False) -> Deleted:
    """The current object, or a version of it. What is not there need not be deleted. ``bypass``: governance is to be
    passed over. :raises NotFound: no bucket. :raises Held: it is locked. :raises Forbidden: it may not be bypassed."""
    with database.of(request.core).write() as tx:
        return _delete(request, tx, at, version, expected, bypass=bypass)


def _delete(
    request: Request, tx: Tx, at: At, version: str | None, expected: Expected, *, bypass: bool = False
) -> Deleted:
    visit = access.admit(request, tx, "delete_object", "write" if version is None else "owner", at)
    if bypass:
        locks.require_bypass(request, at[0])
    if version is not None:
        return delete_version(tx, visit, version, expected, bypass=bypass)
    expected.check(tx, visit)
    room.check_marker(request.core, visit.there.versions_mode)
    return delete_current(request.core, tx, visit)


def delete_current(core: Core, tx: Tx, visit: Visit) -> Deleted:
    """The current object; where versions are kept it stays as one, and a marker takes its place."""
    row = visit.there
    gone = row.id is not None and not content.is_kept(row)
    if gone:
        uploads.release(tx, row)
    if row.versions_mode == "suspended":
        # A marker takes the place of the version "null".
        content.mark_null(tx, visit)
        return Deleted("null", True)
    _, marker = content.delete(core, tx, visit)
    return Deleted(content.text(marker), True) if marker is not None else Deleted()


def delete_version(tx: Tx, visit: Visit, wanted: str, expected: Expected = ANY, *, bypass: bool = False) -> Deleted:
    """A version; the newest one takes the place of the current one."""
    try:
        row = reading.version(tx, visit, wanted)
    except ObjectNotFound:
        expected.check_version(None)
        return Deleted(wanted)
    expected.check_version(row)
    current = visit.there
    if current.id is not None and row is current:
        content.remove(tx, current, bypass=bypass)
        uploads.release(tx, row)
        content.promote(tx, visit)
    else:
        content.drop_version(tx, row, bypass=bypass)
        uploads.release(tx, row)
        if current.id is None:
            content.promote(tx, visit)
    return Deleted(wanted, row.kind == "marker")


@dataclass(frozen=True)
class Outcome:
    key: str
    wanted: str | None
    deleted: Deleted | None = None
    error: ApiError | None = None


def delete_many(
    request: Request, bucket: tuple[str, str], wanted: Sequence[Named], *, bypass: bool = False
) -> list[Outcome]:
    """:raises NotFound: there is no bucket."""
    found: list[Outcome] = []
    for begin in range(0, len(wanted), AT_ONCE):
        with database.of(request.core).write() as tx:
            for key, version, expected in wanted[begin : begin + AT_ONCE]:
                try:
                    found.append(
                        Outcome(key, version, _delete(request, tx, (*bucket, key), version, expected, bypass=bypass))
                    )
                except NotFound:
                    raise
                except ApiError as error:
                    found.append(Outcome(key, version, error=known(error)))
    return found


# ------------------------------------------------------------------------------------------------------------ tags


def tags(request: Request, at: At) -> tuple[str, str]:
    """The tags of an object as they are kept, and its version. :raises NotFound:"""
    with database.of(request.core).read() as tx:
        kind = access.kind_of(request, "read")
        action = f"s3:GetObject{'Version' if kind == 'owner' else ''}Tagging"
        visit = access.admit(request, tx, "get_object", kind, at, action=action)
        found = reading.find(request, tx, visit)
        return found.meta.get("s3-tags", ""), _version_of(visit, found.row)


def tag(request: Request, at: At, kept: str) -> str:
    """Give an object, or the version that the query names, these tags; returns its version. No link is followed: who
    may write it may not write what it leads to. :raises NotFound:"""
    with database.of(request.core).write() as tx:
        kind = access.kind_of(request, "write")
        action = f"s3:PutObject{'Version' if kind == 'owner' else ''}Tagging"
        visit = access.admit(request, tx, "post_object", kind, at, action=action)
        wanted = request.param("version-id")
        row = visit.object if wanted is None else reading.version(tx, visit, wanted)
        if row.kind == "marker":
            raise ObjectNotFound("The resource could not be found.")
        meta = {name: value for name, value in {**load(row.meta), "s3-tags": kept}.items() if value}
        if visit.there.id is not None and row is visit.there:
            rows.change(tx, row.id, meta=dump(meta))
        else:
            rows.change_version(tx, row.id, meta=dump(meta))
        return _version_of(visit, row)


def _version_of(visit: Visit, row: Any) -> str:
    return reading.version_id(row) if visit.there.versions_mode in ("enabled", "suspended") else ""


def named(request: Request, version: str | None) -> Request:
    """The same request for a version of its object."""
    query = [] if version is None else [("version-id", version)]
    return replace(request, query=query, _first={})
