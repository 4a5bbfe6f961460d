"""Who may see and change hosts. There is no such API upstream."""

from __future__ import annotations

from tane.web.policy import ADMIN, PROJECT, Rule

RULES = (
    Rule("host:index", ADMIN, "List the hosts.", PROJECT),
    Rule("host:findings", ADMIN, "See what the doctor finds in the cloud.", PROJECT),
    Rule("host:settings", ADMIN, "See the settings that the cloud runs with.", PROJECT),
    Rule("host:show", ADMIN, "Show a host.", PROJECT),
    Rule("host:update", ADMIN, "Enable or disable a host.", PROJECT),
    Rule("host:cut_off", ADMIN, "Cut a host off the cloud.", PROJECT),
    Rule("host:delete", ADMIN, "Remove a host from the cloud.", PROJECT),
    Rule("host:tokens:index", ADMIN, "List the join tokens that are good.", PROJECT),
    Rule("host:tokens:create", ADMIN, "Make a token by which a host joins.", PROJECT),
    Rule("host:tokens:delete", ADMIN, "Let a join token be good no longer.", PROJECT),
)
