"""Signed addresses: whoever has one may do one thing with one object (or those with a prefix), for a while.

Source: Swift's "Temporary URL middleware".
"""

from __future__ import annotations

import base64
import binascii
import calendar
import hmac
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from tane.config import ConfigError
from tane.services.object.store import stamps
from tane.web import limits
from tane.web.errors import BadRequest, Unauthorized
from tane.web.request import Request

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")
SIZES = {40: "sha1", 64: "sha256", 128: "sha512"}
KEYS = ("temp-url-key", "temp-url-key-2")
REMOVED = ("x-timestamp", "x-open-expired")
REFUSED = ("x-object-manifest", "x-symlink-target", "x-copy-from")
"""Headers by which who may write one object would read another."""
WRONG = "Temp URL invalid"


@dataclass(frozen=True)
class Signed:
    """``filename``: what the download is to be called ("" as the object is); ``inline``: shown, not saved.
    ``scope``: the key was the whole account's, or the container's."""

    filename: str
    inline: bool
    expires: int
    whole_account: bool


def is_signed(request: Request) -> bool:
    return "temp_url_sig=" in request.raw_query or "temp_url_expires=" in request.raw_query


def check(
    request: Request,
    account_meta: Mapping[str, str],
    container_meta: Mapping[str, str],
    at: tuple[str, str, str],
    *,
    listing: bool = False,
) -> Signed:
    """``listing``: what is asked for is a web site's page of the names that begin as ``at`` says, which may be all of
    them: only a signed prefix says that.

    :raises Unauthorized: the signature is not good for this request. :raises BadRequest:
    """
    text, expires_text = request.param("temp_url_sig"), request.param("temp_url_expires")
    prefix, ip_range = request.param("temp_url_prefix"), request.param("temp_url_ip_range")
    account, container, name = at
    nameless = prefix is None if listing else not name
    if not text or not expires_text or nameless or request.method not in METHODS:
        raise Unauthorized(WRONG)
    expires = moment(expires_text)
    if expires <= stamps.of(request.core.clock.now()) // stamps.SECOND:
        raise Unauthorized(WRONG)
    if prefix is not None and not name.startswith(prefix):
        raise Unauthorized(WRONG)
    if ip_range is not None and not _comes_from(request.remote, ip_range):
        raise Unauthorized(WRONG)
    digest, given = signature(text, request.core.config.object.allowed_digests)
    path = f"/v1/{account}/{container}/{name if prefix is None else prefix}"
    for key, whole in keys(account_meta, container_meta):
        # Who may write below a prefix may look at what was written, by its name: not at what else is there.
        for message in _messages("GET" if listing else request.method, expires, path, prefix is not None, ip_range):
            if hmac.compare_digest(hmac.new(key, message.encode(), digest).hexdigest(), given):
                return Signed(request.param("filename") or "", "inline" in dict(request.query), expires, whole)
    raise Unauthorized(WRONG)


def moment(text: str) -> int:
    """Seconds since 1970, given as such or by ISO 8601 in UTC. :raises Unauthorized: it is neither."""
    if text.isascii() and text.isdigit() and len(text) < 15:
        return int(text)
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"):
        try:
            return calendar.timegm(time.strptime(text, form))
        except ValueError:
            continue
    raise Unauthorized(WRONG)


def signature(text: str, allowed: Collection[str]) -> tuple[str, str]:
    """The digest and the signature in hexadecimal, which may come as ``sha256:BASE64``."""
    name, colon, value = text.partition(":")
    if colon:
        if name not in allowed:
            raise Unauthorized(WRONG)
        try:
            raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except (binascii.Error, ValueError):
            raise Unauthorized(WRONG) from None
        return name, raw.hex()
    digest = SIZES.get(len(text), "")
    if digest not in allowed or not text.isascii():
        raise Unauthorized(WRONG)
    return digest, text.lower()


def keys(account_meta: Mapping[str, str], container_meta: Mapping[str, str]) -> Iterator[tuple[bytes, bool]]:
    for name in KEYS:
        if key := account_meta.get(f"x-account-meta-{name}"):
            yield key.encode(), True
    for name in KEYS:
        if key := container_meta.get(f"x-container-meta-{name}"):
            yield key.encode(), False


def _messages(method: str, expires: int, path: str, by_prefix: bool, ip_range: str | None) -> Iterator[str]:
    """What may have been signed: a right to read or write is one to look; clients sign the path with or without what
    comes before ``/v1``."""
    also = {"HEAD": ("HEAD", "GET", "PUT", "POST")}.get(method, (method,))
    for signed in also:
        for mount in ("", "/object-store"):
            text = f"{signed}\n{expires}\n{'prefix:' if by_prefix else ''}{mount}{path}"
            yield text if ip_range is None else f"ip={ip_range}\n{text}"


def _comes_from(remote: str, ip_range: str) -> bool:
    try:
        return limits.within(remote, limits.networks([ip_range]))
    except ConfigError:
        raise Unauthorized(WRONG) from None


def query(request: Request) -> str:
    """A signed prefix as the query of another address below it; "" where the request has none."""
    prefix = request.param("temp_url_prefix")
    if prefix is None or not is_signed(request):
        return ""
    names = ("temp_url_expires", "temp_url_sig", "temp_url_ip_range")
    given = [("temp_url_prefix", prefix), *((name, request.param(name) or "") for name in names)]
    parts = [f"{name}={quote(value)}" for name, value in given if value or name == "temp_url_prefix"]
    return "?" + "&".join([*parts, *(["inline"] if "inline" in dict(request.query) else [])])


def refuse_headers(headers: Mapping[str, str]) -> None:
    """:raises BadRequest: an upload by a signed address must not point at what its owner did not sign."""
    for name in REFUSED:
        if name in headers:
            raise BadRequest(f"The header {name!r} is not allowed in this tempurl")
