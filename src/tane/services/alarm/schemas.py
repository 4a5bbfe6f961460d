"""Bodies of alarms. A client sends back what it was shown: what it cannot change is taken and not read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from tane.web.codec import Body

Text = Annotated[str, Meta(max_length=255)]
Action = Annotated[str, Meta(min_length=1, max_length=2048)]
Actions = Annotated[list[Action], Meta(max_length=20)]
State = Literal["ok", "alarm", "insufficient data"]


class TimeConstraintIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    start: Annotated[str, Meta(min_length=1, max_length=255)]
    duration: Annotated[int, Meta(ge=0, le=366 * 86400)]
    description: Annotated[str, Meta(max_length=1024)] | None = None
    timezone: Annotated[str, Meta(max_length=64)] | None = None


Rule = Annotated[dict[Text, Any], Meta(max_length=100)]


class AlarmIn(Body):
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    type: Text
    description: Annotated[str, Meta(max_length=1024)] | None = None
    enabled: bool = True
    severity: Literal["low", "moderate", "critical"] = "low"
    state: State = "insufficient data"
    ok_actions: Actions | None = None
    alarm_actions: Actions | None = None
    insufficient_data_actions: Actions | None = None
    repeat_actions: bool = False
    time_constraints: Annotated[list[TimeConstraintIn], Meta(max_length=20)] | None = None
    gnocchi_resources_threshold_rule: Rule | None = None
    gnocchi_aggregation_by_metrics_threshold_rule: Rule | None = None
    gnocchi_aggregation_by_resources_threshold_rule: Rule | None = None
    event_rule: Rule | None = None
    composite_rule: Rule | None = None
    prometheus_rule: Rule | None = None
    loadbalancer_member_health_rule: Rule | None = None
    project_id: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    user_id: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    alarm_id: Any = None
    timestamp: Any = None
    state_timestamp: Any = None
    state_reason: Any = None
    evaluate_timestamp: Any = None


class StateIn(Body):
    """A bare word."""

    value: State

    @classmethod
    def plain(cls, data: Any) -> Any:
        return data if isinstance(data, dict) else {"value": data}


class QueryIn(Body):
    """``filter`` and ``orderby`` are texts of JSON."""

    filter: Annotated[str, Meta(max_length=8192)] | None = None
    orderby: Annotated[str, Meta(max_length=1024)] | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class QuotaIn(Body):
    resource: Literal["alarms"]
    limit: Annotated[int, Meta(ge=-1, le=1_000_000)]


class QuotasIn(Body):
    project_id: Annotated[str, Meta(min_length=1, max_length=64)]
    quotas: Annotated[list[QuotaIn], Meta(max_length=10)]
