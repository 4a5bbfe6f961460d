"""Alarms: thresholds of what is measured, and what is to be told then."""

from __future__ import annotations

import json
from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Panel, Row, Values
from tane.services.dashboard.domain.messages import N_

ONE = "/v2/alarms/{id}"
METRICS = (
    ("cpu", N_("Processor (percent of one)")),
    ("memory.resident", N_("Memory (MiB)")),
    ("disk.device.read.bytes", N_("Disks: read (bytes a second)")),
    ("disk.device.write.bytes", N_("Disks: written (bytes a second)")),
    ("network.incoming.bytes", N_("Network: came in (bytes a second)")),
    ("network.outgoing.bytes", N_("Network: went out (bytes a second)")),
)
OPERATORS = (
    ("gt", N_("more than")),
    ("ge", N_("at least")),
    ("lt", N_("less than")),
    ("le", N_("at most")),
    ("eq", N_("equal to")),
    ("ne", N_("other than")),
)
STATES = (("ok", N_("Well")), ("alarm", N_("Alarm")), ("insufficient data", N_("Too little is known")))
LONGEST_REASON = 300
"""Characters of a reason in the history's list."""


def turned(enabled: bool) -> Any:
    """An alarm as it was shown, enabled or not: it is only changed as a whole."""

    def build(values: Values, row: Row) -> Values:
        return {**row, "enabled": enabled}

    return build


def state(values: Values, row: Row) -> str:
    return str(values["state"])


def changes(answer: Any) -> list[Row]:
    """The history as rows: the new state and why, or the names of what was changed."""
    found = []
    for one in answer:
        detail = _document(one.get("detail"))
        changed = (name for name in detail if name not in ("state", "transition_reason"))
        named = "" if one["type"] == "creation" else ", ".join(changed)
        why = str(detail.get("transition_reason") or "") if one["type"] == "state transition" else named
        shown = detail.get("state") if one["type"] == "state transition" else None
        found.append({**one, "state": shown, "why": why[:LONGEST_REASON]})
    return found


def _document(text: Any) -> Values:
    """Details come as a text of JSON."""
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


NAME = Field("name", N_("Name"), required=True, option="--name")
CALLED = (
    Field(
        "address",
        N_("Web address to call"),
        option="--alarm-action",
        help=N_("http or https, of a public host. Empty: nothing is called; the alarm is seen here."),
    ),
    Field("back", N_("Call it, too, when all is well again"), "bool", folded=True),
)
DESCRIBED = (
    Field(
        "severity",
        N_("Severity"),
        "choice",
        choices=(("low", N_("low")), ("moderate", N_("moderate")), ("critical", N_("critical"))),
        required=True,
        option="--severity",
        folded=True,
    ),
    Field("description", N_("Description"), option="--description", folded=True),
)
COMPARED = (
    Field(
        "comparison_operator",
        N_("Alarm when it is"),
        "choice",
        choices=OPERATORS,
        required=True,
        option="--comparison-operator",
    ),
    Field(
        "threshold",
        N_("Threshold"),
        required=True,
        option="--threshold",
        help=N_("Of several disks or network cards: what each has, in the mean."),
    ),
    Field(
        "evaluation_periods",
        N_("For how many periods of five minutes"),
        "number",
        default=1,
        option="--evaluation-periods",
    ),
)
CONDITIONS = Field(
    "conditions",
    N_("Only when"),
    "lines",
    help=N_("One a line: field, operator (eq, ne, lt, le, gt, ge), value. For example: traits.name eq web"),
)
EVENT = Field(
    "event_type",
    N_("Event"),
    required=True,
    option="--event-type",
    help=N_("For example compute.server.delete; * stands for anything."),
)


def threshold(row: Row) -> bool:
    return str(row.get("type")).startswith("gnocchi_")


CREATE = Action(
    "create",
    N_("Create an alarm"),
    "alarm POST /v2/alarms",
    special="alarm",
    command="openstack alarm create --type <type> --aggregation-method <method> --resource-type <type>",
    fields=(
        NAME,
        Field("metric", N_("What is watched"), "choice", choices=METRICS, required=True, option="--metric"),
        Field(
            "server",
            N_("Server"),
            "ref",
            ref="servers",
            option="--query",
            help=N_("Empty: all servers of the project, in the mean."),
        ),
        *COMPARED,
        *CALLED,
        *DESCRIBED,
    ),
)


def other(name: str, create: Action) -> Kind:
    """The form of another type of alarm; its list is that of all alarms."""
    return Kind(
        name,
        N_("Alarms"),
        N_("Alarm"),
        N_("Monitoring"),
        "alarm GET /v2/alarms",
        "",
        (Column("name", N_("Name")),),
        id="alarm_id",
        inner=True,
        paged=False,
        gone_to="alarms",
        command="openstack alarm list",
        create=create,
    )


OTHERS = (
    other(
        "event-alarms",
        Action(
            "create",
            N_("Create an alarm on an event"),
            "alarm POST /v2/alarms",
            special="event-alarm",
            command="openstack alarm create --type event",
            fields=(NAME, EVENT, CONDITIONS, *CALLED, *DESCRIBED),
        ),
    ),
    other(
        "composite-alarms",
        Action(
            "create",
            N_("Put alarms together"),
            "alarm POST /v2/alarms",
            special="composite-alarm",
            command="openstack alarm create --type composite --composite-rule <rule>",
            fields=(
                NAME,
                Field(
                    "together",
                    N_("Alarm when"),
                    "choice",
                    choices=(("and", N_("all of them hold")), ("or", N_("one of them holds"))),
                    required=True,
                ),
                Field(
                    "parts",
                    N_("Alarms with a threshold"),
                    "refs",
                    ref="alarms",
                    value="alarm_id",
                    required=True,
                    only=threshold,
                ),
                *CALLED,
                *DESCRIBED,
            ),
        ),
    ),
)

KINDS = (
    Kind(
        "alarms",
        N_("Alarms"),
        N_("Alarm"),
        N_("Monitoring"),
        "alarm GET /v2/alarms",
        "",
        (
            Column("name", N_("Name"), "name"),
            Column("state", N_("State"), "state"),
            Column("enabled", N_("Enabled"), "bool"),
            Column("severity", N_("Severity"), "word"),
            Column("type", N_("Kind"), "word"),
            Column("state_timestamp", N_("Since"), "time"),
        ),
        f"alarm GET {ONE}",
        id="alarm_id",
        status="state",
        event="alarm.alarm",
        command="openstack alarm list",
        empty=N_("No alarms yet. One watches what a server or the project uses, and calls a web address."),
        details=(
            Column("state", N_("State"), "state"),
            Column("state_reason", N_("Why"), "said"),
            Column("state_timestamp", N_("Since"), "time"),
            Column("enabled", N_("Enabled"), "bool"),
            Column("severity", N_("Severity"), "word"),
            Column("description", N_("Description")),
            Column("type", N_("Kind"), "word"),
            Column("in_words", N_("Rule"), "names"),
            Column("alarm_actions", N_("Called on alarm"), "names"),
            Column("ok_actions", N_("Called when well"), "names"),
            Column("insufficient_data_actions", N_("Called when too little is known"), "names"),
            Column("alarm_id", N_("ID"), "code"),
        ),
        panels=(Panel("alarm-history"),),
        create=CREATE,
        others=("event-alarms", "composite-alarms"),
        actions=(
            Action(
                "change",
                N_("Change"),
                f"alarm PUT {ONE}",
                special="alarm-change",
                fields=(NAME, *COMPARED, *DESCRIBED),
                when=threshold,
                command="openstack alarm update {id}",
            ),
            Action(
                "change-event",
                N_("Change"),
                f"alarm PUT {ONE}",
                special="alarm-change",
                fields=(NAME, EVENT, CONDITIONS, *DESCRIBED),
                when=lambda row: row.get("type") == "event",
                command="openstack alarm update {id}",
            ),
            Action(
                "enable",
                N_("Enable"),
                f"alarm PUT {ONE}",
                build=turned(enabled=True),
                when=lambda row: not row.get("enabled"),
                quick=True,
                command="openstack alarm update {id} --enabled True",
            ),
            Action(
                "disable",
                N_("Disable"),
                f"alarm PUT {ONE}",
                build=turned(enabled=False),
                when=lambda row: bool(row.get("enabled")),
                quick=True,
                command="openstack alarm update {id} --enabled False",
            ),
            Action(
                "state",
                N_("Set the state"),
                f"alarm PUT {ONE}/state",
                fields=(Field("state", N_("State"), "choice", choices=STATES, required=True, option="--state"),),
                build=state,
                command="openstack alarm state set {id}",
            ),
            Action(
                "delete",
                N_("Delete"),
                f"alarm DELETE {ONE}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack alarm delete {id}",
            ),
        ),
    ),
    Kind(
        "alarm-history",
        N_("History"),
        N_("Change"),
        N_("Monitoring"),
        "alarm GET /v2/alarms/{in}/history",
        "",
        (
            Column("timestamp", N_("When"), "time"),
            Column("type", N_("Kind"), "word"),
            Column("state", N_("State"), "state"),
            Column("why", N_("Why")),
        ),
        id="event_id",
        label="type",
        inner=True,
        paged=False,
        query={"limit": "20", "sort": "timestamp:desc"},
        gone_to="alarms",
        spread=changes,
        command="openstack alarm-history show {in}",
    ),
    *OTHERS,
)
