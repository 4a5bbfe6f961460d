"""Jobs of the cloud."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tane.jobs.looking import STATES, Job
from tane.services.job.domain import jobs
from tane.services.job.domain.jobs import Shown, Step
from tane.web.codec import iso_micro, whole
from tane.web.errors import BadRequest, Forbidden, NotFound
from tane.web.request import Request

MOST = 100
LARGEST = (1 << 31) - 1
LONGEST = 1000
"""Characters of a reason."""
UNFINISHED = "unfinished"
REASONS = "job:show:reasons"


def index(request: Request) -> dict[str, Any]:
    """A page, newest first: ``limit`` (at most 100), ``marker`` (the number of the last one seen), ``state`` (one of
    the states, or ``unfinished``), ``resource`` (``server:<id>``), ``steps``, ``all_projects``."""
    everything = request.flag("all_projects")
    if everything and not request.allows("job:index:all_projects"):
        raise Forbidden("Policy doesn't allow job:index:all_projects to be performed.")
    found = jobs.page(
        request.core,
        request.ctx,
        everything=everything,
        states=_states(request),
        resource=(request.param("resource") or "")[:128],
        before=None if (marker := request.number("marker")) is None else min(marker, LARGEST),
        limit=min(request.number("limit", MOST, minimum=1) or MOST, MOST),
        steps=request.flag("steps"),
    )
    reasons, steps, now = request.allows(REASONS), request.flag("steps"), request.core.clock.now()
    return {"jobs": [_view(one, now, reasons=reasons, steps=steps) for one in found]}


def _states(request: Request) -> tuple[str, ...]:
    wanted = request.param("state")
    if not wanted:
        return ()
    if wanted == UNFINISHED:
        return tuple(one for one in STATES if one not in ("done", "failed"))
    if wanted not in STATES:
        allowed = ", ".join((UNFINISHED, *STATES))
        raise BadRequest(f"Invalid value '{wanted[:64]}' for query parameter 'state': one of {allowed} is expected.")
    return (wanted,)


def show(request: Request) -> dict[str, Any]:
    found = jobs.show(request.core, request.ctx, _number(request))
    now = request.core.clock.now()
    return {"job": _view(found, now, reasons=request.allows(REASONS), steps=True)}


def try_now(request: Request) -> None:
    jobs.try_now(request.core, request.ctx, _number(request))


def _number(request: Request) -> int:
    number = whole(request.path["job_id"])
    if number is None or not 0 <= number <= LARGEST:
        raise NotFound(f"Job {request.path['job_id']} could not be found.")
    return number


def _view(shown: Shown, now: datetime, *, reasons: bool, steps: bool) -> dict[str, Any]:
    found: Job = shown.job
    body = {
        "id": found.id,
        "operation": found.operation,
        "resource": found.resource,
        "state": found.state,
        "step": found.step,
        "tries": found.attempt + 1 if found.step else 0,
        "created_at": iso_micro(found.created_at),
        "finished_at": iso_micro(found.finished_at),
        "late": found.finished_at is None and found.deadline is not None and found.deadline < now,
        "request_id": found.request_id,
        "user_id": found.user_id,
        "project_id": found.project_id,
    }
    if reasons:
        body |= {
            "error": found.error and found.error[:LONGEST],
            "next_try_at": iso_micro(found.next_try),
            "deadline": iso_micro(found.deadline),
            "host_id": found.host_away or None,
            "awaits": found.awaits or None,
            "can_be_tried": not jobs.why_not(found),
        }
    if steps:
        body["steps"] = [_step(one, reasons=reasons) for one in shown.steps]
    return body


def _step(step: Step, *, reasons: bool) -> dict[str, Any]:
    body = {
        "step": step.name,
        "state": step.state,
        "tries": step.tries,
        "started_at": iso_micro(step.began),
        "ended_at": iso_micro(step.ended),
    }
    return {**body, "detail": step.detail and step.detail[:LONGEST]} if reasons else body
