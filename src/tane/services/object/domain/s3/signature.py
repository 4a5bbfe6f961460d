"""What a request says to prove who sent it, and what of it must have been signed for that.

Sources: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)"; "Signing and authenticating REST
requests" (version 2). What is signed is built of the very values that are used afterwards.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote_to_bytes

from tane.services.identity.interface import SignedCall
from tane.services.object.domain.s3.errors import S3Error
from tane.web.codec import later
from tane.web.request import Request

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMS = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (True, False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (True, True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": (False, True),
}
"""Bodies in pieces: whether these are signed, and whether lines follow them."""
FIELDS = ("Credential", "SignedHeaders", "Signature")
MOST_SHOWN = 2000
"""Characters of what was signed that an error tells."""
MOST_NAMES = 4096
"""Characters of the names of signed headers."""
HEX = re.compile(r"[0-9A-Fa-f]{64}\Z")
SKEW = timedelta(minutes=15)
LAST_EXPIRES = 1 << 32
"""Seconds since 1970; who signs a later one has mistaken the unit."""
LONGEST = 7 * 24 * 3600
"""Seconds that an address may be signed for."""
SUBRESOURCES = (
    *("acl", "cors", "delete", "encryption", "lifecycle", "location", "logging", "notification", "partNumber"),
    *("policy", "requestPayment", "response-cache-control", "response-content-disposition"),
    *("response-content-encoding", "response-content-language", "response-content-type", "response-expires"),
    *("tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website"),
)
"""Parameters that are signed by version 2."""


@dataclass(frozen=True)
class Proof:
    """``payload``: what is said of the body, a SHA-256 or one of the words above. ``moment`` as it was signed.
    ``streams``: the body may come in pieces, which is only for version 4 in the headers to say. ``signer``: what an
    error says of who signed, and of the request as it was to be signed."""

    call: SignedCall
    payload: str = UNSIGNED
    moment: str = ""
    streams: bool = False
    signer: Mapping[str, str] = field(default_factory=dict)


def mismatch(text: str, given: str, signer: Mapping[str, str]) -> S3Error:
    """``text`` is what should have been signed; ``given`` the signature. By it clients find where they differ."""
    shown = text[:MOST_SHOWN]
    told = {"StringToSign": shown, "SignatureProvided": given[:200], "StringToSignBytes": _bytes(shown)}
    return S3Error("SignatureDoesNotMatch", details={**signer, **told})


def _signer(access: str, canonical: str = "") -> dict[str, str]:
    found = {"AWSAccessKeyId": access[:128]}
    if canonical:
        shown = canonical[:MOST_SHOWN]
        found |= {"CanonicalRequest": shown, "CanonicalRequestBytes": _bytes(shown)}
    return found


def _bytes(text: str) -> str:
    return text.encode("latin-1", "replace").hex(" ")


def read(request: Request, prefix: str) -> Proof:
    """``prefix``: of the address, before the bucket, which some clients do not sign by version 2.

    :raises S3Error: nothing is there, or nothing that could be right.
    """
    given = request.headers.get("authorization", "")
    signed_4, signed_2 = request.param("X-Amz-Algorithm"), request.param("AWSAccessKeyId")
    if sum(value is not None for value in (given or None, signed_4, signed_2)) > 1:
        raise S3Error("InvalidArgument", "Only one auth mechanism allowed")
    if given.startswith(ALGORITHM):
        return _header_4(request, given)
    if given.startswith("AWS "):
        return _header_2(request, given.removeprefix("AWS "), prefix)
    if signed_4 is not None:
        return _query_4(request, signed_4)
    if signed_2 is not None:
        return _query_2(request, signed_2, prefix)
    raise S3Error("AccessDenied")


def is_signed(request: Request) -> bool:
    """Whether it says at all who sent it."""
    named = ("X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential", "AWSAccessKeyId", "Signature")
    return bool(request.headers.get("authorization")) or any(request.param(name) is not None for name in named)


def _now(request: Request) -> datetime:
    return request.core.clock.now()


def _near(request: Request, moment: datetime) -> None:
    if abs(_now(request) - moment) > SKEW:
        raise S3Error("RequestTimeTooSkewed")


# ------------------------------------------------------------------------------------------------------- version 4


def _header_4(request: Request, given: str) -> Proof:
    fields: dict[str, str] = {}
    for part in given.removeprefix(ALGORITHM).split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name in fields or name not in FIELDS:
            raise S3Error("AuthorizationHeaderMalformed", "The authorization header is malformed.")
        fields[name] = value
    if len(fields) < len(FIELDS):
        raise S3Error(
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; it needs Credential, SignedHeaders and Signature.",
        )
    payload = request.headers.get("x-amz-content-sha256", "")
    if not payload:
        raise S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if payload != UNSIGNED and payload not in STREAMS and not HEX.match(payload):
        raise S3Error(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a valid sha256 value.",
            details={"ArgumentName": "x-amz-content-sha256", "ArgumentValue": payload[:200]},
        )
    moment = _date(request)
    _near(request, moment)
    access, signed_scope = scope(fields["Credential"], moment, "AuthorizationHeaderMalformed")
    text, stamp, canonical = _text_4(request, signed_scope, moment, fields["SignedHeaders"], payload)
    signer = _signer(access, canonical)
    return Proof(SignedCall(access, signed_scope, (text,), fields["Signature"]), payload, stamp, True, signer)


def _query_4(request: Request, algorithm: str) -> Proof:
    names = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")
    values = [request.param(name) for name in names]
    code = "AuthorizationQueryParametersError"
    if None in values or any(len(request.params(name)) != 1 for name in (*names, "X-Amz-Algorithm")):
        told = ", ".join(("X-Amz-Algorithm", *names))
        raise S3Error(code, f"Query-string authentication version 4 requires {told}, once each.")
    credential, date, expires, headers, signature = (value or "" for value in values)
    if algorithm != ALGORITHM:
        raise S3Error(code, f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    _check_expires(expires, code)
    moment = basic(date)
    if moment is None:
        raise S3Error(code, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    if moment - _now(request) > SKEW:
        raise S3Error("AccessDenied", "Request is not valid yet")
    if _now(request) > later(moment, timedelta(seconds=int(expires))):
        raise S3Error("AccessDenied", "Request has expired")
    access, signed_scope = scope(credential, moment, code)
    payload = request.headers.get("x-amz-content-sha256") or request.param("X-Amz-Content-Sha256") or UNSIGNED
    text, stamp, canonical = _text_4(request, signed_scope, moment, headers, payload)
    signer = _signer(access, canonical)
    return Proof(SignedCall(access, signed_scope, (text,), signature), payload, stamp, False, signer)


def _check_expires(text: str, code: str) -> None:
    """How many seconds an address is good for. :raises S3Error:"""
    negative, digits = text.startswith("-"), text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19 or int(digits) >= 1 << 63:
        raise S3Error(code, "X-Amz-Expires should be a number")
    if negative:
        raise S3Error(code, "X-Amz-Expires must be non-negative")
    if not int(digits) or int(digits) > LONGEST:
        least = "more than 0 seconds" if not int(digits) else f"less than {LONGEST} seconds"
        raise S3Error(code, f"X-Amz-Expires must be {least}")


def basic(text: str) -> datetime | None:
    """A moment as ISO 8601 has it without marks; None when it is none."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ") if text.isascii() else None
    except ValueError:
        return None


def _date(request: Request) -> datetime:
    """When the request says that it was made. :raises S3Error:"""
    given = request.headers.get("x-amz-date") or request.headers.get("date") or ""
    found = basic(given) or http_date(given)
    if found is None:
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    return found


def http_date(text: str) -> datetime | None:
    """A moment (UTC) as HTTP has it; None when it is none."""
    try:
        found = parsedate_to_datetime(text)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def scope(credential: str, moment: datetime, code: str) -> tuple[str, str]:
    """The access key, and ``date/region/service/aws4_request``; any region is this one. :raises S3Error:"""
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or not all(parts) or parts[4] != "aws4_request":
        raise S3Error(
            code, "The Credential is mal-formed; expecting <access key>/YYYYMMDD/REGION/SERVICE/aws4_request."
        )
    if parts[3] != "s3":
        raise S3Error(code, f"Error parsing the Credential; incorrect service {parts[3][:50]!r}: it belongs to 's3'.")
    if parts[1] != f"{moment:%Y%m%d}":
        raise S3Error(code, "Invalid credential date: it is not the same as X-Amz-Date.")
    return parts[0], "/".join(parts[1:])


def _text_4(request: Request, scope: str, moment: datetime, signed: str, payload: str) -> tuple[bytes, str, str]:
    """What must have been signed, when, and what that is the digest of.

    :raises S3Error: something that says what is done was not.
    """
    names = signed.split(";") if len(signed) <= MOST_NAMES else []
    known = set(names)
    if len(known) != len(names):
        # What is signed would be longer than all that was sent, by as much as the client likes.
        raise S3Error(
            "AuthorizationHeaderMalformed", "The authorization header is malformed; a header is signed twice."
        )
    if "host" not in known:
        raise S3Error("AccessDenied", "The host header must be signed")
    left_out = sorted(name for name in request.headers if name.startswith("x-amz-") and name not in known)
    if left_out:
        raise S3Error(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            details={"HeadersNotSigned": ", ".join(left_out)},
        )
    query = "&".join(
        sorted(f"{_quoted(name)}={_quoted(value)}" for name, value in request.query if name != "X-Amz-Signature")
    )
    lines = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names)
    path = quote(unquote_to_bytes(request.raw_path), safe="/-_.~")
    canonical = "\n".join((request.method, path, query, lines, signed, payload))
    stamp = f"{moment:%Y%m%dT%H%M%SZ}"
    digest = hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest()
    return "\n".join((ALGORITHM, stamp, scope, digest)).encode("latin-1", "replace"), stamp, canonical


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="-_.~")


# ------------------------------------------------------------------------------------------------------- version 2


def _header_2(request: Request, given: str, prefix: str) -> Proof:
    access, colon, signature = given.strip().rpartition(":")
    if not colon or not access:
        raise S3Error("InvalidArgument", "AWS authorization header is invalid. Expected AwsAccessKeyId:signature")
    _near(request, _date(request))
    date = "" if "x-amz-date" in request.headers else request.headers.get("date", "")
    call = SignedCall(access, "", _texts_2(request, date, prefix), signature)
    return Proof(call, _payload_2(request), signer=_signer(access))


def _query_2(request: Request, access: str, prefix: str) -> Proof:
    signature, expires = request.param("Signature"), request.param("Expires")
    if not signature or not expires or not access:
        raise S3Error(
            "AccessDenied", "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        )
    if not (expires.isascii() and expires.isdigit()) or len(expires) > 14 or int(expires) >= LAST_EXPIRES:
        raise S3Error("AccessDenied", "Invalid date (should be seconds since epoch)")
    if datetime(1970, 1, 1) + timedelta(seconds=int(expires)) < _now(request):
        raise S3Error("AccessDenied", "Request has expired")
    call = SignedCall(access, "", _texts_2(request, expires, prefix), signature)
    return Proof(call, _payload_2(request), signer=_signer(access))


def _payload_2(request: Request) -> str:
    """What is said of the body, be it what it may: that is compared when the body is there."""
    return request.headers.get("x-amz-content-sha256", UNSIGNED)


def _texts_2(request: Request, date: str, prefix: str) -> tuple[bytes, ...]:
    headers = request.headers
    amz = "".join(
        f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers) if name.startswith("x-amz-")
    )
    first = "\n".join((request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date))
    path = request.raw_path
    # A bucket that is part of the host's name is signed as part of the path.
    own = f"/{request.subdomain}{path}" if request.subdomain else path.removeprefix(prefix) or "/"
    paths = dict.fromkeys((own,) if request.subdomain else (path, own))
    if not request.path.get("key"):
        # Some clients sign a bucket as a folder.
        paths |= dict.fromkeys(f"{one.rstrip('/')}/" for one in list(paths))
    return tuple(f"{first}\n{amz}{one}{_subresources(request.query)}".encode("latin-1", "replace") for one in paths)


def _subresources(query: Iterable[tuple[str, str]]) -> str:
    found = sorted((name, value) for name, value in query if name in SUBRESOURCES)
    return "?" + "&".join(f"{name}={value}" if value else name for name, value in found) if found else ""


def access_in(query: Mapping[str, str]) -> str:
    """The access key of a signed address, "" where it has none: a browser's preflight brings no more."""
    return (query.get("X-Amz-Credential") or "").rsplit("/", 4)[0] or query.get("AWSAccessKeyId") or ""
