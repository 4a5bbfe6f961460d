"""Containers: metadata, access lists, versions, and pages of what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from tane.core import Core
from tane.db import Tx
from tane.services.object.domain import access, acl, copies, locks, metadata, room
from tane.services.object.domain.access import Visit
from tane.services.object.domain.errors import NameTooLong
from tane.services.object.store import database, listing, places, versions
from tane.services.object.store.listing import Page, Wanted
from tane.web.errors import BadRequest, Conflict, NotFound
from tane.web.request import Request

SYNC = ("x-container-sync-to", "x-container-sync-key")
LEGACY = "Cannot enable object versioning on a container that is already using the legacy versioned writes feature."
VERSIONS = (
    *("x-versions-enabled", "x-versions-location", "x-history-location"),
    *("x-remove-versions-location", "x-remove-history-location"),
)
ACLS = {"x-container-read": "read_acl", "x-container-write": "write_acl"}


def check_name(name: str) -> None:
    """:raises NameTooLong:"""
    if len(name.encode()) > metadata.MAX_CONTAINER_NAME_LENGTH:
        told = f"Container name length of {len(name.encode())} longer than {metadata.MAX_CONTAINER_NAME_LENGTH}"
        raise NameTooLong(told, content_type="text/html; charset=UTF-8")


def show(
    request: Request, at: tuple[str, str], wanted: Wanted | None = None, *, site: bool = False
) -> tuple[Visit, Page]:
    """The container, with a page of its objects when that is asked for; ``site``: as a web site's, so that a signed
    prefix is enough. :raises NotFound:"""
    access.identify(request)
    with database.of(request.core).read() as tx:
        folder = wanted.prefix if site and wanted is not None else None
        versions_too = wanted is not None and asks_versions(request)
        action, prefix = "s3:ListBucketVersions" if versions_too else "", wanted.prefix if wanted is not None else ""
        visit = access.admit(
            request, tx, "get_container", "list", (*at, ""), folder=folder, action=action, prefix=prefix
        )
        container_id = visit.there.container_id
        if wanted is None:
            return visit, Page()
        if asks_versions(request):
            return visit, versions.page(tx, container_id, wanted, request.param("version_marker"))
        return visit, listing.objects(tx, container_id, wanted)


def asks_versions(request: Request) -> bool:
    """Whether a listing is to show older versions, too: the parameter's value does not matter."""
    return request.param("versions") is not None


def create(request: Request, at: tuple[str, str], changes: Mapping[str, str], *, only_new: bool = False) -> bool:
    """Make it, or change what is given, unless it is to be new only; whether it is new.

    :raises BadRequest: no such storage policy is on. :raises Conflict: it is there with another one.
    """
    access.identify(request)
    check_name(at[1])
    policy = request.headers.get("x-storage-policy", "")
    wanted, refused = copies.ONE, None
    try:
        wanted = copies.policy(request.core, policy)
    except BadRequest as error:
        if policy.lower() not in ("", *copies.POLICIES):
            raise
        # What is there need not be possible today.
        refused = error
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "put_container", "owner", (*at, ""))
        if visit.row is not None and visit.row.container_id is not None:
            if policy and policy.lower() in copies.POLICIES and policy.lower() != visit.row.policy:
                raise Conflict(f"The container has the storage policy '{visit.row.policy}', which stays.")
            if not only_new:
                _change(request, tx, visit, changes)
            return False
        if refused is not None:
            raise refused
        add(tx, request.core, access.account_of(request, tx, visit), at[1], wanted)
        _change(request, tx, Visit(*at, "", places.place(tx, *at), True), changes)
        return True


def add(tx: Tx, core: Core, account_id: int, name: str, policy: str) -> int:
    """One that a client asked for, in whatever way. :raises TooManyContainers:"""
    room.check_containers(tx, core, account_id)
    return places.add_container(tx, account_id, name, policy)


def change(request: Request, at: tuple[str, str], changes: Mapping[str, str]) -> None:
    """:raises NotFound: :raises BadRequest:"""
    access.identify(request)
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        _change(request, tx, visit, changes)


def _change(request: Request, tx: Tx, visit: Visit, changes: Mapping[str, str]) -> None:
    headers, values = request.headers, dict[str, Any]()
    for header, column in ACLS.items():
        if header in headers:
            values[column] = acl.cleaned(header, metadata.decoded(headers[header]))
        elif header.replace("x-", "x-remove-", 1) in headers:
            values[column] = ""
    if any(name in headers and headers[name] for name in SYNC):
        raise BadRequest("Container sync is not offered by this cloud.")
    check_quotas(changes)
    values |= _versions(request, visit)
    values["meta"] = metadata.merged(visit.container_meta, changes, "container")
    places.change_container(tx, visit.there.container_id, **values)


def check_quotas(changes: Mapping[str, str]) -> None:
    for name, what in (("quota-bytes", "bytes quota"), ("quota-count", "count quota")):
        value = changes.get(f"x-container-meta-{name}", "")
        if value and not (value.isascii() and value.isdigit()):
            raise BadRequest(f"Invalid {what}.")


def _versions(request: Request, visit: Visit) -> dict[str, Any]:
    """What the headers of the three forms of versions change."""
    headers, mode = request.headers, visit.there.versions_mode
    if locks.CONFIGURATION in visit.container_meta and any(name in headers for name in VERSIONS):
        raise Conflict("The container locks objects: its versions stay enabled.")
    enabled = headers.get("x-versions-enabled")
    old_form = {
        kind: unquote(metadata.decoded(headers[name]))
        for kind, name in (("location", "x-versions-location"), ("history", "x-history-location"))
        if headers.get(name)
    }
    removed = [
        kind
        for kind, name in (("location", "versions-location"), ("history", "history-location"))
        if f"x-remove-{name}" in headers or headers.get(f"x-{name}") == ""
    ]
    if len(old_form) > 1:
        raise BadRequest("Only one of X-Versions-Location or X-History-Location may be specified")
    if enabled is not None:
        if enabled.strip().lower() not in ("true", "false"):
            raise BadRequest("X-Versions-Enabled must be true or false")
        if old_form or mode in ("location", "history"):
            raise BadRequest(LEGACY)
        if enabled.strip().lower() == "true":
            return {"versions_mode": "enabled"}
        return {"versions_mode": "suspended" if mode else ""}
    for kind, target in old_form.items():
        if mode in ("enabled", "suspended"):
            raise BadRequest("Cannot use legacy versioned writes on a container with object versioning")
        target = target.strip("/")
        if not target or "/" in target:
            raise BadRequest("Container name cannot contain slashes")
        return {"versions_mode": kind, "versions_container": target}
    if removed and mode in ("location", "history"):
        return {"versions_mode": "", "versions_container": ""}
    return {}


def remove(request: Request, at: tuple[str, str]) -> None:
    """:raises Conflict: something is in it. :raises NotFound:"""
    access.identify(request)
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "delete_container", "owner", (*at, ""))
        delete(tx, visit)


def delete(tx: Tx, visit: Visit) -> None:
    if visit.row is None or visit.row.container_id is None:
        raise NotFound("The resource could not be found.")
    if not places.delete_container(tx, visit.row.container_id):
        raise Conflict("There was a conflict when trying to complete your request.")
