"""CloudKitty's two envelopes of errors: that of WSME for v1, and the message of v2."""

from __future__ import annotations

from tane.web.errors import ApiError, NotFound


def shape(error: ApiError) -> dict[str, object]:
    """A service has one shape, CloudKitty has one for each version: both are in it."""
    code = "Client" if error.status < 500 else "Server"
    told = {"debuginfo": None, "faultcode": code, "faultstring": error.message}
    return {**told, "error_message": told, "message": error.message}


def no_such(what: str, one: str) -> NotFound:
    return NotFound(f"No such {what}: None (UUID: {one})" if what in ("service", "group") else f"No such {what}: {one}")
