"""Aodh's envelope of errors, as WSME makes it."""

from __future__ import annotations

from tane.web.errors import ApiError, NotFound


def shape(error: ApiError) -> dict[str, object]:
    code = "Client" if error.status < 500 else "Server"
    return {"error_message": {"debuginfo": None, "faultcode": code, "faultstring": error.message}}


def no_alarm(alarm_id: str) -> NotFound:
    return NotFound(f"Alarm {alarm_id} not found")
