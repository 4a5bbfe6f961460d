"""``OS::Aodh``: alarms over what is measured and on events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.resources.declaring import flag, formed, listing, mapping, number, one_of, shown, text
from tane.services.orchestration.template.constraints import Length
from tane.services.orchestration.template.properties import Property
from tane.web.errors import NotFound

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

ALARMS = "/v2/alarms"
ACTIONS = ("alarm_actions", "ok_actions", "insufficient_data_actions")
WHEN = {
    "alarm_actions": "A list of URLs (webhooks) to invoke when state transitions to alarm.",
    "ok_actions": "A list of URLs (webhooks) to invoke when state transitions to ok.",
    "insufficient_data_actions": "A list of URLs (webhooks) to invoke when state transitions to insufficient-data.",
}
COMMON = {
    "description": text("Description for the alarm.", update="in_place"),
    "enabled": flag("True if alarm evaluation/actioning is enabled.", default=True, update="in_place"),
    **{name: listing(description, update="in_place") for name, description in WHEN.items()},
    "repeat_actions": flag(
        "False to trigger actions when the threshold is reached AND the alarm's state has changed.",
        default=True,
        update="in_place",
    ),
    "severity": one_of("Severity of the alarm.", "low", "moderate", "critical", default="low", update="in_place"),
    "time_constraints": listing(
        "Describe time constraints for the alarm.",
        {
            "name": text("Name for the time constraint.", required=True),
            "start": text("Start time for the time constraint. A CRON expression property.", required=True),
            "description": text("Description for the time constraint."),
            "duration": number("Duration for the time constraint.", low=0, required=True),
            "timezone": formed("timezone", "Timezone for the time constraint (eg. 'Asia/Taipei', 'Europe/Amsterdam')."),
        },
        default=[],
        update="in_place",
    ),
}
THRESHOLD = {
    "comparison_operator": one_of(
        "Operator used to compare specified statistic with threshold.",
        *("le", "ge", "eq", "lt", "gt", "ne"),
        update="in_place",
    ),
    "evaluation_periods": number("Number of periods to evaluate over.", low=1, update="in_place"),
    "aggregation_method": text("The aggregation method to compare to the threshold.", update="in_place"),
    "granularity": number("The time range in seconds.", low=1, update="in_place"),
    "threshold": Property(
        type="number", required=True, update="in_place", description="Threshold to evaluate against."
    ),
}


class Alarm(Kind):
    """``kind``: Aodh's type; ``ruled``: the properties that its rule has."""

    kind: ClassVar[str] = ""
    ruled: ClassVar[tuple[str, ...]] = ()
    attributes = shown({"show": "map"})

    def rule(self, properties: Mapping[str, Any]) -> Any:
        return {name: properties[name] for name in self.ruled if properties.get(name) is not None}

    def body(self, hand: Hand) -> dict[str, Any]:
        properties = hand.properties
        body = {name: properties[name] for name in COMMON if properties.get(name) is not None}
        for name in ACTIONS:
            body[name] = [action for action in body.get(name) or [] if action]
        return {**body, "name": hand.physical_name(), "type": self.kind, f"{self.kind}_rule": self.rule(properties)}

    def create(self, hand: Hand) -> str | None:
        return str(hand.call("alarm", "POST", ALARMS, self.body(hand))["alarm_id"])

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        # What the alarm says now stays.
        state = self.show(hand)["state"]
        hand.call("alarm", "PUT", f"{ALARMS}/{hand.id}", {**self.body(hand), "state": state})

    def delete(self, hand: Hand) -> None:
        if hand.row.physical_id is None:
            return
        try:
            hand.call("alarm", "DELETE", f"{ALARMS}/{hand.id}")
        except NotFound:
            return

    def show(self, hand: Hand) -> Mapping[str, Any]:
        found: dict[str, Any] = hand.call("alarm", "GET", f"{ALARMS}/{hand.id}")
        return found

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.show(hand) if name == "show" else self.show(hand).get(name)


class GnocchiResourcesAlarm(Alarm):
    name = "OS::Aodh::GnocchiResourcesAlarm"
    description = "A resource allowing for the watch of some specified resource."
    kind = "gnocchi_resources_threshold"
    properties = {
        **COMMON,
        **THRESHOLD,
        "metric": text("Metric name watched by the alarm.", required=True, update="in_place"),
        "resource_id": text("Id of a resource.", required=True, update="in_place"),
        "resource_type": text("Resource type.", required=True, update="in_place"),
    }
    ruled = (*THRESHOLD, "metric", "resource_id", "resource_type")


class GnocchiAggregationByMetricsAlarm(Alarm):
    name = "OS::Aodh::GnocchiAggregationByMetricsAlarm"
    description = "A resource that implements alarm with specified metrics."
    kind = "gnocchi_aggregation_by_metrics_threshold"
    properties = {
        **COMMON,
        **THRESHOLD,
        "metrics": listing("A list of metric ids.", required=True, update="in_place"),
    }
    ruled = (*THRESHOLD, "metrics")


class GnocchiAggregationByResourcesAlarm(Alarm):
    name = "OS::Aodh::GnocchiAggregationByResourcesAlarm"
    description = "A resource that implements alarm as an aggregation of resources alarms."
    kind = "gnocchi_aggregation_by_resources_threshold"
    properties = {
        **COMMON,
        **THRESHOLD,
        "metric": text("Metric name watched by the alarm.", required=True, update="in_place"),
        "query": text("The query to filter the metrics.", required=True, update="in_place"),
        "resource_type": text("Resource type.", required=True, update="in_place"),
    }
    ruled = (*THRESHOLD, "metric", "query", "resource_type")


class EventAlarm(Alarm):
    name = "OS::Aodh::EventAlarm"
    description = "A resource that implements event alarms."
    kind = "event"
    properties = {
        **COMMON,
        "event_type": text(
            "Event type to evaluate against. If not specified will match all events.", default="*", update="in_place"
        ),
        "query": listing(
            "A list for filtering events. Query conditions used to filter specific events when evaluating the alarm.",
            {
                "field": text("Name of attribute to compare."),
                "type": one_of(
                    "The type of the attribute.",
                    *("integer", "float", "string", "boolean", "datetime"),
                    default="string",
                ),
                "op": one_of("Comparison operator.", *("le", "ge", "eq", "lt", "gt", "ne")),
                "value": text("String value with which to compare."),
            },
            update="in_place",
        ),
    }
    ruled = ("event_type", "query")

    def rule(self, properties: Mapping[str, Any]) -> Any:
        kept = super().rule(properties)
        kept["query"] = [
            {name: value for name, value in one.items() if value is not None} for one in kept.get("query") or []
        ]
        return kept


class CompositeAlarm(Alarm):
    name = "OS::Aodh::CompositeAlarm"
    description = "A resource that implements Aodh composite alarm."
    kind = "composite"
    properties = {
        **COMMON,
        "composite_rule": mapping(
            "Composite threshold rules in JSON format.",
            {
                "operator": one_of(
                    "The operator indicates how to combine the rules.", "or", "and", required=True, update="in_place"
                ),
                "rules": listing(
                    "Rules list. Basic threshold/gnocchi rules and nested dict.",
                    None,
                    Length(min=2),
                    required=True,
                    update="in_place",
                ),
            },
            required=True,
            update="in_place",
        ),
    }

    def rule(self, properties: Mapping[str, Any]) -> Any:
        def put(told: Any) -> Any:
            if isinstance(told, Mapping) and set(told) == {"operator", "rules"}:
                return {str(told["operator"]): [put(one) for one in told["rules"] or []]}
            return told

        return put(properties["composite_rule"])
