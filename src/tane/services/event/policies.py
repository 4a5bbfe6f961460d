"""Who is told what. There is no such API upstream."""

from __future__ import annotations

from tane.web.policy import ADMIN, ANYONE, Rule

RULES = (
    Rule("event:index", ANYONE, "Follow the events of one's project and of one's own things."),
    Rule("event:index:all_projects", ADMIN, "Follow the events of the whole cloud."),
)
