"""Large objects in parts: begun, filled, completed or given up.

A part is an object beside the bucket, a completed object a static large object of them: Swift reads it as one. What is
not needed any more (given up, forgotten, an object that was replaced or deleted) is marked, and removed some at a time.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.db.documents import dump, load
from tane.services.object.domain import access, content, locks, manifests, objects, room
from tane.services.object.domain.access import Visit
from tane.services.object.domain.content import New
from tane.services.object.domain.locks import UPLOAD
from tane.services.object.domain.objects import At
from tane.services.object.domain.policies import SEGMENTS
from tane.services.object.domain.s3 import checksums
from tane.services.object.domain.s3.conditions import Expected
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.store import database, held, places, stamps
from tane.services.object.store import uploads as store
from tane.services.object.store.listing import Page, Wanted
from tane.shares import TakesLong
from tane.web.request import Request

MOST_PARTS = 10_000
FEW_PARTS = 500
LEAST = 5 << 20
"""Bytes of each part but the last."""
MOST_SIZE = 5 << 40
MOST_UPLOADS = 10_000
"""That an account may have under way."""
MOST_CLEARED, SECONDS = 1000, 5.0
"""Uploads whose parts are removed in one pass, and how long that takes at most."""
AT_ONCE = 200
"""Parts that are removed in a transaction: others want the writer, too."""
ID = re.compile(r"[0-9a-f]{32}\Z")


def begin(request: Request, at: At, content_type: str, meta: dict[str, str]) -> str:
    """:returns: the id of the upload. :raises S3Error: too many are under way."""
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "put_object", "write", at)
        account_id = visit.there.account_id
        if store.count(tx, account_id) >= MOST_UPLOADS:
            raise S3Error("SlowDown", f"At most {MOST_UPLOADS} uploads may be under way.")
        found = uuid4().hex
        store.add(
            tx,
            {
                "id": found,
                "account_id": account_id,
                "container_id": visit.there.container_id,
                "segments_id": _beside(tx, request.core, visit),
                "name": at[2],
                "stamp": stamps.of(tx.now),
                "user_id": request.ctx.user_id,
                "content_type": content_type,
                "meta": dump(meta),
            },
        )
        return found


def _beside(tx: Tx, core: Core, visit: Visit) -> int:
    """The container of a bucket's parts, which counts. It is nobody's but the owner's: who is let in to an object reads
    its parts."""
    name = visit.container + SEGMENTS
    place = places.place(tx, visit.account, name)
    if place is not None and place.container_id is not None:
        return int(place.container_id)
    room.check_containers(tx, core, visit.there.account_id)
    return places.add_container(tx, visit.there.account_id, name, visit.there.policy)


def opened(tx: Tx, at: At, upload_id: str) -> Row[Any]:
    """An upload that is under way. :raises S3Error: there is no such one of this object."""
    row = store.find(tx, upload_id) if ID.match(upload_id) else None
    place = places.place(tx, at[0], at[1])
    if place is None or place.container_id is None:
        raise S3Error("NoSuchBucket", details={"BucketName": at[1]})
    if row is None or row.dead or row.container_id != place.container_id or row.name != at[2]:
        raise S3Error("NoSuchUpload", details={"UploadId": upload_id[:100]})
    return row


def where(at: At, upload_id: str, number: int) -> At:
    """The object that is a part."""
    return at[0], at[1] + SEGMENTS, store.segment(upload_id, number)


def allow_part(request: Request, at: At, upload_id: str, number: int, length: int | None) -> str:
    """Refuse a part before it is read; returns the checksum that the upload is to have. :raises S3Error:"""
    with database.of(request.core).read() as tx:
        row = opened(tx, at, upload_id)
        visit = access.admit(request, tx, "put_object", "write", where(at, upload_id, number))
        content.check_quotas(request.core, tx, visit, length or 0)
        found: str = load(row.meta).get("s3-algorithm", "")
        return found


def joining(at: At, upload_id: str) -> Callable[[Tx, Visit], None]:
    """What a part is checked by in the transaction that writes it."""

    def check(tx: Tx, _visit: Visit) -> None:
        opened(tx, at, upload_id)
        store.changed(tx, upload_id)

    return check


def parts(request: Request, at: At, upload_id: str, marker: int, most: int) -> tuple[Row[Any], list[Row[Any]]]:
    """The upload, and a page of its parts."""
    with database.of(request.core).read() as tx:
        access.admit(request, tx, "get_object", "write", at)
        row = opened(tx, at, upload_id)
        found = store.parts(tx, row.segments_id, upload_id, marker, most)
        return row, [part for part in found if store.number(part.name)]


def under_way(request: Request, bucket: tuple[str, str], wanted: Wanted, upload_marker: str) -> Page:
    with database.of(request.core).read() as tx:
        action = "s3:ListBucketMultipartUploads"
        visit = access.admit(request, tx, "get_container", "list", (*bucket, ""), action=action, prefix=wanted.prefix)
        return store.page(tx, visit.there.container_id, wanted, upload_marker)


def give_up(request: Request, at: At, upload_id: str) -> None:
    with database.of(request.core).write() as tx:
        access.admit(request, tx, "delete_object", "write", at, action="s3:AbortMultipartUpload")
        row = opened(tx, at, upload_id)
        store.kill(tx, upload_id)
    _clear(request.core, row)


# ------------------------------------------------------------------------------------------------------ completing


@dataclass(frozen=True)
class Part:
    """What the client says of a part. ``sums``: checksums by their algorithm."""

    number: int
    etag: str
    sums: dict[str, str]


@dataclass(frozen=True)
class Completed:
    etag: str
    version: str
    checksum: str
    """As it is kept: algorithm, value, kind."""


def complete(
    request: Request,
    at: At,
    upload_id: str,
    wanted: Sequence[Part],
    told: tuple[str, str] | None,
    expected: Expected,
) -> Completed:
    """Make the object of its parts. Repeatable. ``told``: the checksum of the whole, by its algorithm.

    :raises S3Error: the parts are not those that were sent. :raises TakesLong:
    """
    if len(wanted) > FEW_PARTS and not request.may_take_long:
        raise TakesLong
    core = request.core
    with database.of(core).read() as tx:
        visit = access.admit(request, tx, "put_object", "write", at)
        done = _done(visit, upload_id, wanted)
        if done is not None:
            return done
        row = opened(tx, at, upload_id)
        expected.check(tx, visit)
        there = {
            number: part
            for part in store.parts(tx, row.segments_id, upload_id, 0, MOST_PARTS + 1)
            if (number := store.number(part.name))
        }
    new, checksum = _joined(at, row, wanted, there, told)
    _remove(core, [part.name for number, part in there.items() if number not in {one.number for one in wanted}], row)
    with database.of(core).write() as tx:
        visit = access.admit(request, tx, "put_object", "write", at)
        if opened(tx, at, upload_id).parts != row.parts:
            raise S3Error("OperationAborted")
        replacing(expected)(tx, visit)
        stamp = content.write(core, tx, visit, new)
        store.remove(tx, upload_id)
    version = content.text(stamp) if visit.there.versions_mode == "enabled" else ""
    return Completed(new.etag, version, checksum)


def _done(visit: Visit, upload_id: str, wanted: Sequence[Part]) -> Completed | None:
    """The object that this upload has become already of these parts: the answer may have been lost."""
    row = visit.there
    if row.id is None or row.kind != "slo":
        return None
    meta = load(row.meta)
    if meta.get(UPLOAD, "").partition("/")[0] != upload_id:
        return None
    if [segment["hash"] for segment in load(row.manifest)] != [one.etag.strip('"').lower() for one in wanted]:
        return None
    version = content.text(row.stamp) if row.versioned else ""
    return Completed(row.etag, version, meta.get("s3-checksum", ""))


def _joined(
    at: At, row: Row[Any], wanted: Sequence[Part], there: dict[int, Row[Any]], told: tuple[str, str] | None
) -> tuple[New, str]:
    digest, size, kept = hashlib.md5(usedforsecurity=False), 0, []
    sums: list[tuple[str, int]] = []
    meta = load(row.meta)
    algorithm, kind = meta.pop("s3-algorithm", ""), meta.pop("s3-type", "")
    if [one.number for one in wanted] != sorted({one.number for one in wanted}):
        raise S3Error("InvalidPartOrder")
    for one in wanted:
        part = there.get(one.number)
        own = load(part.meta).get("s3-checksum", "") if part is not None else ""
        same = part is not None and not part.kind and part.etag == one.etag.strip('"').lower()
        if part is None or not same or not _agrees(one, own):
            told_of = {"UploadId": row.id, "PartNumber": str(one.number), "ETag": one.etag.strip('"')[:100]}
            raise S3Error("InvalidPart", details=told_of)
        if part.size < LEAST and one is not wanted[-1]:
            told_of = {"PartNumber": str(one.number), "ProposedSize": str(part.size), "MinSizeAllowed": str(LEAST)}
            raise S3Error("EntityTooSmall", details=told_of)
        digest.update(bytes.fromhex(part.etag))
        size += part.size
        own_algorithm, _, rest = own.partition(":")
        if own_algorithm == algorithm:
            sums.append((rest.partition(":")[0], part.size))
        kept.append(
            {
                "name": f"/{at[1]}{SEGMENTS}/{part.name}",
                "bytes": part.size,
                "hash": part.etag,
                "content_type": part.content_type,
                "last_modified": stamps.moment(part.stamp).isoformat(timespec="microseconds"),
            }
        )
    if size > MOST_SIZE:
        raise S3Error("EntityTooLarge")
    text = dump(kept)
    if len(text) > manifests.MAX_MANIFEST_SIZE:
        raise S3Error("EntityTooLarge", "The list of the parts is too long.")
    checksum = _checksum(algorithm, kind, sums, len(wanted), told)
    if checksum:
        meta["s3-checksum"] = checksum
    meta[UPLOAD] = f"{row.id}/{row.account_id}/{row.container_id}/{row.segments_id}"
    etag = f"{digest.hexdigest()}-{len(wanted)}"
    lock = locks.of(meta) if any(name in meta for name in locks.OF_OBJECTS) else None
    return New(row.content_type, size=size, etag=etag, meta=meta, kind="slo", manifest=text, lock=lock), checksum


def _agrees(one: Part, own: str) -> bool:
    """Whether the checksum that the client says of a part is the one that it has."""
    algorithm, _, rest = own.partition(":")
    return all(name != algorithm or value == rest.partition(":")[0] for name, value in one.sums.items())


def _checksum(
    algorithm: str, kind: str, sums: Sequence[tuple[str, int]], count: int, told: tuple[str, str] | None
) -> str:
    if not algorithm or len(sums) != count:
        return ""
    whole = kind == "FULL_OBJECT"
    value = checksums.of_parts(algorithm, sums, whole=whole)
    if told is not None and told[0] == algorithm and told[1] != value and whole:
        raise S3Error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    return f"{algorithm}:{value}:{kind}"


def replacing(expected: Expected) -> Callable[[Tx, Visit], None]:
    """What a write is checked by in its transaction; the parts of what it replaces are not needed any more."""

    def check(tx: Tx, visit: Visit) -> None:
        expected.check(tx, visit)
        row = visit.there
        if row.id is not None and not content.is_kept(row):
            release(tx, row)

    return check


# -------------------------------------------------------------------------------------------------------- clearing


def release(tx: Tx, row: Any) -> None:
    """An object's row is about to go, and with it, where it came from an upload, the need of its parts."""
    if row.kind != "slo":
        return
    kept = load(row.meta).get(UPLOAD, "")
    if not kept:
        return
    upload_id, account_id, container_id, segments_id = kept.split("/")
    held.remove(tx, int(segments_id), upload_id)
    if store.find(tx, upload_id) is None:
        store.add(
            tx,
            {
                "id": upload_id,
                "account_id": int(account_id),
                "container_id": int(container_id),
                "segments_id": int(segments_id),
                "name": "",
                "stamp": stamps.of(tx.now),
                "user_id": "",
                "content_type": "",
                "meta": "{}",
                "dead": 1,
            },
        )


def sweep(core: Core) -> tuple[int, int]:
    """Give up what nobody went on with for ``[object] upload_days``, and remove the parts nobody needs any more.

    :returns: how many uploads were given up, and of how many the parts went.
    """
    if not database.exists(core):
        return 0, 0
    before = stamps.of(core.clock.now() - timedelta(days=core.config.object.upload_days))
    with database.of(core).read() as tx:
        old, dead = store.any_before(tx, before), store.dead(tx, MOST_CLEARED)
    given_up, cleared, end = 0, 0, time.monotonic() + SECONDS
    if old:
        with database.of(core).write() as tx:
            given_up = store.kill_before(tx, before, AT_ONCE)
    for row in dead:
        _clear(core, row)
        cleared += 1
        if time.monotonic() > end:
            break
    return given_up, cleared


def _clear(core: Core, row: Row[Any]) -> None:
    """Remove the parts of an upload, and it, in many transactions: each leaves what the next one goes on with."""
    while True:
        with database.of(core).write() as tx:
            found = store.parts(tx, row.segments_id, row.id, 0, AT_ONCE)
            _drop(tx, found)
            if len(found) < AT_ONCE:
                store.remove(tx, row.id)
                if store.without_bucket(tx, row.account_id, row.segments_id, SEGMENTS):
                    places.delete_container(tx, row.segments_id)
                return


def _remove(core: Core, names: Sequence[str], row: Row[Any]) -> None:
    """Parts that the client does not want in the object."""
    for begin_ in range(0, len(names), AT_ONCE):
        with database.of(core).write() as tx:
            _drop(tx, store.those(tx, row.segments_id, names[begin_ : begin_ + AT_ONCE]))


def _drop(tx: Tx, some: Iterable[Row[Any]]) -> None:
    for part in some:
        content.remove(tx, part)


def put_part(request: Request, at: At, upload_id: str, number: int, received: Any, meta: dict[str, str]) -> str:
    """Commit a part; returns its ETag. :raises S3Error: the upload is over."""
    new = New("application/octet-stream", meta=meta)
    target = where(at, upload_id, number)
    return objects.put(request, target, received, new, check=joining(at, upload_id)).etag
