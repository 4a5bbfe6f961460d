"""Many at once: bulk deletion, archives that are unpacked, manifests deleted with their segments.

Source: Swift's "Bulk middleware".
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import falcon

from tane.services.object.api import accounts, containers, headers, listings, objects
from tane.services.object.domain import access, bulk, metadata
from tane.services.object.domain.bulk import Outcome
from tane.services.object.domain.objects import At
from tane.web import codec
from tane.web.errors import BadRequest, NotAcceptable
from tane.web.request import Request, Response

MOST_BODY = 2 * bulk.MOST_DELETES * 1024


async def post_account(request: Request) -> Response:
    """Change an account's metadata; with `bulk-delete`, delete the objects that the body names"""
    if request.param("bulk-delete") is not None:
        return await delete_many(request)
    return await request.core.in_thread(accounts.update, request)


async def delete_account(request: Request) -> Response:
    """Delete an account and all that is in it, for resellers; with `bulk-delete`, what the body names"""
    if request.param("bulk-delete") is not None:
        return await delete_many(request)
    return await request.core.in_thread(accounts.delete, request)


async def put_account(request: Request) -> Response:
    """Make an account, for resellers; with `extract-archive`, make objects of what is in an archive"""
    if request.param("extract-archive") is not None:
        return await extract(request, request.path["account"], "")
    return await request.core.in_thread(accounts.create, request)


async def put_container(request: Request) -> Response:
    """Make a container, or change one; with `extract-archive`, make objects of what is in an archive"""
    if request.param("extract-archive") is not None:
        return await extract(request, request.path["account"], request.path["container"])
    return await request.core.in_thread(containers.create, request)


async def post_container(request: Request) -> Response:
    """Change a container's metadata, access lists, versions; upload files by a signed form; `bulk-delete`"""
    if request.param("bulk-delete") is not None:
        return await delete_many(request)
    return await containers.update(request)


async def delete_container(request: Request) -> Response:
    """Delete an empty container; with `bulk-delete`, what the body names"""
    if request.param("bulk-delete") is not None:
        return await delete_many(request)
    return await request.core.in_thread(containers.delete, request)


async def delete_many(request: Request) -> Response:
    """:raises BadRequest: too many names."""
    account = request.path["account"]
    await request.core.in_thread(bulk.allow, request, account)
    received = await objects.receive(request, headers.length(request), MOST_BODY)
    try:
        outcome = await request.core.in_slow_thread(_owner(account), bulk.delete_named, request, account, received)
    finally:
        await request.core.in_thread(received.abandon)
    return answer(request, outcome, {"Number Deleted": outcome.done, "Number Not Found": outcome.not_found})


async def delete_manifest(request: Request, at: At) -> Response:
    outcome = await request.core.in_slow_thread(_owner(at[0]), bulk.delete_manifest, request, at)
    return answer(request, outcome, {"Number Deleted": outcome.done, "Number Not Found": outcome.not_found})


async def extract(request: Request, account: str, below: str) -> Response:
    """:raises BadRequest: the archive's format is not known."""
    unpack = bulk.ARCHIVES.get((request.param("extract-archive") or "").lower())
    await request.core.in_thread(bulk.allow, request, account)
    if unpack is None:
        raise BadRequest("Unsupported archive format")
    length = headers.length(request)
    received = await objects.receive(request, length, metadata.MAX_FILE_SIZE)
    try:
        outcome = await request.core.in_slow_thread(
            _owner(account), bulk.extract, request, account, below, received, unpack
        )
    finally:
        await request.core.in_thread(received.abandon)
    return answer(request, outcome, {"Number Files Created": outcome.done})


def _owner(account: str) -> str | None:
    """Whose share of the threads for long work this takes."""
    return access.project_of(account) or None


def answer(request: Request, outcome: Outcome, numbers: dict[str, int]) -> Response:
    """Status 200 whatever came of it: the body tells."""
    told: dict[str, Any] = {
        "Response Status": outcome.status,
        "Response Body": outcome.body,
        **numbers,
        "Errors": [list(error) for error in outcome.errors],
    }
    kind = _media_type(request)
    if kind == listings.JSON:
        return Response(codec.encode(told), content_type=kind)
    if kind in (listings.XML, listings.OTHER_XML):
        return Response(_xml(told), content_type=kind)
    lines = [f"{name}: {value}" for name, value in told.items() if name != "Errors"]
    lines += ["Errors:", *(f"{name}, {status}" for name, status in outcome.errors)]
    return Response("\n".join(lines).encode(), content_type=listings.TEXT)


def _media_type(request: Request) -> str:
    accept = request.headers.get("accept")
    if not accept:
        return listings.TEXT
    kinds = (listings.TEXT, listings.JSON, listings.XML, listings.OTHER_XML)
    try:
        found = falcon.mediatypes.best_match(kinds, accept[:1024])
    except (falcon.InvalidMediaRange, ValueError):
        found = ""
    if not found:
        raise NotAcceptable("The resource is not available in a format acceptable to your browser.")
    return found


def _xml(told: dict[str, Any]) -> bytes:
    parts = ["<delete>"]
    for name, value in told.items():
        if name != "Errors":
            tag = name.lower().replace(" ", "_")
            parts.append(f"<{tag}>{escape(str(value))}</{tag}>")
    parts.append("<errors>")
    for name, status in told["Errors"]:
        parts.append(f"<object><name>{escape(name)}</name><status>{escape(status)}</status></object>")
    return "".join([*parts, "</errors></delete>"]).encode()
