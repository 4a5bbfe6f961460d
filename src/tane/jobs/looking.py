"""The queue and the history as people see them: a page of jobs, the steps of some, one that is to be tried now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, case, or_, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs import store
from tane.jobs.store import DEBTS, TOPIC
from tane.jobs.tables import job, job_event, job_history

LOOKED_THROUGH = 50_000
"""The newest jobs, of a project or of all, that the filter by state looks through: no index knows it."""
MOST_NOTES = 5000
"""Of the jobs of one page: some fifty for each."""
RUNNING, WAITING, UNDOING, OWED, DONE, FAILED = "running", "waiting", "undoing", "owed", "done", "failed"
STATES = (RUNNING, WAITING, UNDOING, OWED, DONE, FAILED)


@dataclass(frozen=True)
class Job:
    """A job. ``next_try``: when it goes on, of one that pauses; None when something wakes it. ``host_away``: the host
    it waits for; ``awaits``: the resource."""

    id: int
    operation: str
    resource: str
    state: str
    created_at: datetime
    finished_at: datetime | None = None
    error: str | None = None
    step: str = ""
    attempt: int = 0
    next_try: datetime | None = None
    deadline: datetime | None = None
    host_away: str = ""
    awaits: str = ""
    request_id: str | None = None
    user_id: str | None = None
    project_id: str | None = None


@dataclass(frozen=True)
class Note:
    job_id: int
    step: str
    event: str
    detail: str | None
    at: datetime


def page(
    tx: Tx,
    *,
    project_id: str | None = None,
    states: Sequence[str] = (),
    resource: str = "",
    before: int | None = None,
    limit: int,
) -> list[Job]:
    """Jobs, newest first; ``project_id`` None: of all. Of those that ended ``states`` looks through the newest
    :data:`LOOKED_THROUGH`; by ``resource``, or by project alone, all are found."""
    unfinished = [job.c.project_id == project_id] if project_id is not None else []
    ended = [job_history.c.project_id == project_id] if project_id is not None else []
    if resource:
        unfinished.append(job.c.resource == resource)
        ended.append(job_history.c.resource == resource)
    elif states:
        newest = select(job_history.c.id).where(*ended).order_by(job_history.c.id.desc())
        oldest = tx.scalar(newest.offset(LOOKED_THROUGH).limit(1))
        ended.append(job_history.c.id > (oldest or 0))
    if before is not None:
        unfinished.append(job.c.id < before)
        ended.append(job_history.c.id < before)
    found: list[Job] = []
    if not states or {RUNNING, WAITING, UNDOING, OWED} & set(states):
        if states:
            unfinished.append(or_(*(_is(tx, state) for state in states)))
        rows = tx.all(select(job).where(*unfinished).order_by(job.c.id.desc()).limit(limit))
        found += [_unfinished(tx, row) for row in rows]
    if not states or {DONE, FAILED} & set(states):
        if states:
            ended.append(job_history.c.state.in_(states))
        found += [_ended(row) for row in tx.all(_history(*ended).limit(limit))]
    return sorted(found, key=lambda one: -one.id)[:limit]


def _history(*wanted: Any) -> Select[Any]:
    return select(job_history).where(*wanted).order_by(job_history.c.id.desc())


def _is(tx: Tx, state: str) -> Any:
    """The condition of an unfinished job's state, as :func:`_state` tells it."""
    held = job.c.lease_until >= tx.now
    if state == OWED:
        return job.c.state.in_(DEBTS)
    if state == UNDOING:
        return job.c.state == "unwinding"
    free = or_(job.c.lease_until.is_(None), job.c.lease_until < tx.now)
    return and_(job.c.state == "running", held if state == RUNNING else free if state == WAITING else job.c.id < 0)


def _state(tx: Tx, row: Row[Any]) -> str:
    if row.state in DEBTS:
        return OWED
    if row.state == "unwinding":
        return UNDOING
    return RUNNING if row.lease_until is not None and row.lease_until >= tx.now else WAITING


def _unfinished(tx: Tx, row: Row[Any]) -> Job:
    held = row.lease_until is not None and row.lease_until >= tx.now
    return Job(
        id=row.id,
        operation=row.operation,
        resource=row.resource,
        state=_state(tx, row),
        created_at=row.created_at,
        error=row.error,
        step=row.step,
        attempt=row.attempt,
        next_try=None if held or row.run_after >= store.NEVER else row.run_after,
        deadline=None if row.deadline >= store.NEVER else row.deadline,
        host_away=row.host_away or "",
        awaits=row.awaits or "",
        request_id=row.request_id,
        user_id=row.user_id,
        project_id=row.project_id,
    )


def _ended(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        operation=row.operation,
        resource=row.resource,
        state=row.state,
        created_at=row.created_at,
        finished_at=row.finished_at,
        error=row.error,
        request_id=row.request_id,
        user_id=row.user_id,
        project_id=row.project_id,
    )


def one(tx: Tx, job_id: int) -> Job | None:
    row = tx.row(job, id=job_id)
    if row is not None:
        return _unfinished(tx, row)
    ended = tx.first(_history(job_history.c.id == job_id))
    return None if ended is None else _ended(ended)


def notes(tx: Tx, job_ids: Sequence[int]) -> list[Note]:
    """What was written of the steps of these jobs, in order: one query, whatever their number. Of more than
    :data:`MOST_NOTES` the newest: a debt that is put off for days says so each time."""
    if not job_ids:
        return []
    asked = select(job_event).where(job_event.c.job_id.in_(job_ids)).order_by(job_event.c.id.desc()).limit(MOST_NOTES)
    return [Note(row.job_id, row.step, row.event, row.detail, row.created_at) for row in reversed(tx.all(asked))]


def older(tx: Tx, found: Job) -> int | None:
    """The number of the unfinished job that this one comes after, as jobs of one resource do; None: of none."""
    before = select(job.c.id).where(
        job.c.resource == found.resource, job.c.id < found.id, or_(job.c.host_away.is_(None), job.c.host_away == "")
    )
    number = tx.scalar(before.order_by(job.c.id).limit(1))
    return None if number is None else int(number)


def hurry(tx: Tx, job_id: int) -> bool:
    """Let a job that pauses go on now; whether it was one. What runs already, or waits for a host, is left alone."""
    free = or_(job.c.lease_until.is_(None), job.c.lease_until < tx.now)
    there = or_(job.c.host_away.is_(None), job.c.host_away == "")
    wanted = update(job).where(job.c.id == job_id, free, there)
    # What somebody asks for is not one of the tries after which a job gives up. The first stays one: 0 is a new step.
    kept = case((job.c.attempt > 1, job.c.attempt - 1), else_=job.c.attempt)
    if not tx.count(wanted.values(run_after=tx.now, awaits=None, attempt=kept)):
        return False
    tx.notify(TOPIC)
    return True
