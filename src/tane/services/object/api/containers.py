"""Containers."""

from __future__ import annotations

from urllib.parse import quote

from tane.services.object.api import downloads, formpost, headers, listings, staticweb
from tane.services.object.api.accounts import visible
from tane.services.object.domain import access, containers, content, heavy, metadata
from tane.services.object.domain.access import Visit
from tane.web import multipart
from tane.web.request import Request, Response


def place(request: Request) -> tuple[str, str]:
    return request.path["account"], request.path["container"]


async def show(request: Request) -> Response:
    """Show a container and list its objects"""
    return await heavy.once_more(request, _show, request)


def _show(request: Request) -> Response:
    at = place(request)
    if staticweb.is_visitor(request):
        site = staticweb.container(request, downloads.got)
        if site is not None:
            return site
    if request.method == "HEAD":
        visit, _ = containers.show(request, at)
        kind = f"{listings.media_type(request)}; charset=utf-8"
        answer = Response(None, 204, {**_headers(request, visit), "Content-Length": "0"}, kind)
        return headers.with_cors(request, visit, answer)
    versions = containers.asks_versions(request)
    kind = listings.of_versions(request) if versions else listings.media_type(request)
    wanted = listings.wanted(request)
    visit, page = containers.show(request, at, wanted)
    entries = listings.objects(page, at, versions=versions)
    answer = listings.answer(kind, entries, listings.names(page.found), ("container", at[1], "object"))
    answer.headers |= _headers(request, visit)
    return headers.with_cors(request, visit, answer)


def _headers(request: Request, visit: Visit) -> dict[str, str]:
    row, changes = visit.there, access.may_change(request, visit)
    shown = {
        "X-Container-Object-Count": str(row.objects),
        "X-Container-Bytes-Used": str(row.bytes),
        "X-Timestamp": content.text(row.container_stamp),
        "X-Put-Timestamp": content.text(row.container_stamp),
        "Last-Modified": headers.http_date(row.changed),
        "X-Storage-Policy": row.policy,
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    if changes:
        shown |= {
            name: metadata.carried(value)
            for name, value in (("X-Container-Read", row.read_acl), ("X-Container-Write", row.write_acl))
            if value
        }
    if row.versions_mode in ("enabled", "suspended"):
        shown["X-Versions-Enabled"] = str(row.versions_mode == "enabled").title()
    elif row.versions_mode:
        name = "X-Versions-Location" if row.versions_mode == "location" else "X-History-Location"
        shown[name] = quote(row.versions_container)
    return {**headers.of_meta(visible(visit.container_meta, changes)), **shown}


def create(request: Request) -> Response:
    """Make a container, or change one"""
    new = containers.create(request, place(request), metadata.given(request.headers, "container"))
    return Response(None, 201 if new else 202, {"Content-Length": "0"}, headers.HTML)


async def update(request: Request) -> Response:
    """Change a container's metadata, access lists, versions; upload files by a signed form"""
    if multipart.is_form(request):
        return await formpost.upload(request, (*place(request), ""))
    return await request.core.in_thread(_update, request)


def _update(request: Request) -> Response:
    containers.change(request, place(request), metadata.given(request.headers, "container"))
    return Response(None, 204, {"Content-Length": "0"}, headers.HTML)


def delete(request: Request) -> Response:
    """Delete an empty container"""
    containers.remove(request, place(request))
    return Response(None, 204, {"Content-Length": "0"}, headers.HTML)
