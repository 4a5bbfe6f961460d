"""Containers and objects. Their names may hold anything, so they stand in the query, not in the path."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tane.services.dashboard.api.incoming import Form, read
from tane.services.dashboard.api.once import once
from tane.services.dashboard.api.special import DOWNLOAD, attachment
from tane.services.dashboard.api.visit import PREFIX, Visit, check_form, waiting
from tane.services.dashboard.domain import terraform
from tane.services.dashboard.domain.describing import Call
from tane.services.dashboard.domain.forms import line, operand
from tane.services.dashboard.domain.messages import N_
from tane.web import codec, inside
from tane.web.errors import ApiError, BadRequest
from tane.web.request import Response

PAGE = 20
"""Rows a page: with the frame it has less than 20 KB, as other lists."""
MOST = 100
"""Objects that one order deletes."""
PUT, OBJECT = "object PUT /v1/{project}/{in}", "/v1/{project}/{in}/{id}"
MAY = {
    "make": PUT,
    "remove": "object DELETE /v1/{project}/{in}",
    "change": "object POST /v1/{project}/{in}",
    "put": f"object PUT {OBJECT}",
    "delete": f"object DELETE {OBJECT}",
}
"""What a visitor's role may allow, by the calls that do it."""


async def ask(visit: Visit, method: str, *names: str, query: Any = (), **more: Any) -> Response:
    """The object store as the visitor: of the project's account, a container, an object."""
    path = "/".join(["/v1", inside.part(f"AUTH_{visit.ctx.project_id}"), *(inside.part(name) for name in names)])
    headers = {"accept": "application/json", "content-length": "0", **more.pop("headers", {})}
    return await inside.ask(visit.core, visit.ctx, "object", method, path, query=query, headers=headers, **more)


async def _list(visit: Visit, *names: str, **query: str) -> list[Any]:
    answer = await ask(visit, "GET", *names, query={"format": "json", "limit": str(PAGE + 1), **query})
    body = answer.body
    if answer.stream is not None or answer.file is not None:
        await answer.close()
        raise BadRequest("The container has no list.")
    return list(codec.parse(body) if isinstance(body, bytes) else body or [])


@waiting
async def containers(visit: Visit) -> Response:
    """The project's containers."""
    return await _containers(visit)


async def _containers(visit: Visit, problem: ApiError | None = None, name: str = "") -> Response:
    """``name``: of a new one that was refused."""
    marker = visit.request.param("marker") or ""
    try:
        rows = await _list(visit, **({"marker": marker} if marker else {}))
    except ApiError as error:
        if error.status != 404:
            raise
        rows = []
    following = rows[PAGE - 1]["name"] if len(rows) > PAGE else ""
    command = "openstack container list"
    block = terraform.written(terraform.made("containers", "create", terraform.Asked({}, {}, {})))
    return await visit.in_thread(
        visit.page,
        "containers.html",
        problem.status if problem else 200,
        rows=rows[:PAGE],
        following=following,
        command=command,
        block=block,
        may=_may(visit),
        name=name,
        problem=visit.refusal(problem) if problem else "",
    )


def _may(visit: Visit) -> dict[str, bool]:
    return {name: visit.may(Call.of(call)) for name, call in MAY.items()}


@waiting
async def objects(visit: Visit) -> Response:
    """What is in a container, as folders."""
    name, before = visit.request.param("container") or "", visit.request.param("prefix") or ""
    if not name or "/" in name:
        raise BadRequest(visit.words("Name a container."))
    return await _objects(visit, name, before)


async def _objects(visit: Visit, name: str, before: str, problem: ApiError | None = None, folder: str = "") -> Response:
    """``folder``: the name of a new one that was refused."""
    marker = visit.request.param("marker") or ""
    from tane.services.dashboard.api import sharing

    versions = visit.request.flag("versions")
    query = {"prefix": before, **({"marker": marker} if marker else {})}
    query |= {"versions": "true"} if versions else {"delimiter": "/"}
    if versions and marker and (version := visit.request.param("version_marker")):
        query["version_marker"] = version[:100]
    rows = await _list(visit, name, **query)
    last = rows[PAGE - 1] if len(rows) > PAGE else {}
    return await visit.in_thread(
        visit.page,
        "objects.html",
        problem.status if problem else 200,
        rows=rows[:PAGE],
        may=_may(visit),
        folder=folder,
        problem=visit.refusal(problem) if problem else "",
        container=name,
        before=before,
        parents=_parents(before),
        following=last.get("name") or last.get("subdir") or "",
        after=last.get("version_id") or "" if versions else "",
        versions=versions,
        keeping=await sharing.keeping(visit, name),
        hours=sharing.HOURS,
        command=line(["openstack object list", operand(name)]),
        block=terraform.written(terraform.made("objects", "create", terraform.Asked({}, {"container": name}, {}))),
    )


def _parents(before: str) -> list[tuple[str, str]]:
    """(name, prefix) of each folder on the way."""
    parts = before.rstrip("/").split("/") if before else []
    return [(part, "/".join(parts[: place + 1]) + "/") for place, part in enumerate(parts)]


@waiting
async def download(visit: Visit) -> Response:
    """An object, as a file to keep: the browser shows and runs nothing of it."""
    container, name = visit.request.param("container") or "", visit.request.param("name") or ""
    if not container or not name:
        raise BadRequest(visit.words("Name a container."))
    version = visit.request.param("version-id") or ""
    answer = await ask(visit, "GET", container, name, query={"version-id": version[:100]} if version else ())
    kept = {
        key: value
        for key, value in answer.headers.items()
        if key.lower() in ("content-length", "etag", "last-modified")
    }
    answer.headers = {**kept, **DOWNLOAD, "Content-Disposition": attachment(name.rstrip("/").rpartition("/")[2])}
    answer.content_type, answer.status = "application/octet-stream", answer.status or 200
    return answer


@waiting
async def change(visit: Visit) -> Response:
    """Make or delete a container, a folder, an object; bring a file."""
    given = await read(visit.request)
    check_form(visit, given.values)
    try:
        if given.file is not None:
            # An object that is put twice is the one that came last.
            return await _change(visit, given)
        return await once(visit, given, lambda: _change(visit, given))
    except ApiError as error:
        return await _refused(visit, given, error)


async def _refused(visit: Visit, given: Form, error: ApiError) -> Response:
    """The page that the form was on, with what was typed. :raises ApiError: there is no such page (any more)."""
    container, name = given.one("container"), given.one("name") if given.one("what") == "folder" else ""
    try:
        if given.one("what") == "make":
            return await _containers(visit, error, container)
        return await _objects(visit, container, given.one("prefix"), error, name)
    except ApiError:
        raise error from None


def _sure(visit: Visit, given: Form) -> Response:
    """What is to be deleted, before it is."""
    what, container, before = given.one("what"), given.one("container"), given.one("prefix")
    names = given.values.get("name", [])[:MOST]
    return visit.page(
        "sure.html",
        title=visit.words("Delete") if what == "delete" else visit.words(N_("Delete the container")),
        post=f"{PREFIX}/objects",
        sent=[("what", what), ("container", container), ("prefix", before), *(("name", name) for name in names)],
        chosen=names or [container],
        back=False,
        cancel=f"{PREFIX}/objects?{urlencode({'container': container, 'prefix': before})}",
    )


async def _change(visit: Visit, given: Form) -> Response:
    from tane.services.dashboard.api import sharing

    what, container, before = given.one("what"), given.one("container"), given.one("prefix")
    if not container or "/" in container or len(container.encode()) > 256:
        raise BadRequest(visit.words("A container has a name, without a slash."))
    names = given.values.get("name", [])[:MOST]
    if (what == "remove" or (what == "delete" and names)) and given.one("sure") != "yes":
        return await visit.in_thread(_sure, visit, given)
    if what == "make":
        await ask(visit, "PUT", container)
    elif what == "remove":
        await ask(visit, "DELETE", container)
        return visit.go("/containers")
    elif what == "share":
        return await sharing.share(visit, given)
    elif what == "versions":
        await sharing.keep(visit, given)
    elif what == "restore":
        await sharing.restore(visit, given)
    elif what == "folder":
        await _put(visit, container, f"{before}{given.one('name').strip('/')}/", b"", "application/directory")
    elif what == "upload" and given.file is not None:
        name = f"{before}{given.file_name.replace(chr(92), '/').rpartition('/')[2]}"
        headers = {"transfer-encoding": "chunked", "content-type": given.file_type or "application/octet-stream"}
        await _send(visit, container, name, headers, given.file)
    elif what == "delete":
        for name in names:
            await ask(visit, "DELETE", container, name)
    else:
        raise BadRequest(visit.words("Choose a file, or give an address."))
    return visit.go(f"/objects?{urlencode({'container': container, 'prefix': before})}")


class _Empty:
    async def readinto(self, buffer: memoryview) -> int:
        return 0


async def _put(visit: Visit, container: str, name: str, data: bytes, kind: str) -> None:
    if name in ("", "/") or name.endswith("//"):
        raise BadRequest(visit.words("A folder has a name."))
    await _send(visit, container, name, {"content-length": str(len(data)), "content-type": kind}, _Empty())


async def _send(visit: Visit, container: str, name: str, headers: dict[str, str], stream: Any) -> None:
    path = "/".join(["/v1", inside.part(f"AUTH_{visit.ctx.project_id}"), inside.part(container), inside.part(name)])
    await inside.ask(visit.core, visit.ctx, "object", "PUT", path, headers=headers, stream=stream)
