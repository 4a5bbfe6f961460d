"""SQL of the saga engine. Every function takes an open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    DateTime,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs.tables import job, job_event

TOPIC = "jobs"
LEASE = timedelta(seconds=60)
MANY = 1 << 30
"""A share that is none."""
DEFAULT_PATIENCE = timedelta(seconds=600)


def enqueue(
    tx: Tx,
    operation: str,
    *,
    resource: str,
    request_id: str | None = None,
    user_id: str | None = None,
    project_id: str | None = None,
    **params: Any,
) -> int:
    """Write a job in the caller's transaction; it starts when that commits.

    Jobs of the same ``resource`` ("server:<id>") run one after another in the order they were written.
    """
    result = tx.execute(
        insert(job).values(
            operation=operation,
            resource=resource,
            params=params,
            data={},
            state="running",
            active=True,
            step=0,
            attempt=0,
            run_after=tx.now,
            deadline=tx.now + DEFAULT_PATIENCE,
            epoch=0,
            cancel_requested=False,
            request_id=request_id,
            user_id=user_id,
            project_id=project_id,
            created_at=tx.now,
        )
    )
    tx.notify(TOPIC)
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def cancel(tx: Tx, resource: str) -> int:
    """Ask the unfinished jobs of ``resource`` to turn round before their next step; returns how many there are."""
    count = tx.count(update(job).where(job.c.resource == resource, job.c.active).values(cancel_requested=True))
    if count:
        tx.notify(TOPIC)
        tx.notify(resource)
    return count


def pending(tx: Tx, resource: str) -> Row[Any] | None:
    """The first unfinished job of ``resource``, or None."""
    return tx.first(select(job).where(job.c.resource == resource, job.c.active).order_by(job.c.id).limit(1))


def cancel_requested(tx: Tx, job_id: int) -> bool:
    return bool(tx.scalar(select(job.c.cancel_requested).where(job.c.id == job_id)))


def history(tx: Tx, resource: str) -> list[Row[Any]]:
    """All jobs of ``resource``, newest first: the instance actions of the compute API."""
    return tx.all(select(job).where(job.c.resource == resource).order_by(job.c.id.desc()))


def events(tx: Tx, job_id: int) -> list[Row[Any]]:
    return tx.all(select(job_event).where(job_event.c.job_id == job_id).order_by(job_event.c.id))


def claim(tx: Tx, owner: str, limit: int, share: int | None = None) -> list[Row[Any]]:
    """Take up to ``limit`` jobs that are due, have no live lease and no older unfinished job on the same resource.

    No project holds more than ``share`` of this owner's leases at a time, and who holds fewest comes first: one
    project's many or long jobs never keep another's waiting. Jobs of no project are the cloud's own, without a share.
    """
    most = MANY if share is None else share
    wanted = {"now": tx.now, "owner": owner, "share": most, "most": limit}
    ids: Sequence[int] = [row.id for row in tx.connection.execute(CLAIMABLE, wanted)]
    if not ids:
        return []
    taken = (
        update(job)
        .where(job.c.id.in_(ids))
        .values(lease_owner=owner, lease_until=tx.now + LEASE, epoch=job.c.epoch + 1)
    )
    return list(tx.execute(taken.returning(job)).all())


def _claimable() -> Select[Any]:
    """The query of :func:`claim`, made once: of ``now``, ``owner``, ``share`` and ``most``."""
    older, now = job.alias("older"), bindparam("now", type_=DateTime)
    held = (
        select(job.c.project_id, func.count().label("count"))
        .where(job.c.active, job.c.lease_owner == bindparam("owner"), job.c.lease_until >= now)
        .group_by(job.c.project_id)
        .subquery()
    )
    due = (
        select(
            job.c.id,
            job.c.project_id,
            func.row_number().over(partition_by=job.c.project_id, order_by=job.c.id).label("place"),
        )
        .where(
            job.c.active,
            job.c.run_after <= now,
            or_(job.c.lease_until.is_(None), job.c.lease_until < now),
            ~exists().where(and_(older.c.resource == job.c.resource, older.c.id < job.c.id, older.c.active)),
        )
        .subquery()
    )
    place = case((due.c.project_id.is_(None), 0), else_=due.c.place + func.coalesce(held.c.count, 0))
    return (
        select(due.c.id)
        .outerjoin(held, held.c.project_id == due.c.project_id)
        .where(place <= bindparam("share", type_=Integer))
        .order_by(place, due.c.id)
        .limit(bindparam("most", type_=Integer))
    )


CLAIMABLE = _claimable()


def is_due(tx: Tx) -> bool:
    """Whether a job without a live lease has reached its time; it may still wait for another one."""
    free = or_(job.c.lease_until.is_(None), job.c.lease_until < tx.now)
    return tx.first(select(job.c.id).where(job.c.active, job.c.run_after <= tx.now, free).limit(1)) is not None


def next_due(tx: Tx, after: datetime = datetime.min) -> datetime | None:
    """The first moment after ``after`` at which a job becomes due or its lease ends, or None.

    What was due by then and was not taken waits for another job, whose end or pause is told on ``TOPIC``.
    """
    moments = (
        tx.scalar(select(func.min(column)).where(job.c.active, column > after))
        for column in (job.c.run_after, job.c.lease_until)
    )
    return min((moment for moment in moments if moment is not None), default=None)


def holds(tx: Tx, job_id: int, epoch: int) -> bool:
    """Whether the claim numbered ``epoch`` still owns the job."""
    return bool(tx.scalar(select(job.c.epoch).where(job.c.id == job_id, job.c.active)) == epoch)


def renew(tx: Tx, owner: str, job_ids: Sequence[int]) -> None:
    tx.execute(update(job).where(job.c.id.in_(job_ids), job.c.lease_owner == owner).values(lease_until=tx.now + LEASE))


def release(tx: Tx, owners: str | None = None) -> int:
    """Drop the leases of owners whose name begins so, by default all; returns how many jobs that frees."""
    held = update(job).where(job.c.active, job.c.lease_until.is_not(None))
    if owners is not None:
        held = held.where(job.c.lease_owner.startswith(owners, autoescape=True))
    return tx.count(held.values(lease_until=None))


def note(tx: Tx, job_id: int, step: str, event: str, detail: str | None = None) -> None:
    tx.execute(insert(job_event).values(job_id=job_id, step=step, event=event, detail=detail, created_at=tx.now))


def change(tx: Tx, job_id: int, **values: Any) -> None:
    tx.execute(update(job).where(job.c.id == job_id).values(**values))


def finish(tx: Tx, job_id: int, state: str) -> None:
    tx.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(state=state, active=False, lease_until=None, lease_owner=None, finished_at=tx.now)
    )
    tx.notify(TOPIC)


def prune(tx: Tx, before: datetime) -> int:
    """Forget jobs that finished before a moment."""
    return tx.count(delete(job).where(~job.c.active, job.c.finished_at < before))
