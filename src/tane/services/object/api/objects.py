"""Writing objects: uploads, manifests, links, copies, metadata, deletion."""

from __future__ import annotations

from urllib.parse import quote, unquote

from tane.db.documents import dump
from tane.services.object.api import formpost, headers
from tane.services.object.domain import access, blobs, content, heavy, manifests, metadata, objects
from tane.services.object.domain.blobs import BrokenOff, Content, TooMuch
from tane.services.object.domain.content import New
from tane.services.object.domain.errors import ClientDisconnect
from tane.services.object.domain.objects import At, Written
from tane.services.object.domain.reading import Reading
from tane.web import multipart
from tane.web.errors import ApiError, BadRequest, PreconditionFailed, TooLarge
from tane.web.request import Request, Response

ACCEPTED = b"<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>"


def place(request: Request) -> At:
    return request.path["account"], request.path["container"], request.path["object"]


async def put(request: Request) -> Response:
    """Upload an object, a manifest (`multipart-manifest=put`) or a link; copy one (`X-Copy-From`)"""
    at = place(request)
    try:
        objects.check_name(at[2])
        if "x-copy-from" in request.headers:
            container, name = headers.path_in(request.headers["x-copy-from"], "X-Copy-From")
            if request.headers.get("content-length", "0") not in ("", "0"):
                raise BadRequest("Copy requests require a zero byte body")
            account = _account(request.headers.get("x-copy-from-account")) or at[0]
            return await _copy(request, (account, container, name), at)
        if request.param("extract-archive") is not None:
            from tane.services.object.api import bulk

            return await bulk.extract(request, at[0], f"{at[1]}/{at[2]}")
        if request.param("multipart-manifest") == "put":
            return await _put_manifest(request, at)
        if request.param("version-id") is not None:
            return _created(
                await request.core.in_thread(objects.restore, request, at, str(request.param("version-id")))
            )
        length, new = headers.length(request), _new(request, at)
    except ApiError:
        # Who may not write here learns nothing of how that is done.
        await request.core.in_thread(objects.allow_put, request, at, None)
        raise
    if length is None or length > blobs.INLINE or "expect" in request.headers:
        await request.core.in_thread(objects.allow_put, request, at, length)
    received = await receive(request, length, metadata.MAX_FILE_SIZE, at[1])
    if new.kind == "symlink" and received.size:
        received.abandon()
        raise BadRequest("Symlink requests require a zero byte body")
    return _created(await request.core.in_thread(objects.put, request, at, received, new))


async def receive(request: Request, length: int | None, most: int, container: str = "") -> Content:
    """:raises TooLarge: :raises ClientDisconnect: :raises InsufficientStorage:"""
    assert request.stream is not None
    try:
        return await blobs.receive(request.core, request.stream, length, most, request.path["account"], container)
    except TooMuch:
        raise TooLarge("Your request is too large.") from None
    except BrokenOff:
        raise ClientDisconnect("The client was disconnected during request.") from None


def _new(request: Request, at: At) -> New:
    """What the headers of an upload say. :raises BadRequest:"""
    new = New(
        headers.content_type(request, at[2]),
        meta=headers.object_meta(request),
        delete_at=headers.delete_at(request),
    )
    objects.only_new(request)
    if manifest := request.headers.get("x-object-manifest"):
        new.kind, new.manifest = "dlo", objects.dlo(manifest)
    if target := request.headers.get("x-symlink-target"):
        container, name = headers.path_in(target, "X-Symlink-Target")
        account = _account(request.headers.get("x-symlink-target-account"))
        etag = request.headers.get("x-symlink-target-etag", "").strip('"')
        link = {"account": account, "container": container, "object": name, "etag": etag}
        new.kind, new.manifest = "symlink", dump(link)
    return new


def _account(header: str | None) -> str:
    """:raises PreconditionFailed: it is no name of an account."""
    name = unquote(metadata.decoded(header or ""))
    if "/" in name or "\0" in name:
        raise PreconditionFailed("Account name cannot contain slashes")
    return name


async def _put_manifest(request: Request, at: At) -> Response:
    new = _new(request, at)
    if new.kind:
        raise BadRequest("A manifest is of one kind only")
    length = headers.length(request)
    if length is not None and length > manifests.MAX_MANIFEST_SIZE:
        raise TooLarge(f"Manifest size must be <= {manifests.MAX_MANIFEST_SIZE} bytes\n")
    await request.core.in_thread(objects.allow_put, request, at, None)
    body = await body_of(request, length, manifests.MAX_MANIFEST_SIZE)
    return _created(await heavy.once_more(request, objects.put_manifest, request, at, body, new))


async def body_of(request: Request, length: int | None, most: int) -> bytes:
    """The whole body, in memory. :raises TooLarge: :raises ClientDisconnect:"""
    assert request.stream is not None
    if length is None or length > request.core.config.limits.anonymous_body:
        request.grow()
    buffer = bytearray(min(most + 1, (length if length is not None else most) + 1))
    try:
        size = await request.stream.readinto(memoryview(buffer))
    except BadRequest:
        raise ClientDisconnect("The client was disconnected during request.") from None
    if size > most:
        raise TooLarge("Your request is too large.")
    if length is not None and size != length:
        raise ClientDisconnect("The client was disconnected during request.")
    return bytes(memoryview(buffer)[:size])


def _created(written: Written) -> Response:
    shown = {
        "Etag": written.etag,
        "Last-Modified": headers.http_date(written.stamp),
        "X-Timestamp": content.text(written.stamp),
        "Content-Length": "0",
        **written.headers,
    }
    if written.version:
        shown["X-Object-Version-Id"] = written.version
    return Response(None, 201, shown, headers.HTML)


# ---------------------------------------------------------------------------------------------------------- copies


async def copy(request: Request) -> Response:
    """Copy an object to `Destination`"""
    source = place(request)
    try:
        destination = request.headers.get("destination")
        if destination is None:
            raise PreconditionFailed("Destination header required")
        container, name = headers.path_in(destination, "Destination")
        objects.check_name(name)
        account = _account(request.headers.get("destination-account")) or source[0]
    except ApiError:
        await heavy.once_more(request, objects.source, request, source)
        raise
    return await _copy(request, source, (account, container, name))


async def _copy(request: Request, source: At, target: At) -> Response:
    core = request.core
    found, pieces = await heavy.once_more(request, objects.source, request, source, target)
    given, until = headers.object_meta(request), headers.delete_at(request)
    received = None
    if objects.is_assembled(request, found):
        metadata.check_size(found.size)
        await core.in_thread(objects.allow_put, request, target, found.size)
        owner = access.project_of(target[0]) or None
        received = await core.in_slow_thread(owner, blobs.assemble, core, pieces, target[:2])

    def finish(read: Reading) -> New:
        fresh = request.headers.get("x-fresh-metadata", "").lower() in ("true", "1", "yes", "on", "t", "y")
        kind = metadata.decoded(request.headers.get("content-type", "")) or read.row.content_type
        # Of what was put together anew, and of another one's manifest, what S3 knew of the whole does not hold.
        whole = received is None and read.row.kind != "slo"
        old = {} if fresh else read.meta if whole else metadata.without_own(read.meta)
        merged = {**old, **given}
        metadata.check_all(merged, "x-object-meta-")
        return New(kind, meta=merged, delete_at=until if until is not None or fresh else read.row.delete_at)

    written = await heavy.once_more(request, objects.copy, request, source, target, finish, received)
    answer = _created(written)
    assert written.copied is not None
    answer.headers |= {
        "X-Copied-From": quote(f"{source[1]}/{source[2]}"),
        "X-Copied-From-Account": quote(source[0]),
        "X-Copied-From-Last-Modified": headers.http_date(written.copied.row.stamp),
        **headers.of_meta(written.meta),
    }
    return answer


# --------------------------------------------------------------------------------------------------------- metadata


async def update(request: Request) -> Response:
    """Replace an object's metadata; upload files by a signed form, under names that begin with this one"""
    if multipart.is_form(request):
        return await formpost.upload(request, place(request))
    if request.param("bulk-delete") is not None:
        from tane.services.object.api import bulk

        return await bulk.delete_many(request)
    return await request.core.in_thread(_update, request)


def _update(request: Request) -> Response:
    at = place(request)
    kind = metadata.decoded(request.headers.get("content-type", ""))
    if kind.startswith("application/x-www-form-urlencoded"):
        # What some clients send by themselves with any POST.
        kind = ""
    try:
        meta, until = headers.object_meta(request), headers.delete_at(request)
    except ApiError:
        objects.allow_put(request, at, None)
        raise
    objects.post(request, at, meta, kind, until)
    return Response(ACCEPTED, 202, {}, headers.HTML)


async def delete(request: Request) -> Response:
    """Delete an object; a manifest with its segments by `multipart-manifest=delete`"""
    at = place(request)
    from tane.services.object.api import bulk

    if request.param("bulk-delete") is not None:
        return await bulk.delete_many(request)
    if request.param("multipart-manifest") == "delete":
        return await bulk.delete_manifest(request, at)
    shown = await request.core.in_thread(objects.delete, request, at, headers.if_delete_at(request))
    return Response(None, 204, {**shown, "Content-Length": "0"}, headers.HTML)
