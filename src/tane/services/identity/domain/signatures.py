"""Signatures of AWS, as services hand them over to be checked.

Sources: AWS General Reference, "Signature Version 2 signing process"; "Create a signed AWS API request" (version 4);
Amazon S3 REST API, "Signing and authenticating REST requests" (version 2 of S3).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tane.web.errors import Unauthorized

INVALID = "Invalid EC2 signature."
ALGORITHM = "AWS4-HMAC-SHA256"
S3_SERVICES = ("s3", "iam", "sts")


def check_ec2(secret: str, call: Mapping[str, Any]) -> None:
    """Check a signed call: its verb, host, path, params, headers, body_hash and signature.

    :raises Unauthorized: the signature is another one, or there is none.
    """
    given = call.get("signature")
    if not given:
        raise Unauthorized("EC2 signature not supplied.")
    if not secret:
        raise Unauthorized(INVALID)
    host = str(call.get("host", ""))
    # Some clients sign the host without the port they connect to.
    for candidate in dict.fromkeys((host, host.rpartition(":")[0] or host)):
        if same(str(given), ec2_signature(secret, {**call, "host": candidate})):
            return
    raise Unauthorized(INVALID)


def ec2_signature(secret: str, call: Mapping[str, Any]) -> str:
    """The signature a call should have, by the version it says it has."""
    params = {str(name): str(value) for name, value in (call.get("params") or {}).items()}
    version = params.get("SignatureVersion")
    if version == "2":
        return _version_2(secret, call, params)
    if version is None:
        return _version_4(secret, call, params)
    raise Unauthorized(f"Unknown signature version: {version}.")


def _version_2(secret: str, call: Mapping[str, Any], params: Mapping[str, str]) -> str:
    digest = hashlib.sha1 if params.get("SignatureMethod") == "HmacSHA1" else hashlib.sha256
    query = _query({name: value for name, value in params.items() if name != "Signature"})
    text = f"{call.get('verb', '')}\n{str(call['host']).lower()}\n{call.get('path', '')}\n{query}"
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), digest)).decode()


def _version_4(secret: str, call: Mapping[str, Any], params: Mapping[str, str]) -> str:
    headers = {str(name).lower(): str(value) for name, value in (call.get("headers") or {}).items()}
    headers["host"] = str(call["host"])
    authorization = _authorization(headers.get("authorization", ""))
    credential = authorization.get("Credential") or params.get("X-Amz-Credential", "")
    signed = authorization.get("SignedHeaders") or params.get("X-Amz-SignedHeaders", "")
    date = headers.get("x-amz-date") or params.get("X-Amz-Date", "")
    scope = credential.partition("/")[2]
    query = _query({name: value for name, value in params.items() if name != "X-Amz-Signature"})
    names = signed.split(";")
    if len(set(names)) != len(names):
        raise Unauthorized(INVALID)
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    request = "\n".join(
        (str(call.get("verb", "")), str(call.get("path", "")), query, lines, signed, str(call.get("body_hash", "")))
    )
    text = "\n".join((ALGORITHM, date, scope, hashlib.sha256(request.encode()).hexdigest()))
    return _sign_4(secret, scope, text)


def _sign_4(secret: str, scope: str, text: str) -> str:
    return sign_4(key_4(secret, scope), text.encode())


def key_4(secret: str, scope: str) -> bytes:
    """What texts of a scope ``date/region/service/aws4_request`` are signed by. :raises Unauthorized: that is none."""
    parts = scope.split("/")
    if len(parts) != 4 or parts[3] != "aws4_request":
        raise Unauthorized(INVALID)
    key = f"AWS4{secret}".encode()
    for part in parts:
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key


def sign_4(key: bytes, text: bytes) -> str:
    """Version 4 of a text."""
    return hmac.digest(key, text, hashlib.sha256).hex()


def sign_2(secret: str, text: bytes) -> str:
    """Version 2 of S3."""
    return base64.b64encode(hmac.digest(secret.encode(), text, hashlib.sha1)).decode()


def check_s3(secret: str, token: str, given: str) -> None:
    """Check the signature of an S3 request by the text that was signed (``token``, in base 64).

    :raises Unauthorized: the signature is another one, or the text none that S3 signs.
    """
    try:
        text = base64.urlsafe_b64decode(token).decode()
    except ValueError:
        raise Unauthorized(INVALID) from None
    if text.startswith("AWS4"):
        lines = text.split("\n")
        if len(lines) != 4 or lines[0] != ALGORITHM or lines[2].split("/")[2:3] not in [[s] for s in S3_SERVICES]:
            raise Unauthorized(INVALID)
        expected = _sign_4(secret, lines[2], text)
    else:
        expected = sign_2(secret, text.encode())
    if not secret or not same(given, expected):
        raise Unauthorized("Credential signature mismatch")


def same(given: str, expected: str) -> bool:
    """Compares in a time that does not tell how much is right."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _query(params: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(params[name], safe='-_.~')}" for name in sorted(params))


def _authorization(header: str) -> dict[str, str]:
    """The fields of ``AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…``."""
    fields = header.removeprefix(ALGORITHM).split(",")
    return {name.strip(): value.strip() for name, _, value in (field.partition("=") for field in fields) if value}
