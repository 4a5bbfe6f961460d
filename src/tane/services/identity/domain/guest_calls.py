"""Which users are those of guests that stacks made (:mod:`guests`), and the only calls they are good for."""

from __future__ import annotations

from tane.web.access import AccessRule

DOMAIN = "heat_stack_users"
ROLE = "heat_stack_user"
"""Heat's name (``heat_stack_user_role``)."""
CALLS = (
    AccessRule("orchestration", "GET", "/v1/*/stacks/*/*/resources/*/metadata"),
    AccessRule("orchestration", "POST", "/v1/*/stacks/*/*/resources/*/signal"),
    AccessRule("cloudformation", "GET", "/v1"),
    AccessRule("cloudformation", "POST", "/v1"),
)
