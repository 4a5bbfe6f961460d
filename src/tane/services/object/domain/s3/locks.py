"""Object lock as S3 sets it: of buckets, and of versions.

Source: Amazon S3 API Reference, "PutObjectLockConfiguration", "PutObjectRetention", "PutObjectLegalHold".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.documents import dump, load
from tane.services.object.domain import access, locks, reading
from tane.services.object.domain.access import Visit
from tane.services.object.domain.errors import ObjectNotFound
from tane.services.object.domain.locks import COMPLIANCE, CONFIGURATION, Held, Lock
from tane.services.object.domain.objects import At
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.store import database, places
from tane.services.object.store import objects as rows
from tane.web.errors import Forbidden
from tane.web.request import Request

ACTION = "s3:PutObjectRetention"
MOST_DAYS = 36_525
NONE = "Bucket is missing Object Lock Configuration"


def require_bypass(request: Request, account: str) -> None:
    """:raises Forbidden: the caller may not pass governance over."""
    target = {"project_id": access.project_of(account), "user_id": request.ctx.user_id}
    if not request.ctx.user_id or not request.allows("object_store:bypass_governance", target):
        raise Forbidden("Access was denied to this resource.")


def check_until(until: int, now: int) -> None:
    """:raises S3Error: it is over, or so far away that it is a mistake, which nobody could take back."""
    if until <= now:
        raise S3Error("InvalidArgument", "The retain until date must be in the future!")
    if until > now + MOST_DAYS * locks.DAY:
        raise S3Error("InvalidArgument", "The retain until date must be within 100 years.")


def configuration(request: Request, at: tuple[str, str]) -> dict[str, Any]:
    """``mode`` with ``days`` or ``years`` where new objects get a retention. :raises S3Error: the bucket locks none."""
    with database.of(request.core).read() as tx:
        meta = access.admit(request, tx, "get_container", "owner", (*at, "")).container_meta
    if CONFIGURATION not in meta:
        raise S3Error("ObjectLockConfigurationNotFoundError")
    found: dict[str, Any] = load(meta[CONFIGURATION])
    return found


def configure(request: Request, at: tuple[str, str], wanted: Mapping[str, Any]) -> None:
    """Lock the objects of a bucket from now on, which nothing undoes. :raises S3Error: it does not keep versions."""
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_container", "owner", (*at, ""))
        if visit.there.versions_mode != "enabled":
            raise S3Error("InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock.")
        meta = {**visit.container_meta, CONFIGURATION: dump(wanted)}
        places.change_container(tx, visit.there.container_id, meta=meta)


def require_configured(request: Request, at: At) -> None:
    """What is locked fills a quota for as long: only the owner's own lock, not everybody who may write.

    :raises S3Error: the bucket locks no objects. :raises Forbidden:
    """
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "post_object", "owner", at, action=ACTION)
        if visit.there.container_id and CONFIGURATION not in visit.container_meta:
            raise S3Error("InvalidRequest", NONE)


def shown(request: Request, at: At, version: str | None) -> tuple[Lock, bool]:
    """A version's lock; whether its bucket locks objects. :raises NotFound:"""
    with database.of(request.core).read() as tx:
        visit = access.admit(request, tx, "get_object", "read" if version is None else "owner", at)
        row = _row(tx, visit, version)
        return locks.of_row(row), CONFIGURATION in visit.container_meta


def _row(tx: Tx, visit: Visit, version: str | None) -> Row[Any]:
    row = visit.object if version is None else reading.version(tx, visit, version)
    if row.kind == "marker":
        raise ObjectNotFound("The resource could not be found.")
    return row


def retain(request: Request, at: At, version: str | None, mode: str, until: int, *, bypass: bool) -> str:
    """Keep a version until a moment (seconds since 1970), in a mode; "" and 0 for no longer. Returns the version.

    :raises S3Error: the moment is over. :raises Held: that would be shorter, or otherwise less, than what there is.
    """

    def change(tx: Tx, lock: Lock) -> Lock:
        now = locks.now(tx)
        if mode:
            check_until(until, now)
        less = until < lock.until or mode != lock.mode
        if lock.until > now and less and (lock.mode == COMPLIANCE or not bypass):
            raise Held
        return Lock(mode, until, lock.hold)

    if bypass:
        require_bypass(request, at[0])
    return _changed(request, at, version, change)


def hold(request: Request, at: At, version: str | None, *, on: bool) -> str:
    """Set or lift a legal hold; returns the version."""
    return _changed(request, at, version, lambda _, lock: Lock(lock.mode, lock.until, on))


def _changed(request: Request, at: At, version: str | None, change: Callable[[Tx, Lock], Lock]) -> str:
    with database.of(request.core).write() as tx:
        visit = access.admit(request, tx, "post_object", "owner", at, action=ACTION)
        row = _row(tx, visit, version)
        if CONFIGURATION not in visit.container_meta:
            raise S3Error("InvalidRequest", NONE)
        meta = load(row.meta)
        old = locks.of(meta)
        new = change(tx, old)
        more = new.until > old.until or new.hold > old.hold
        if more and locks.points_elsewhere(row.kind, meta):
            raise S3Error("InvalidRequest", locks.ELSEWHERE)
        kept = {**locks.without(meta), **new.meta()}
        is_current = visit.there.id is not None and row is visit.there
        (rows.change if is_current else rows.change_version)(tx, row.id, meta=dump(kept))
        locks.follow(tx, kept)
        return reading.version_id(row)
