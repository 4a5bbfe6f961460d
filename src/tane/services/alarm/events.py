"""What alarms tell of."""

from tane.db.recording import Source
from tane.services.alarm.tables import alarm

EVENTS = (
    Source(
        alarm,
        "alarm.alarm",
        shows=("name", "type", "state", "severity", "enabled"),
        ignores=("evaluate_timestamp", "timestamp", "state_timestamp", "state_reason"),
    ),
)
