"""Object lock: of buckets, of versions, and of objects to be.

Source: Amazon S3 API Reference, "PutObjectLockConfiguration", "PutObjectRetention", "PutObjectLegalHold".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tane.services.object.api.s3 import xml
from tane.services.object.api.s3.calls import Call, document
from tane.services.object.api.s3.xml import Node, element
from tane.services.object.domain.locks import COMPLIANCE, GOVERNANCE, Lock
from tane.services.object.domain.s3 import locks
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.store import stamps
from tane.web.request import Response

MODES = (GOVERNANCE, COMPLIANCE)
HEADER = "x-amz-object-lock-"
MODE, UNTIL, HOLD = f"{HEADER}mode", f"{HEADER}retain-until-date", f"{HEADER}legal-hold"
BYPASS = "x-amz-bypass-governance-retention"
MOST_DAYS, MOST_YEARS = 36_500, 100


def bypass(call: Call) -> bool:
    return call.headers.get(BYPASS, "").lower() == "true"


def moment(text: str) -> int:
    """Seconds since 1970 of a date of ISO 8601. :raises S3Error: it is none."""
    try:
        found = datetime.fromisoformat(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise S3Error("InvalidArgument", "The retain until date must be provided in ISO 8601 format") from None


def text(seconds: int) -> str:
    return datetime.fromtimestamp(min(seconds, stamps.LAST), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def asked(call: Call) -> Lock | None:
    """What the headers of a write say of an object to be. :raises S3Error:"""
    mode, until, hold = (call.headers.get(name, "") for name in (MODE, UNTIL, HOLD))
    if not (mode or until or hold):
        return None
    if bool(mode) != bool(until):
        raise S3Error("InvalidArgument", f"{UNTIL} and {MODE} must both be supplied")
    if mode and mode not in MODES:
        raise S3Error("InvalidArgument", "Unknown wormMode directive.")
    if hold not in ("", "ON", "OFF"):
        raise S3Error("InvalidArgument", "Legal Hold must be either of 'ON' or 'OFF'")
    found = Lock(mode, moment(until) if until else 0, hold == "ON")
    if mode:
        locks.check_until(found.until, int(call.request.core.clock.now().replace(tzinfo=UTC).timestamp()))
    return found


async def check(call: Call, lock: Lock | None) -> None:
    """:raises S3Error: the bucket locks no objects."""
    if lock is not None:
        await call.request.core.in_thread(locks.require_configured, call.inner(), call.at)


def shown(lock: Lock) -> dict[str, str]:
    """The headers of an answer."""
    found = {MODE: lock.mode, UNTIL: text(lock.until)} if lock.mode else {}
    return {**found, HOLD: "ON"} if lock.hold else found


# ---------------------------------------------------------------------------------------------------------- buckets


async def get_configuration(call: Call) -> Response:
    """Whether a bucket locks objects, and the retention of new ones"""
    found = await call.request.core.in_thread(locks.configuration, call.inner(), call.place)
    rule = None
    if found.get("mode"):
        unit = "Days" if "days" in found else "Years"
        length = element(unit, str(found[unit.lower()]))
        rule = element("Rule", element("DefaultRetention", element("Mode", found["mode"]), length))
    body = xml.document("ObjectLockConfiguration", element("ObjectLockEnabled", "Enabled"), rule)
    return Response(body, content_type=xml.TYPE)


async def put_configuration(call: Call) -> Response:
    """Let a bucket lock objects; the retention of new ones"""
    wanted = await document(call, "ObjectLockConfiguration", _configuration)
    await call.request.core.in_thread(locks.configure, call.inner(), call.place, wanted)
    return Response(b"")


def _configuration(node: Node) -> dict[str, Any]:
    if node.value("ObjectLockEnabled") != "Enabled":
        raise S3Error("MalformedXML")
    rule = node.child("Rule")
    if rule is None:
        return {}
    given = rule.child("DefaultRetention")
    if given is None or given.value("Mode") not in MODES:
        raise S3Error("MalformedXML")
    found = [(name, given.value(name)) for name in ("Days", "Years") if given.child(name)]
    if len(found) != 1:
        raise S3Error("MalformedXML")
    [(unit, length)] = found
    most = MOST_DAYS if unit == "Days" else MOST_YEARS
    if not (length.isascii() and length.isdigit()) or len(length) > 6 or not 1 <= int(length) <= most:
        raise S3Error("InvalidArgument", f"Default retention period must be a positive integer value of {most} at most")
    return {"mode": given.value("Mode"), unit.lower(): int(length)}


# --------------------------------------------------------------------------------------------------------- versions


async def get_retention(call: Call) -> Response:
    """Until when a version is kept, and in which mode"""
    lock = await _shown(call)
    if not lock.mode:
        raise S3Error("NoSuchObjectLockConfiguration", details={"Key": call.name})
    body = xml.document("Retention", element("Mode", lock.mode), element("RetainUntilDate", text(lock.until)))
    return Response(body, content_type=xml.TYPE)


async def _shown(call: Call) -> Lock:
    lock, locked = await call.request.core.in_thread(locks.shown, call.inner(), call.at, call.param("versionId"))
    if not locked:
        raise S3Error("InvalidRequest", locks.NONE)
    return lock


async def put_retention(call: Call) -> Response:
    """Keep a version until a date"""
    mode, until = await document(call, "Retention", _retention)
    version = await call.request.core.in_thread(
        locks.retain, call.inner(), call.at, call.param("versionId"), mode, until, bypass=bypass(call)
    )
    return Response(b"", 200, {"x-amz-version-id": version})


def _retention(node: Node) -> tuple[str, int]:
    """Neither is what takes it away."""
    mode, until = node.value("Mode", ""), node.value("RetainUntilDate", "")
    if bool(mode) != bool(until) or (mode and mode not in MODES):
        raise S3Error("MalformedXML")
    return mode, moment(until) if until else 0


async def get_hold(call: Call) -> Response:
    """Whether a version is held"""
    lock = await _shown(call)
    body = xml.document("LegalHold", element("Status", "ON" if lock.hold else "OFF"))
    return Response(body, content_type=xml.TYPE)


async def put_hold(call: Call) -> Response:
    """Hold a version, or let it go"""
    state = await document(call, "LegalHold", lambda node: node.value("Status"))
    if state not in ("ON", "OFF"):
        raise S3Error("MalformedXML")
    version = await call.request.core.in_thread(
        locks.hold, call.inner(), call.at, call.param("versionId"), on=state == "ON"
    )
    return Response(b"", 200, {"x-amz-version-id": version})
