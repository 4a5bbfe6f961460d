"""Objects: put, read, changed, copied, deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.documents import dump, load
from tane.services.object.domain import access, blobs, content, locks, manifests, metadata, reading, room, tempurl
from tane.services.object.domain.access import Visit
from tane.services.object.domain.blobs import Content, Piece
from tane.services.object.domain.content import New
from tane.services.object.domain.errors import (
    Conflicting,
    Failed,
    ObjectNotFound,
    Redirected,
    Unprocessable,
    Unsatisfiable,
)
from tane.services.object.domain.ranges import Range, parsed
from tane.services.object.domain.reading import Reading
from tane.services.object.domain.tempurl import Signed
from tane.services.object.store import database, objects, places, stamps
from tane.web import codec
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request

At = tuple[str, str, str]
TYPE = "application/octet-stream"


@dataclass
class Written:
    """What a PUT or a copy came to. ``version``: the id of the new version, where the container keeps them."""

    etag: str
    stamp: int
    visit: Visit
    version: str = ""
    copied: Reading | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def check_name(name: str) -> None:
    """:raises BadRequest:"""
    codec.refuse_half(name)
    codec.refuse_nul("object name", name)
    if len(name.encode()) > metadata.MAX_OBJECT_NAME_LENGTH:
        raise BadRequest(f"Object name length of {len(name.encode())} longer than {metadata.MAX_OBJECT_NAME_LENGTH}")


# ------------------------------------------------------------------------------------------------------- reading


def read(
    request: Request, at: At, wanted: Callable[[Reading], list[Range]]
) -> tuple[Reading, list[tuple[Range, list[Piece]]]]:
    """The object, and where the bytes lie of those ranges that ``wanted`` chooses when it has seen it."""
    access.identify(request)
    with database.of(request.core).read() as tx:
        found = reading.find(request, tx, _source(request, tx, at))
        looks = reading.Looks(request, tx)
        return found, [(span, reading.pieces(request, tx, found, span, looks)) for span in wanted(found)]


def _source(request: Request, tx: Tx, at: At) -> Visit:
    """What is read, whatever for."""
    return access.admit(request, tx, "get_object", access.kind_of(request, "read"), at)


# ------------------------------------------------------------------------------------------------------- writing


def allow_put(request: Request, at: At, length: int | None) -> None:
    """Refuse an upload before its body is read: rights, container, quota, conditions."""
    access.identify(request)
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "put_object", "write", at)
        if visit.signed is not None:
            tempurl.refuse_headers(request.headers)
        row = visit.there
        content.check_quotas(request.core, tx, visit, length or 0)
        if only_new(request) and row.id is not None and not content.expired(row, tx):
            raise Failed("A precondition for this request was not met.")


def only_new(request: Request) -> bool:
    """Whether an upload must not replace anything. :raises BadRequest: conditions that uploads do not know."""
    condition = request.headers.get("if-none-match")
    if condition is None:
        return False
    if condition.strip() != "*":
        raise BadRequest("If-None-Match only supports *")
    return True


def put(
    request: Request,
    at: At,
    received: Content,
    new: New,
    signed: Signed | None = None,
    check: Callable[[Tx, Visit], None] | None = None,
) -> Written:
    """Commit what was received. Unless this returns, nothing of it is there. ``signed``: by a form. ``check``: called
    in the transaction before anything is written.

    :raises Unprocessable: it is not what its ETag says.
    """
    access.identify(request)
    try:
        given = request.headers.get("etag", "").strip('"').lower()
        if given and given != received.md5 and new.kind != "slo":
            raise Unprocessable("Unable to process the contained instructions")
        with database.of(request.core).write() as tx:
            visit = access.admit(request, tx, "put_object", "write", at, signed)
            if visit.signed is not None:
                tempurl.refuse_headers(request.headers)
            new.content = received
            if new.kind == "symlink":
                _check_link(request, tx, visit, new)
            if check is not None:
                check(tx, visit)
            stamp = content.write(request.core, tx, visit, new, only_new=only_new(request))
    except BaseException:
        received.abandon()
        raise
    return _written(visit, new.etag or received.md5, stamp)


def put_manifest(request: Request, at: At, body: bytes, new: New) -> Written:
    """A static large object. A thousand segments are looked up before the writer is held up."""
    access.identify(request)
    opened = database.of(request.core)
    with opened.read() as tx:
        visit = access.admit(request, tx, "put_object", "write", at)
        if visit.signed is not None:
            tempurl.refuse_headers(request.headers)
        checked = manifests.check(request, tx, visit, body)
    given = request.headers.get("etag", "").strip('"').lower()
    if given and given != checked.etag:
        raise Unprocessable("Unable to process the contained instructions")
    new.kind, new.manifest, new.size, new.etag = "slo", checked.text, checked.size, checked.etag
    with opened.write() as tx:
        visit = access.admit(request, tx, "put_object", "write", at)
        stamp = content.write(request.core, tx, visit, new, only_new=only_new(request))
    return _written(visit, f'"{checked.etag}"', stamp)


def restore(request: Request, at: At, wanted: str) -> Written:
    """Make a version the current one. :raises NotFound: it is a marker, or not there."""
    access.identify(request)
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "put_object", "owner", at)
        if wanted == "null":
            raise BadRequest("Invalid version parameter")
        row = reading.version(tx, visit, wanted)
        if row.kind == "marker":
            raise NotFound("The resource could not be found.")
        if row is not visit.there:
            content.restore(request.core, tx, visit, row)
    return Written(row.etag, row.stamp, visit, content.text(row.stamp))


def _written(visit: Visit, etag: str, stamp: int) -> Written:
    versioned = visit.there.versions_mode == "enabled"
    return Written(etag, stamp, visit, content.text(stamp) if versioned else "")


def _check_link(request: Request, tx: Tx, visit: Visit, new: New) -> None:
    """A static link names the ETag of what it leads to, which must be so now."""
    target = load(new.manifest)
    at = (target["account"] or visit.account, target["container"], target["object"])
    if at == (visit.account, visit.container, visit.name):
        raise BadRequest("Symlink cannot target itself")
    if not target["etag"]:
        return
    row = _linked(request, tx, at, target["etag"])
    about = {"bytes": row.size}
    if row.kind == "slo":
        about["slo_etag"] = row.etag
    new.manifest = dump({**target, **about})
    if not request.headers.get("content-type"):
        new.content_type = row.content_type


def _linked(request: Request, tx: Tx, at: At, expected: str) -> Row[Any]:
    """What a static link is to lead to, those that it leads through followed. :raises Conflicting: that is not so."""
    for _ in range(reading.MOST_LINKS + 1):
        path = "/v1/" + "/".join(at)
        row = access.admit(request, tx, "get_object", "read", at, outline=True).row
        if row is None or row.container_id is None or row.id is None or content.expired(row, tx):
            raise Conflicting("X-Symlink-Target does not exist", {"Content-Location": quote(path)})
        reading.check_link(row, expected, path)
        target = load(row.manifest) if row.kind == "symlink" else {}
        if not target.get("etag"):
            return row
        at, expected = (target["account"] or at[0], target["container"], target["object"]), target["etag"]
    raise Conflicting(f"Too many levels of symbolic links, maximum allowed is {reading.MOST_LINKS}")


def post(request: Request, at: At, meta: Mapping[str, str], content_type: str, delete_at: int | None) -> None:
    """Replace an object's metadata; the content type stays unless one is given.

    :raises Redirected: it is a link. Its own metadata was replaced; that of what it leads to was not.
    """
    access.identify(request)
    elsewhere: dict[str, str] = {}
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_object", "write", at)
        if visit.signed is not None:
            tempurl.refuse_headers(request.headers)
        row = visit.object
        if content.expired(row, tx):
            raise NotFound("The resource could not be found.")
        # What is locked stays as it was written, all of it.
        locks.require_free(tx, row)
        if row.kind == "symlink":
            elsewhere = _elsewhere(visit, load(row.manifest))
        elif "x-symlink-target" in request.headers:
            raise BadRequest("A PUT request is required to set a symlink target")
        own = {name: value for name, value in load(row.meta).items() if name.startswith(metadata.OWN)}
        values: dict[str, Any] = {"meta": dump({**own, **meta}), "delete_at": delete_at}
        values["stamp"] = row.stamp if row.versioned else max(stamps.of(tx.now), row.stamp + 1)
        if content_type:
            metadata.check_type(content_type)
            values["content_type"] = content_type
        manifest = request.headers.get("x-object-manifest", "")
        # A static one stays what it is; what has no bytes of its own goes on pointing.
        if row.kind not in ("slo", "symlink") and (manifest or (row.kind == "dlo" and row.blob_id is not None)):
            values |= {"kind": "dlo" if manifest else "", "manifest": dlo(manifest) if manifest else ""}
        objects.change(tx, row.id, **values)
        places.count(tx, row.container_id, 0, 0)
    if elsewhere:
        told = "The requested POST was applied to a symlink. POST directly to the target to apply requested metadata."
        raise Redirected(told, elsewhere)


def _elsewhere(visit: Visit, target: Mapping[str, str]) -> dict[str, str]:
    """Where a link leads, as headers."""
    path = "/".join((target["account"] or visit.account, target["container"], target["object"]))
    etag = {"X-Symlink-Target-Etag": target["etag"]} if target["etag"] else {}
    return {"Location": quote(f"/v1/{path}"), **etag}


def dlo(header: str) -> str:
    """What ``X-Object-Manifest`` points at. :raises BadRequest:"""
    value = metadata.decoded(header)
    container, slash, prefix = value.partition("/")
    if not container or not slash or not prefix or "?" in value or "&" in value:
        raise BadRequest("X-Object-Manifest must be in the format container/prefix")
    return unquote(value)


def is_assembled(request: Request, found: Reading) -> bool:
    """Whether a copy is made anew: of the bytes of many objects, or a part of one's."""
    large = found.row.kind in ("slo", "dlo") and request.param("multipart-manifest") != "get"
    return large or found.moves or (not found.row.kind and "range" in request.headers)


def source(request: Request, at: At, target: At | None = None) -> tuple[Reading, list[Piece]]:
    """What is to be copied, and of what is copied anew where its bytes lie."""
    access.identify(request)
    with database.of(request.core).read() as tx:
        visit = _source(request, tx, at)
        if visit.signed is not None:
            # Who may write may not read by it.
            tempurl.refuse_headers(request.headers)
        found = reading.find(request, tx, visit)
        if found.marker:
            raise NotFound("The resource could not be found.")
        if target is not None and not found.row.kind and found.row.blob_id and found.size > blobs.INLINE:
            there = places.place(tx, *target[:2])
            found.moves = there is not None and there.policy not in (None, found.visit.there.policy)
        if not is_assembled(request, found):
            return found, []
        spans = parsed(request.headers.get("range"), found.size)
        number = request.param("part-number")
        if number is not None and found.row.kind == "slo":
            parts = manifests.spans(found.row.manifest)
            known = number.isascii() and number.isdigit() and 0 < int(number[:9]) <= len(parts)
            spans = [parts[int(number) - 1]] if known else []
        if spans is not None and len(spans) != 1:
            raise Unsatisfiable("The Range requested is not available.")
        span = spans[0] if spans else Range(0, found.size)
        return found, reading.pieces(request, tx, found, span, reading.Looks(request, tx))


def copy(
    request: Request,
    at: At,
    target: At,
    finish: Callable[[Reading], New],
    received: Content | None = None,
    check: Callable[[Tx, Visit], None] | None = None,
) -> Written:
    """Copy an object: its bytes are shared, none is moved. ``finish`` says what the new one is, when the old was seen;
    ``received`` are the bytes of a large object, put together. ``check``: called in the transaction before anything is
    written.

    :raises NotFound: either is not there.
    """
    access.identify(request)
    opened = database.of(request.core)
    try:
        checked = None
        if received is None:
            with opened.read() as tx:
                checked = _check_copied(request, tx, at, target)
        with opened.write() as tx:
            found = reading.find(request, tx, _source(request, tx, at))
            visit = access.admit(request, tx, "put_object", "write", target)
            row, new = found.row, finish(found)
            if found.marker:
                raise NotFound("The resource could not be found.")
            if received is not None:
                new.content = received
            else:
                new.shared, new.size, new.etag = row.blob_id, row.size, row.etag
                new.kind, new.manifest = row.kind, row.manifest
                if row.kind == "slo" and checked != (row.etag, row.manifest_etag):
                    raise Conflicting("The object changed while it was copied.")
            if check is not None:
                check(tx, visit)
            stamp = content.write(request.core, tx, visit, new, only_new=only_new(request))
    except BaseException:
        if received is not None:
            received.abandon()
        raise
    etag = new.etag or (received.md5 if received is not None else "")
    written = _written(visit, f'"{etag}"' if new.kind == "slo" else etag, stamp)
    written.copied, written.meta = found, new.meta
    return written


def _check_copied(request: Request, tx: Tx, at: At, target: At) -> tuple[str, str] | None:
    """Check a manifest as if it were put there: who copies it must be able to read what it names from there. That is
    done before the writer is held up. Returns which it was."""
    row = reading.find(request, tx, _source(request, tx, at)).row
    if row.kind != "slo":
        return None
    visit = access.admit(request, tx, "put_object", "write", target)
    manifests.check(request, tx, visit, dump(manifests.as_put(row.manifest)).encode())
    return row.etag, row.manifest_etag


# ------------------------------------------------------------------------------------------------------ deleting


def delete(request: Request, at: At, only_at: int | None = None) -> dict[str, str]:
    """Delete an object, or the version that the query names. Returns headers that tell of versions.

    ``only_at``: only one that is to go at that time. :raises Failed: it is not.
    """
    access.identify(request)
    with database.of(request.core).write() as tx:
        wanted = request.param("version-id")
        visit = access.admit(request, tx, "delete_object", "write" if wanted is None else "owner", at)
        if only_at is not None and visit.object.delete_at != only_at:
            raise Failed("X-If-Delete-At and X-Delete-At do not match")
        if wanted is not None and (wanted != "null" or visit.there.versions_mode in ("enabled", "suspended")):
            return _delete_version(tx, visit, wanted)
        room.check_marker(request.core, visit.there.versions_mode)
        there, marker = content.delete(request.core, tx, visit)
    headers: dict[str, str] = {}
    if marker is not None:
        headers["X-Object-Version-Id"] = content.text(marker)
    if not there:
        # The marker stays: it was put before this.
        raise ObjectNotFound("The resource could not be found.", headers)
    return headers


def _delete_version(tx: Tx, visit: Visit, wanted: str) -> dict[str, str]:
    try:
        row = reading.version(tx, visit, wanted)
    except ObjectNotFound:
        # As the real service: what is not there need not be deleted. To it what is current is the version "null",
        # too, which goes while the versions stay.
        if wanted == "null" and visit.there.id is not None:
            content.set_aside(tx, visit)
        return {"X-Object-Version-Id": wanted}
    headers = {"X-Object-Version-Id": wanted}
    current = visit.there
    if current.id is not None and row is current:
        # Nothing takes its place, as in the real service: the object is gone, and its older versions are there.
        content.remove(tx, current)
    else:
        content.drop_version(tx, row)
        headers["X-Object-Current-Version-Id"] = reading.version_id(current) if current.id is not None else ""
    return {name: value for name, value in headers.items() if value}
