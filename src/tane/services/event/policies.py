"""Who is told what. There is no such API upstream."""

from __future__ import annotations

from tane.web.policy import ADMIN, ANYONE, READER, Rule

RULES = (
    Rule("event:index", ANYONE, "Follow the events of one's own things."),
    Rule("event:index:project", READER, "And those of one's project."),
    Rule("event:index:all_projects", ADMIN, "Follow the events of the whole cloud."),
)
