"""Default policy of alarms under Aodh's names."""

from __future__ import annotations

from tane.web.policy import ADMIN, MEMBER, PROJECT, READER, Rule, scoped

READS = (
    "get_alarm",
    "get_alarms",
    "query_alarm",
    "get_alarm_state",
    "alarm_history",
    "query_alarm_history",
    "get_quotas",
    "get_metrics",
)
WRITES = ("create_alarm", "change_alarm", "delete_alarm", "change_alarm_state")
ADMINS = ("get_alarms:all_projects", "update_quotas", "delete_quotas")

RULES = scoped(
    PROJECT,
    (
        *(Rule(f"telemetry:{name}", READER) for name in READS),
        *(Rule(f"telemetry:{name}", MEMBER) for name in WRITES),
        *(Rule(f"telemetry:{name}", ADMIN) for name in ADMINS),
    ),
)
