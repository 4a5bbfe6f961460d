"""Rules by which objects go by themselves.

Source: Amazon S3 API Reference, "PutBucketLifecycleConfiguration".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tane.services.object.api.s3 import xml
from tane.services.object.api.s3.calls import Call, document
from tane.services.object.api.s3.xml import Markup, Node, element, optional
from tane.services.object.domain.metadata import CONTROL
from tane.services.object.domain.s3 import lifecycle
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.domain.s3.lifecycle import Rule
from tane.web.request import Response

MOST_RULES, MOST_DAYS, MOST_TAGS, MOST_KEPT = 100, 36_500, 10, 100
DATE = re.compile(r"\d{4}-\d\d-\d\d(T00:00:00(\.0{1,3})?(Z|\+00:00)?)?\Z", re.ASCII)
NOT_DONE = ("Transition", "NoncurrentVersionTransition")
KNOWN = (
    *("ID", "Status", "Filter", "Prefix", "Expiration", "NoncurrentVersionExpiration"),
    "AbortIncompleteMultipartUpload",
)


async def show(call: Call) -> Response:
    """The rules by which a bucket's objects go by themselves"""
    rules = await call.request.core.in_thread(lifecycle.shown, call.inner(), call.place)
    return Response(xml.document("LifecycleConfiguration", *(_shown(rule) for rule in rules)), content_type=xml.TYPE)


async def put(call: Call) -> Response:
    """Set the rules by which a bucket's objects go by themselves"""
    rules = await document(call, "LifecycleConfiguration", _rules)
    await call.request.core.in_thread(lifecycle.set_rules, call.inner(), call.place, rules)
    return Response(b"")


async def remove(call: Call) -> Response:
    """Remove the rules by which a bucket's objects go by themselves"""
    await call.request.core.in_thread(lifecycle.set_rules, call.inner(), call.place, [])
    return Response(None, 204)


# ---------------------------------------------------------------------------------------------------------- reading


def _rules(node: Node) -> list[Rule]:
    given = node.all("Rule")
    if not 1 <= len(given) <= MOST_RULES:
        raise S3Error("InvalidRequest" if given else "MalformedXML", f"At most {MOST_RULES} rules are kept.")
    found = [_rule(one, number) for number, one in enumerate(given)]
    if len({rule.id for rule in found}) != len(found):
        raise S3Error("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    return found


def _rule(node: Node, number: int) -> Rule:
    for child in node.children:
        if child.name in NOT_DONE:
            raise S3Error("NotImplemented", f"There is one storage class: {child.name} is not implemented.")
        if child.name not in KNOWN:
            raise S3Error("MalformedXML")
    name, state = node.value("ID", "") or f"rule-{number + 1}", node.value("Status")
    if len(name) > 255 or CONTROL.search(name):
        raise S3Error("InvalidArgument", "ID length should not exceed allowed limit of 255")
    if state not in ("Enabled", "Disabled"):
        raise S3Error("MalformedXML")
    values = {**_filter(node), **_expiration(node.child("Expiration")), "enabled": state == "Enabled"}
    if (old := node.child("NoncurrentVersionExpiration")) is not None:
        values["noncurrent_days"] = _number(old, "NoncurrentDays", MOST_DAYS)
        if old.child("NewerNoncurrentVersions"):
            values["keep"] = _number(old, "NewerNoncurrentVersions", MOST_KEPT)
    if (upload := node.child("AbortIncompleteMultipartUpload")) is not None:
        values["abort_days"] = _number(upload, "DaysAfterInitiation", MOST_DAYS)
    found = Rule(name, **values)  # type: ignore[arg-type]  # Of several types.
    if not (found.days or found.date or found.markers or found.noncurrent_days or found.abort_days):
        raise S3Error("InvalidRequest", "At least one action needs to be specified in a rule.")
    by_more = found.tags or found.larger >= 0 or found.smaller >= 0
    if by_more and found.abort_days:
        raise S3Error("InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags or sizes.")
    if found.tags and found.markers:
        raise S3Error("InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Tags.")
    return found


def _filter(node: Node) -> dict[str, object]:
    """To which objects a rule applies: by a filter, or, as older clients say it, by a prefix."""
    held, plain = node.child("Filter"), node.child("Prefix")
    if (held is None) == (plain is None):
        raise S3Error("MalformedXML")
    if held is None:
        return {"prefix": _prefix(node)}
    if len(held.children) > 1:
        raise S3Error("MalformedXML")
    inner = held.child("And") or held
    found: dict[str, object] = {"prefix": _prefix(inner)} if inner.child("Prefix") else {}
    tags = [(one.value("Key"), one.value("Value")) for one in inner.all("Tag")]
    if len(tags) > MOST_TAGS or len({key for key, _ in tags}) != len(tags):
        raise S3Error("InvalidRequest", "Duplicate Tag Keys are not allowed.")
    if any(not 1 <= len(key) <= 128 or len(value) > 256 for key, value in tags):
        raise S3Error("InvalidTag", "The tag's key must have 1 to 128 characters, its value at most 256.")
    if tags:
        found["tags"] = tags
    for name, kept in (("ObjectSizeGreaterThan", "larger"), ("ObjectSizeLessThan", "smaller")):
        if inner.child(name):
            found[kept] = _number(inner, name, 1 << 50, least=0)
    if any(one.name not in ("Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan") for one in inner.children):
        raise S3Error("MalformedXML")
    return found


def _prefix(node: Node) -> str:
    held = node.child("Prefix")
    text = held.text if held is not None else ""
    if len(text.encode()) > 1024 or "\0" in text:
        raise S3Error("InvalidRequest", "The maximum size of a prefix is 1024.")
    return text


def _expiration(node: Node | None) -> dict[str, object]:
    if node is None:
        return {}
    if len(node.children) != 1:
        raise S3Error("MalformedXML")
    if node.child("Days"):
        return {"days": _number(node, "Days", MOST_DAYS)}
    if node.child("ExpiredObjectDeleteMarker"):
        return {"markers": node.value("ExpiredObjectDeleteMarker").lower() == "true"}
    text = node.value("Date")
    try:
        moment = datetime.fromisoformat(text) if DATE.match(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise S3Error("InvalidArgument", "'Date' must be at midnight GMT")
    return {"date": f"{moment.astimezone(UTC) if moment.tzinfo else moment:%Y-%m-%d}"}


def _number(node: Node, name: str, most: int, least: int = 1) -> int:
    text = node.value(name)
    if not (text.isascii() and text.isdigit()) or len(text) > 16 or not least <= int(text) <= most:
        raise S3Error("InvalidArgument", f"'{name}' must be a whole number from {least} to {most}")
    return int(text)


# ---------------------------------------------------------------------------------------------------------- showing


def _shown(rule: Rule) -> Markup:
    prefix = element("Prefix", rule.prefix) if rule.prefix else None
    more: list[Markup | None] = [
        *(element("Tag", element("Key", key), element("Value", value)) for key, value in rule.tags),
        element("ObjectSizeGreaterThan", str(rule.larger)) if rule.larger >= 0 else None,
        element("ObjectSizeLessThan", str(rule.smaller)) if rule.smaller >= 0 else None,
    ]
    parts = [part for part in (prefix, *more) if part is not None]
    held = element("And", *parts) if len(parts) > 1 else parts[0] if parts else element("Prefix", "")
    expiration = (
        element("Days", str(rule.days))
        if rule.days
        else element("Date", f"{rule.date}T00:00:00.000Z")
        if rule.date
        else element("ExpiredObjectDeleteMarker", "true")
        if rule.markers
        else None
    )
    old = (
        optional("NewerNoncurrentVersions", str(rule.keep) if rule.keep else None),
        element("NoncurrentDays", str(rule.noncurrent_days)),
    )
    return element(
        "Rule",
        element("ID", rule.id),
        element("Filter", held),
        element("Status", "Enabled" if rule.enabled else "Disabled"),
        element("Expiration", expiration) if expiration is not None else None,
        element("NoncurrentVersionExpiration", *old) if rule.noncurrent_days else None,
        element("AbortIncompleteMultipartUpload", element("DaysAfterInitiation", str(rule.abort_days)))
        if rule.abort_days
        else None,
    )
