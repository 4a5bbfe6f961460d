"""Jobs of a project or of the whole cloud, with their steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tane.core import Core
from tane.db import Tx
from tane.jobs import looking
from tane.jobs.looking import Job, Note
from tane.web.context import Context
from tane.web.errors import Conflict, NotFound

TO_COME = "to come"
AFTER = {"done": "done", "failed": "failed", "undone": "undone", "owed": "owed", "undo given up": "failed"}
"""What a step is after an event of it."""


@dataclass
class Step:
    """A step of a job. ``tries``: how often it was begun; ``detail``: why it failed, or waits."""

    name: str
    state: str
    tries: int = 0
    began: datetime | None = None
    ended: datetime | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Shown:
    job: Job
    steps: Sequence[Step] = ()


def page(
    core: Core,
    ctx: Context,
    *,
    everything: bool,
    states: Sequence[str],
    resource: str,
    before: int | None,
    limit: int,
    steps: bool,
) -> list[Shown]:
    """Newest first; ``everything``: of all projects, and the cloud's own."""
    project = None if everything else ctx.project_id or ""
    with core.db.read() as tx:
        found = looking.page(tx, project_id=project, states=states, resource=resource, before=before, limit=limit)
        told = looking.notes(tx, [one.id for one in found]) if steps else []
    of: dict[int, list[Note]] = {}
    for note in told:
        of.setdefault(note.job_id, []).append(note)
    return [Shown(one, _steps(core, one, of.get(one.id, ())) if steps else ()) for one in found]


def show(core: Core, ctx: Context, job_id: int) -> Shown:
    """:raises NotFound: there is none, or it is another project's."""
    with core.db.read() as tx:
        found = _require(tx, ctx, job_id)
        told = looking.notes(tx, [job_id])
    return Shown(found, _steps(core, found, told))


def try_now(core: Core, ctx: Context, job_id: int) -> None:
    """Let a job that pauses go on at once.

    :raises NotFound: there is none. :raises Conflict: it has ended, runs, waits for a host or comes after another.
    """
    with core.db.write() as tx:
        found = _require(tx, ctx, job_id)
        if reason := why_not(found):
            raise Conflict(f"Job {job_id} {reason}.")
        if (before := looking.older(tx, found)) is not None:
            raise Conflict(f"Job {job_id} comes after job {before} of the same resource.")
        if not looking.hurry(tx, job_id):
            raise Conflict(f"Job {job_id} runs already.")


def why_not(found: Job) -> str:
    """Why a job cannot be tried now; "" where it can. What ended is undone, and its parameters are gone: who wants it
    orders it again."""
    if found.finished_at is not None:
        return "has ended: order again what it was to do"
    if found.state == looking.RUNNING:
        return "runs already"
    return f"waits for host {found.host_away}, and goes on when that is back" if found.host_away else ""


def _require(tx: Tx, ctx: Context, job_id: int) -> Job:
    found = looking.one(tx, job_id)
    if found is None or not ctx.sees(found.project_id):
        raise NotFound(f"Job {job_id} could not be found.")
    return found


def _steps(core: Core, found: Job, told: Sequence[Note]) -> list[Step]:
    """What was written of each step, in the order they began, and those that are to come."""
    steps: dict[str, Step] = {}
    for note in told:
        step = steps.setdefault(note.step, Step(note.step, looking.RUNNING))
        if note.event == "started":
            step.tries, step.began = step.tries + 1, step.began or note.at
        elif note.event == "retry":
            step.tries, step.detail = step.tries + 1, note.detail
        else:
            step.state, step.ended = AFTER.get(note.event, note.event), note.at
            # An undo that went well says nothing, and why the step failed is still to be read.
            step.detail = note.detail or step.detail
    if found.finished_at is None and found.step:
        step = steps.setdefault(found.step, Step(found.step, found.state))
        step.state, step.tries = found.state, max(step.tries, found.attempt + 1)
        if found.state != looking.OWED:
            step.ended = None
    if found.state in (looking.RUNNING, looking.WAITING):
        every = (one for service in core.services for one in service.operations)
        for each in next((one.steps for one in every if one.name == found.operation), ()):
            steps.setdefault(each.name, Step(each.name, TO_COME))
    return list(steps.values())
