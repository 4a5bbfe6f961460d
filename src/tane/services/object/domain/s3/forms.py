"""The policy of a form: what may be uploaded by it, until when, and who says so.

Source: Amazon S3 API Reference, "POST Policy".
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tane.services.identity.interface import SignedCall
from tane.services.object.domain.s3 import signature
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.domain.s3.signature import Proof

MOST_CONDITIONS = 200
UNCHECKED = ("x-amz-signature", "signature", "awsaccesskeyid", "policy", "file")
IGNORED = "x-ignore-"
KNOWN = (
    *("key", "acl", "policy", "success_action_redirect", "redirect", "success_action_status", "content-type"),
    *("cache-control", "content-disposition", "content-encoding", "content-language", "expires", "bucket"),
    *("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "awsaccesskeyid", "signature"),
    *("submit", "x-amz-storage-class"),
)
"""Fields that are understood; others whose names begin with x-amz- (but for x-amz-meta-) ask for what is not done."""


@dataclass(frozen=True)
class Policy:
    """Bytes of the file, at least and at most."""

    least: int = 0
    most: int = 1 << 62


def _denied(why: str) -> S3Error:
    return S3Error("AccessDenied", f"Invalid according to Policy: {why}")


def proof(fields: Mapping[str, str], now: datetime) -> Proof:
    """What a form says to prove who signed it. :raises S3Error: nobody, or not as it must be."""
    policy = fields.get("policy", "")
    if not policy:
        # Nobody writes without a name.
        raise S3Error("AccessDenied")
    text = (policy.encode("latin-1", "replace"),)
    if "x-amz-algorithm" in fields or "x-amz-signature" in fields:
        for name in ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"):
            if name not in fields:
                raise S3Error("InvalidArgument", f"Bucket POST must contain a field named '{name}'.")
        if fields["x-amz-algorithm"] != signature.ALGORITHM:
            raise S3Error("InvalidArgument", f"X-Amz-Algorithm only supports {signature.ALGORITHM}")
        moment = signature.basic(fields["x-amz-date"])
        if moment is None:
            raise S3Error("AccessDenied", "X-Amz-Date must be formatted via ISO8601 Long format")
        if moment - now > signature.SKEW or now - moment > timedelta(seconds=signature.LONGEST):
            raise S3Error("RequestTimeTooSkewed")
        access, scope = signature.scope(fields["x-amz-credential"], moment, "InvalidArgument")
        return Proof(SignedCall(access, scope, text, fields["x-amz-signature"]))
    if not fields.get("awsaccesskeyid") or not fields.get("signature"):
        raise S3Error("InvalidArgument", "Bucket POST must contain a field named 'AWSAccessKeyId' and a 'signature'.")
    return Proof(SignedCall(fields["awsaccesskeyid"], "", text, fields["signature"]))


def checked(fields: Mapping[str, str], bucket: str, now: datetime) -> Policy:
    """The form as its policy has it. :raises S3Error: it is not."""
    given = _decoded(fields["policy"])
    expires, conditions = given.get("expiration"), given.get("conditions")
    if not isinstance(conditions, list) or len(conditions) > MOST_CONDITIONS:
        raise S3Error("InvalidArgument", "Invalid Policy: it must have a list of conditions.")
    try:
        until = datetime.fromisoformat(expires) if isinstance(expires, str) else None
        until = until.astimezone(UTC).replace(tzinfo=None) if until is not None and until.tzinfo else until
    except (ValueError, OverflowError):
        until = None
    if until is None:
        raise S3Error("InvalidArgument", "Invalid Policy: Invalid 'expiration' value.")
    if until <= now:
        raise _denied("Policy expired.")
    values = {**fields, "bucket": bucket}
    covered, found = {"bucket"}, Policy()
    for condition in conditions:
        for kind, name, wanted in _parsed(condition):
            if kind == "content-length-range":
                least, most = wanted
                found = Policy(max(found.least, least), min(found.most, most))
                continue
            value = values.get(name, "")
            if not (value == wanted if kind == "eq" else value.startswith(wanted)):
                raise _denied(f"Policy Condition failed: {condition!r}"[:500])
            covered.add(name)
    for name in fields:
        _require_covered(name, covered)
    return found


def _require_covered(name: str, covered: set[str]) -> None:
    """:raises S3Error: nobody has said what this field may be, or it asks for what is not done."""
    if name in UNCHECKED or name.startswith(IGNORED):
        return
    if name not in covered:
        raise _denied(f"Extra input fields: {name[:100]}")
    if name not in KNOWN and (name.startswith("x-amz-") or name == "tagging") and not name.startswith("x-amz-meta-"):
        raise S3Error("NotImplemented", f"A field of the form is not implemented: {name[:100]}")


def _decoded(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(b64decode(text, validate=True))
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise S3Error("InvalidArgument", "Invalid Policy: Invalid JSON.")
    return found


def _parsed(condition: Any) -> Iterator[tuple[str, str, Any]]:
    """Kind, field and value. :raises S3Error:"""
    wrong = S3Error("InvalidArgument", "Invalid Policy: Invalid condition.")
    if isinstance(condition, dict):
        for name, value in condition.items():
            if not isinstance(value, str):
                raise wrong
            yield "eq", name.lower(), value
        return
    if not isinstance(condition, list) or len(condition) != 3 or not isinstance(condition[0], str):
        raise wrong
    kind, name, value = condition[0].lower(), condition[1], condition[2]
    if kind == "content-length-range":
        if not all(str(one).isascii() and str(one).isdigit() and len(str(one)) < 19 for one in (name, value)):
            raise wrong
        yield kind, "", (int(name), int(value))
        return
    texts = isinstance(name, str) and isinstance(value, str) and name.startswith("$")
    if kind not in ("eq", "starts-with") or not texts:
        raise wrong
    yield kind, name[1:].lower(), value
