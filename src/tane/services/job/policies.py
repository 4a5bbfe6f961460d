"""Who sees which jobs. There is no such API upstream; compute tells those of a server ("Servers actions")."""

from __future__ import annotations

from tane.web.policy import ADMIN, PROJECT, READER, Rule

RULES = (
    Rule("job:index", READER, "List the jobs of one's project.", PROJECT),
    Rule("job:index:all_projects", ADMIN, "List the jobs of all projects, and the cloud's own."),
    Rule("job:show", READER, "Show a job of one's project.", PROJECT),
    Rule("job:show:reasons", ADMIN, "See why a step failed or waits, and for which host."),
    Rule("job:try", ADMIN, "Let a job that pauses go on now.", PROJECT),
)
