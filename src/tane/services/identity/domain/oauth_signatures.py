"""Signatures of OAuth 1.0a (RFC 5849) in the header Authorization: HMAC, of which oauthlib knows the encoding."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from oauthlib.common import Request as Signed
from oauthlib.oauth1.rfc5849 import signature

from tane.services.identity.domain.tokens import EPOCH
from tane.web.errors import BadRequest, Unauthorized

VERIFY = {
    "HMAC-SHA1": signature.verify_hmac_sha1,
    "HMAC-SHA256": signature.verify_hmac_sha256,
    "HMAC-SHA512": signature.verify_hmac_sha512,
}
MANDATORY = ("oauth_signature", "oauth_consumer_key", "oauth_nonce", "oauth_timestamp", "oauth_signature_method")
CLOCKS_DIFFER = timedelta(seconds=600)
"""How far the time of a request may be from ours, as in Keystone."""


@dataclass(frozen=True)
class SignedPost:
    """A POST as its signature covers it: the address without a query (no call that is signed has one), the header."""

    url: str
    authorization: str


def parameters(call: SignedPost) -> dict[str, str]:
    """The fields of the header. :raises BadRequest: there is no such header, or it is none of OAuth."""
    if not call.authorization:
        raise BadRequest("Cannot retrieve Authorization headers")
    try:
        headers = {"Authorization": call.authorization}
        return dict(signature.collect_parameters(headers=headers, exclude_oauth_signature=False))
    except ValueError:
        raise BadRequest("Malformed authorization header") from None


def needed(given: Mapping[str, str], *names: str) -> list[str]:
    """:raises BadRequest: one of the fields is missing or empty."""
    for name in names:
        if not given.get(name):
            raise BadRequest(
                f"Expecting to find {name} in request. The server could not comply with the request since it is either "
                "malformed or otherwise incorrect. The client is assumed to be in error."
            )
    return [given[name] for name in names]


def check(call: SignedPost, given: Mapping[str, str], now: datetime, consumer_secret: str, token_secret: str) -> bool:
    """Whether the signature is right. ``token_secret`` is empty where there is no token yet.

    :raises BadRequest: a field is missing or wrong, or the time is not ours.
    """
    for name in MANDATORY:
        if not given.get(name):
            raise _invalid("Missing mandatory OAuth parameters.")
    method = given["oauth_signature_method"]
    if method not in VERIFY:
        raise _invalid(f"Invalid signature, {method} not in {list(VERIFY)}.", "invalid_signature_method")
    if given.get("oauth_version", "1.0") != "1.0":
        raise _invalid("Invalid OAuth version.")
    if abs(now - _moment(given["oauth_timestamp"])) > CLOCKS_DIFFER:
        raise _invalid(
            f"Timestamp given is invalid, differ from allowed by over {int(CLOCKS_DIFFER.total_seconds())} seconds."
        )
    signed = Signed(call.url, "POST")
    signed.signature = given["oauth_signature"]
    signed.params = [(name, value) for name, value in given.items() if name != "oauth_signature"]
    try:
        return bool(VERIFY[method](signed, consumer_secret, token_secret))
    except ValueError:
        # The address, which is made of the header Host, is none.
        raise Unauthorized("Invalid signature") from None


def used(given: Mapping[str, str]) -> tuple[str, datetime]:
    """What a request is remembered by so that it is not good twice (RFC 5849, 3.3), and until when."""
    names = ("oauth_consumer_key", "oauth_token", "oauth_timestamp", "oauth_nonce")
    text = "\n".join(given.get(name, "") for name in names)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest(), _moment(given["oauth_timestamp"]) + (
        CLOCKS_DIFFER
    )


def _moment(timestamp: str) -> datetime:
    if len(timestamp) != 10 or not (timestamp.isascii() and timestamp.isdigit()):
        raise _invalid("Timestamp must be an integer.")
    return EPOCH + timedelta(seconds=int(timestamp))


def _invalid(reason: str, error: str = "invalid_request") -> BadRequest:
    return BadRequest(f"Validation failed with errors: {error}, detail message is: {reason}")
