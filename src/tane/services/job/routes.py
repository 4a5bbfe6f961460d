"""Route table of jobs."""

from __future__ import annotations

from tane.services.job.api import jobs
from tane.web.routes import Route

ROUTES = (
    Route("GET", "", jobs.index, "job:index", summary="List jobs, newest first"),
    Route("GET", "/{job_id}", jobs.show, "job:show", summary="Show a job with its steps"),
    Route("POST", "/{job_id}/try", jobs.try_now, "job:try", status=202, summary="Let a job that pauses go on now"),
)
