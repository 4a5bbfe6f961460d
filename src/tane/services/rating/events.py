"""What rating tells of: prices, months that are closed, budgets and how far they are spent."""

from tane.db.recording import Source
from tane.services.rating.tables import (
    rating_budget,
    rating_closing,
    rating_field,
    rating_group,
    rating_rule,
    rating_scope,
    rating_service,
    rating_switch,
)

EVENTS = (
    Source(rating_service, "rating.service", shows=("name",)),
    Source(rating_field, "rating.field", shows=("name", "service_id")),
    Source(rating_group, "rating.group", shows=("name",)),
    Source(rating_rule, "rating.rule", project=None, shows=("kind", "type", "cost", "service_name", "current")),
    Source(rating_switch, "rating.switch", id=("kind", "name"), shows=("enabled", "priority")),
    Source(rating_scope, "rating.scope", id=("project_id",), project=None, shows=("active",)),
    Source(rating_closing, "rating.closing", id=("month",), shows=("month",)),
    Source(rating_budget, "rating.budget", id=("project_id",), shows=("state", "amount", "action"), ignores=("spent",)),
)
