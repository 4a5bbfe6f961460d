"""Buckets: containers by the names that S3 gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tane.db import Tx
from tane.db.documents import dump, load
from tane.services.identity import interface as identity
from tane.services.object.domain import access, acl, containers, locks, policies
from tane.services.object.domain.access import Visit
from tane.services.object.domain.policies import SEGMENTS
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.domain.s3.signature import access_in
from tane.services.object.store import database, documents, listing, places, versions
from tane.services.object.store.listing import Page, Wanted
from tane.web.errors import BadRequest, Conflict
from tane.web.request import Request

At = tuple[str, str]
KNOWN = re.compile(r"[A-Za-z0-9._-]{3,255}\Z")
"""What a bucket that is there may be called: also containers that Swift's clients made."""
NEW = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9])){1,61}[a-z0-9]\Z")
ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}\Z")
RESERVED_STARTS, RESERVED_ENDS = ("xn--", "sthree-", "amzn-s3-demo-"), ("-s3alias", "--ol-s3", ".mrap", "--x-s3")
MOST_NAMED = 100
"""Buckets of one name that are looked at."""
EVERYBODY, KNOWN_USERS = ".r:*,.rlistings", "*:*"
CANNED = {
    "private": ("", ""),
    "public-read": (EVERYBODY, ""),
    "public-read-write": (EVERYBODY, KNOWN_USERS),
    "authenticated-read": (KNOWN_USERS, ""),
}
"""The container's access lists, for reading and for writing. Nobody writes without a name, whatever the list says."""


def check_name(name: str, *, new: bool = False) -> None:
    """:raises S3Error: it is no name of a bucket, or ("new") not one that may be given.

    Source: Amazon S3 User Guide, "General purpose bucket naming rules".
    """
    good = bool(KNOWN.match(name)) and name not in (".", "..")
    if new:
        good = bool(NEW.match(name)) and not ADDRESS.match(name)
        good &= not name.startswith(RESERVED_STARTS) and not name.endswith(RESERVED_ENDS)
    if not good:
        raise S3Error("InvalidBucketName", details={"BucketName": name[:300]})


def create(request: Request, at: At, canned: str, *, locked: bool = False) -> None:
    """:raises S3Error: it is there already."""
    read, write = CANNED[canned]
    headers = {"x-container-read": read, "x-container-write": write} if canned != "private" else {}
    if locked:
        headers["x-versions-enabled"] = "true"
    if not containers.create(_with(request, headers), at, {locks.CONFIGURATION: "{}"} if locked else {}, only_new=True):
        raise S3Error("BucketAlreadyOwnedByYou", details={"BucketName": at[1]})


def _with(request: Request, headers: Mapping[str, str]) -> Request:
    return replace(request, headers={**request.headers, **headers})


def remove(request: Request, at: At) -> None:
    """An empty one, with what was begun to be uploaded. :raises S3Error: something is in it."""
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "delete_container", "owner", (*at, ""))
        try:
            containers.delete(tx, visit)
        except Conflict:
            raise S3Error("BucketNotEmpty", details={"BucketName": at[1]}) from None
        beside = places.place(tx, at[0], at[1] + SEGMENTS)
        if beside is not None and beside.container_id is not None:
            # Where parts are left, it goes with them.
            places.delete_container(tx, beside.container_id)


def there(request: Request, at: At, rule: str = "get_container") -> Visit:
    """:raises NotFound:"""
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, rule, "list" if rule == "get_container" else "owner", (*at, ""))
        assert visit.there is not None
        return visit


def is_there(request: Request, at: At) -> bool:
    """Whether the bucket is what an error means that says that nothing was found."""
    with database.of(request.core).read() as tx:
        row = places.place(tx, *at)
    return row is not None and row.container_id is not None


def meta_of(request: Request, at: At) -> Mapping[str, str]:
    """A bucket's metadata; empty where there is none."""
    with database.of(request.core).read() as tx:
        row = places.place(tx, *at)
    return load(row.container_meta) if row is not None and row.container_id is not None else {}


def of_address(request: Request, project_id: str, bucket: str) -> list[Mapping[str, str]]:
    """The metadata of the bucket that a browser asks about before it sends what is signed: of the project that the path
    or the signed address names; else of the buckets of that name which have rules for pages. To be told that a page may
    ask gives nobody a right."""
    project_id = project_id or identity.project_of_key(request.core, access_in(dict(request.query)))
    if project_id:
        return [meta_of(request, (f"{access.RESELLER_PREFIX}{project_id}", bucket))]
    with database.of(request.core).read() as tx:
        return [load(text) for text in places.metas_named(tx, bucket, "s3-cors", MOST_NAMED)]


def listed(request: Request, at: At, wanted: Wanted) -> tuple[Visit, Page]:
    return containers.show(request, at, wanted)


def listed_versions(request: Request, at: At, wanted: Wanted, version_marker: str | None) -> Page:
    with database.of(request.core).read() as tx:
        action = "s3:ListBucketVersions"
        visit = access.admit(request, tx, "get_container", "list", (*at, ""), action=action, prefix=wanted.prefix)
        return versions.page(tx, visit.there.container_id, wanted, version_marker)


def owned(request: Request, account: str, wanted: Wanted) -> Page:
    """The project's buckets."""
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "get_account", "owner", (account, "", ""))
        return listing.containers(tx, visit.row.account_id, wanted) if visit.row is not None else Page()


def set_access(request: Request, at: At, canned: str) -> None:
    """The access lists of the bucket. Where the parts of its large objects are has none: it opens to nobody what is not
    current any more."""
    read, write = CANNED[canned]
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        places.change_container(tx, visit.there.container_id, read_acl=read, write_acl=write)
        beside = places.place(tx, at[0], at[1] + SEGMENTS)
        if beside is not None and beside.container_id is not None:
            places.change_container(tx, beside.container_id, read_acl="")


def grants(row: Any) -> list[tuple[str, str]]:
    """(group, permission) that the access lists of a container come to: AllUsers, AuthenticatedUsers."""
    read, write = acl.parsed(row.read_acl), acl.parsed(row.write_acl)
    found = []
    if "*" in read.referrers:
        found.append(("AllUsers", "READ"))
    elif KNOWN_USERS in read.groups:
        found.append(("AuthenticatedUsers", "READ"))
    if KNOWN_USERS in write.groups:
        found.append(("AllUsers" if "*" in read.referrers else "AuthenticatedUsers", "WRITE"))
    return found


def change(request: Request, at: At, **values: str) -> None:
    """What S3 keeps of a bucket beside Swift's metadata; "" removes it. :raises NotFound:"""
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        _keep(tx, visit, {f"s3-{name}": value for name, value in values.items()})


def _keep(tx: Tx, visit: Visit, values: Mapping[str, str]) -> None:
    both = {name: value for name, value in {**visit.container_meta, **values}.items() if value}
    places.change_container(tx, visit.there.container_id, meta=both)


def set_versioning(request: Request, at: At, *, enabled: bool) -> None:
    """:raises BadRequest: the container keeps versions in one of Swift's older forms."""
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        if visit.there.versions_mode in ("location", "history"):
            raise BadRequest(containers.LEGACY)
        if not enabled and locks.CONFIGURATION in visit.container_meta:
            raise S3Error(
                "InvalidBucketState",
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
            )
        mode = "enabled" if enabled else "suspended"
        places.change_container(tx, visit.there.container_id, versions_mode=mode)


# ---------------------------------------------------------------------------------------------------------- policies


def policy(request: Request, at: At) -> str:
    """The bucket's policy as it was set. :raises S3Error: there is none."""
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        text = documents.find(tx, visit.there.container_id, policies.KIND)
    if not text:
        raise S3Error("NoSuchBucketPolicy", details={"BucketName": at[1]})
    return text


def set_policy(request: Request, at: At, text: str) -> None:
    """ "" removes it. :raises S3Error: it is none, or has what is not offered."""
    if text:
        try:
            policies.parsed(text, at[1])
        except policies.Malformed as error:
            raise S3Error("MalformedPolicy", str(error)) from None
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        documents.put(tx, visit.there.container_id, policies.KIND, text)
        _keep(tx, visit, {policies.FLAG: "on" if text else ""})


# -------------------------------------------------------------------------------------------------------- access log


def logging(request: Request, at: At) -> tuple[str, str] | None:
    """To which bucket the access log goes, and how the names of its objects begin; None where there is none."""
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        kept = visit.container_meta.get(access.LOGGED, "")
    return tuple(load(kept)) if kept else None


def set_logging(request: Request, at: At, wanted: tuple[str, str] | None) -> None:
    """:raises S3Error: there is no such bucket in the account."""
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        if wanted is not None:
            target = access.admit(request, tx, "put_object", "write", (at[0], wanted[0], "log"))
            if target.row is None or target.row.container_id is None:
                raise S3Error("InvalidTargetBucketForLogging", "The target bucket for logging does not exist")
        _keep(tx, visit, {access.LOGGED: dump(list(wanted)) if wanted is not None else ""})
