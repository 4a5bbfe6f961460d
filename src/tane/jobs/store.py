"""SQL of the saga engine. Every function takes an open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import msgspec
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
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs.order import Order
from tane.jobs.tables import job, job_event, job_history

TOPIC = "jobs"
LEASE = timedelta(seconds=60)
NEVER = datetime(9999, 1, 1)
SOON = timedelta(seconds=30)
MANY = 1 << 30
"""A share that is none."""
OWES_STEP, OWES_UNDO = "owes step", "owes undo"
"""States of debts: what a host that was away has still to do, or to take back, of one step of an operation."""
DEBTS = (OWES_STEP, OWES_UNDO)

P = TypeVar("P", bound=msgspec.Struct)
Noted = tuple[str, str, str | None]
"""A step, what happened with it, and a detail."""

KEPT = tuple(column.name for column in job_history.c if column.name != "finished_at")


# Both are asked several times in each job.
_HELD = select(job.c.cancel_requested).where(
    job.c.id == bindparam("job_id"), job.c.epoch == bindparam("held_epoch", type_=Integer)
)
_NOTE = insert(job_event)


class AskedBy(Protocol):
    """For whom a job is done, as the context of a request says."""

    @property
    def request_id(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def project_id(self) -> str: ...


def enqueue(
    tx: Tx, order: Order[P], params: P, *, resource: str, by: AskedBy | None = None, owner: str | None = None
) -> int:
    """Write a job in the caller's transaction; it starts when that commits. Returns its number.

    Jobs of the same ``resource`` ("server:<id>") run one after another in the order they were written. ``by`` is None
    for the cloud's own work. ``owner``: the project whose resource it is, where it may be another than that of ``by``:
    the owner sees the job; it runs in the share of who ordered it, or an owner's slow jobs would hold up the drain of
    a host.
    """
    result = tx.insert(
        job,
        operation=order.name,
        resource=resource,
        params=msgspec.to_builtins(params),
        data={},
        state="running",
        step="",
        begun=[],
        attempt=0,
        run_after=tx.now,
        deadline=tx.now + timedelta(seconds=order.patience),
        epoch=0,
        cancel_requested=False,
        request_id=by and by.request_id,
        user_id=by and by.user_id,
        project_id=owner or (by and by.project_id),
        ordered_by=by and by.project_id,
        created_at=tx.now,
    )
    tx.notify(TOPIC)
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def restate(tx: Tx, job_id: int, params: msgspec.Struct) -> None:
    """Give a job that has not begun other parameters: only for one that waits for an older one of its resource."""
    change(tx, job_id, params=msgspec.to_builtins(params))


def cancel(tx: Tx, resource: str) -> int:
    """Ask the unfinished jobs of ``resource`` to turn round before their next step, those that pause at once; returns
    how many there are. Debts stay."""
    wanted = update(job).where(job.c.resource == resource, job.c.state.not_in(DEBTS))
    count = tx.count(wanted.values(cancel_requested=True))
    if count:
        tx.execute(wanted.where(job.c.lease_until.is_(None)).values(run_after=tx.now))
        tx.notify(TOPIC)
        tx.notify(resource)
    return count


def wake(tx: Tx, resource: str) -> int:
    """Let the jobs that await something of ``resource``, and those of it that pause, run now; returns how many."""
    paused = and_(job.c.resource == resource, job.c.lease_until.is_(None), job.c.state.not_in(DEBTS))
    awaiting = or_(job.c.awaits == resource, paused)
    count = tx.count(update(job).where(awaiting).values(awaits=None, run_after=tx.now))
    if count:
        tx.notify(TOPIC)
    return count


def pending(tx: Tx, resource: str) -> Row[Any] | None:
    """The first unfinished job of ``resource``, or None; debts are none."""
    unfinished = select(job).where(job.c.resource == resource, job.c.state.not_in(DEBTS))
    return tx.first(unfinished.order_by(job.c.id).limit(1))


def unfinished(tx: Tx, resource: str) -> list[Row[Any]]:
    """The unfinished jobs of ``resource`` in the order they run in; debts are none."""
    return tx.all(select(job).where(job.c.resource == resource, job.c.state.not_in(DEBTS)).order_by(job.c.id))


def cancel_requested(tx: Tx, job_id: int) -> bool:
    return bool(tx.scalar(select(job.c.cancel_requested).where(job.c.id == job_id)))


def history(tx: Tx, resource: str) -> list[Row[Any]]:
    """All jobs of ``resource``, newest first, as rows of ``job_history``: the instance actions of the compute API.

    ``finished_at`` is None for those that still run. Debts are left out.
    """
    ended = select(*(job_history.c[name] for name in (*KEPT, "finished_at"))).where(job_history.c.resource == resource)
    running = select(*(job.c[name] for name in KEPT), literal(None, DateTime).label("finished_at"))
    both = running.where(job.c.resource == resource, job.c.state.not_in(DEBTS)).union_all(ended).subquery()
    return tx.all(select(both).order_by(both.c.id.desc()))


def events(tx: Tx, job_id: int) -> list[Row[Any]]:
    return tx.all(select(job_event).where(job_event.c.job_id == job_id).order_by(job_event.c.id))


def claim(tx: Tx, owner: str, limit: int, share: int | None = None) -> list[Row[Any]]:
    """Take up to ``limit`` jobs that are due, have no live lease and no older unfinished job on the same resource.

    What one project ordered holds no more than ``share`` of this owner's leases at a time, and who holds fewest comes
    first: one project's many or long jobs never keep another's waiting. Jobs that no project ordered are the cloud's
    own, without a share.
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
    other, now = job.alias("other"), bindparam("now", type_=DateTime)
    # One at a time, in the order of their numbers; but a debt comes first only when it is due.
    in_the_way = or_(other.c.host_away.is_(None), other.c.run_after <= now)
    before = or_(and_(other.c.id < job.c.id, in_the_way), other.c.lease_until >= now)
    held = (
        select(job.c.ordered_by, func.count().label("count"))
        .where(job.c.lease_owner == bindparam("owner"), job.c.lease_until >= now)
        .group_by(job.c.ordered_by)
        .subquery()
    )
    due = (
        select(
            job.c.id,
            job.c.ordered_by,
            func.row_number().over(partition_by=job.c.ordered_by, order_by=job.c.id).label("place"),
        )
        .where(
            job.c.run_after <= now,
            or_(job.c.lease_until.is_(None), job.c.lease_until < now),
            ~exists().where(other.c.resource == job.c.resource, other.c.id != job.c.id, before),
        )
        .subquery()
    )
    place = case((due.c.ordered_by.is_(None), 0), else_=due.c.place + func.coalesce(held.c.count, 0))
    return (
        select(due.c.id)
        .outerjoin(held, held.c.ordered_by == due.c.ordered_by)
        .where(place <= bindparam("share", type_=Integer))
        .order_by(place, due.c.id)
        .limit(bindparam("most", type_=Integer))
    )


CLAIMABLE = _claimable()


def is_due(tx: Tx) -> bool:
    """Whether a job without a live lease has reached its time; it may still wait for another one."""
    free = or_(job.c.lease_until.is_(None), job.c.lease_until < tx.now)
    return tx.first(select(job.c.id).where(job.c.run_after <= tx.now, free).limit(1)) is not None


def next_due(tx: Tx, after: datetime = datetime.min) -> datetime | None:
    """The first moment after ``after`` at which a job becomes due or its lease ends, or None.

    What was due by then and was not taken waits for another job, whose end or pause is told on ``TOPIC``.
    """
    moments = (
        tx.scalar(select(func.min(column)).where(column > after, column < NEVER))
        for column in (job.c.run_after, job.c.lease_until)
    )
    return min((moment for moment in moments if moment is not None), default=None)


def held(tx: Tx, job_id: int, epoch: int) -> Row[Any] | None:
    """What may change of a job while it is carried on, unless the claim numbered ``epoch`` owns it no more."""
    return tx.execute(_HELD, {"job_id": job_id, "held_epoch": epoch}).first()


def renew(tx: Tx, owner: str, job_ids: Sequence[int]) -> None:
    tx.execute(update(job).where(job.c.id.in_(job_ids), job.c.lease_owner == owner).values(lease_until=tx.now + LEASE))


def release(tx: Tx, owners: str | None = None) -> int:
    """Drop the leases of owners whose name begins so, by default all; returns how many jobs that frees."""
    held = update(job).where(job.c.lease_until.is_not(None))
    if owners is not None:
        held = held.where(job.c.lease_owner.startswith(owners, autoescape=True))
    return tx.count(held.values(lease_until=None))


def storable(text: str) -> str:
    """The text as every database takes it: without NUL, which PostgreSQL has not, and halves of characters."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def note(tx: Tx, job_id: int, *noted: Noted) -> None:
    """Write down what happened with its steps."""
    rows = [
        {
            "job_id": job_id,
            "step": step,
            "event": event,
            "detail": None if detail is None else storable(detail),
            "created_at": tx.now,
        }
        for step, event, detail in noted
    ]
    tx.execute(_NOTE, rows)


def change(tx: Tx, job_id: int, **values: Any) -> None:
    tx.update(job, {"id": job_id}, **values)


def finish(tx: Tx, job_id: int, state: str, error: str | None = None) -> None:
    """Move a job from the queue to the history. ``error``: the reason, where the job's row has not got it."""
    kept = [job.c[name] for name in KEPT if name not in ("state", "error")]
    ended = [literal(state).label("state"), func.coalesce(literal(error), job.c.error), literal(tx.now, DateTime)]
    names = [*(column.name for column in kept), "state", "error", "finished_at"]
    tx.execute(insert(job_history).from_select(names, select(*kept, *ended).where(job.c.id == job_id)))
    awaited = select(job.c.resource).where(job.c.id == job_id).scalar_subquery()
    tx.update(job, {"awaits": awaited}, awaits=None, run_after=tx.now)
    _leave(tx, job_id)


def _leave(tx: Tx, job_id: int) -> None:
    tx.execute(delete(job).where(job.c.id == job_id))
    tx.notify(TOPIC)


# ----------------------------------------------------------------------------------------------------------- debts


def owe(tx: Tx, row: Row[Any], step: str, state: str, data: dict[str, Any], host_id: str) -> int:
    """Leave a step, or its undo, to be done when its host is back: a job of its own, which holds up no other until
    then. Returns its number. An empty ``host_id`` is a host that answers but cannot do it: that is tried now and then.
    """
    result = tx.insert(
        job,
        operation=row.operation,
        resource=row.resource,
        params=row.params,
        data=data,
        state=state,
        step=step,
        begun=[],
        attempt=0,
        run_after=NEVER if host_id else tx.now + SOON,
        deadline=NEVER,
        host_away=host_id,
        epoch=0,
        cancel_requested=False,
        request_id=row.request_id,
        user_id=row.user_id,
        project_id=row.project_id,
        ordered_by=row.ordered_by,
        created_at=tx.now,
    )
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def hosts_owing(tx: Tx) -> list[str]:
    """Ids of the hosts that are waited for by debts."""
    waited_for = select(job.c.host_away).where(job.c.host_away.is_not(None), job.c.host_away != "").distinct()
    return [str(row.host_away) for row in tx.all(waited_for)]


def call_in(tx: Tx, host_ids: Sequence[str]) -> int:
    """Let the debts of hosts that are back run now, before what was ordered later for the same resources; returns how
    many they are."""
    count = tx.count(update(job).where(job.c.host_away.in_(host_ids)).values(host_away=None, run_after=tx.now))
    if count:
        tx.notify(TOPIC)
    return count


def forget_debt(tx: Tx, job_id: int) -> None:
    """Take a debt from the queue, with its events: it was settled, or nobody can."""
    tx.execute(delete(job_event).where(job_event.c.job_id == job_id))
    _leave(tx, job_id)


def forget_debts(tx: Tx, host_ids: Sequence[str]) -> int:
    """Forget the debts of hosts that are gone for good; returns how many they were."""
    owed = select(job.c.id).where(job.c.host_away.in_(host_ids))
    tx.execute(delete(job_event).where(job_event.c.job_id.in_(owed)))
    return tx.count(delete(job).where(job.c.host_away.in_(host_ids)))


def numbers(tx: Tx) -> tuple[int, int, int]:
    """(unfinished jobs, those of them past their deadline, debts)."""
    kinds = (job.c.state.not_in(DEBTS), job.c.deadline < tx.now, job.c.state.in_(DEBTS))
    unfinished, late, debts = (tx.scalar(select(func.count()).select_from(job).where(kind)) for kind in kinds)
    return unfinished, late, debts


# --------------------------------------------------------------------------------------------------------- keeping


def overdue(tx: Tx) -> list[Row[Any]]:
    """Jobs that have not ended by their deadline, oldest first."""
    return tx.all(select(job).where(job.c.deadline < tx.now).order_by(job.c.id))


def prune(tx: Tx, before: datetime, most: int) -> int:
    """Forget jobs that finished before a moment, and the oldest beyond ``most``, with their events; returns how
    many."""
    newest = int(tx.scalar(select(func.max(job_history.c.id))) or 0)
    forgotten = or_(job_history.c.finished_at < before, job_history.c.id <= newest - most)
    old = select(job_history.c.id).where(forgotten)
    tx.execute(delete(job_event).where(job_event.c.job_id.in_(old)))
    return tx.count(delete(job_history).where(forgotten))
