"""What may be asked of the job runner about alarms."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.jobs import Order

CAUSED = "req-alarm-"
"""The id of a request begins so that an action of an alarm makes: the alarm's follows."""


class NotifyParams(msgspec.Struct):
    """``action``: where to; ``told``: the JSON that is sent."""

    alarm_id: str
    project_id: str
    action: str
    told: dict[str, Any]


NOTIFY = Order("alarm.notify", NotifyParams, patience=600.0)
