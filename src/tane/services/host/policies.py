"""Who may see and change hosts. There is no such API upstream."""

from __future__ import annotations

from tane.web.policy import ADMIN, Rule

RULES = (
    Rule("host:index", ADMIN, "List the hosts."),
    Rule("host:show", ADMIN, "Show a host."),
    Rule("host:update", ADMIN, "Enable or disable a host."),
    Rule("host:delete", ADMIN, "Remove a host from the cloud."),
    Rule("host:tokens:index", ADMIN, "List the join tokens that are good."),
    Rule("host:tokens:create", ADMIN, "Make a token by which a host joins."),
    Rule("host:tokens:delete", ADMIN, "Let a join token be good no longer."),
)
