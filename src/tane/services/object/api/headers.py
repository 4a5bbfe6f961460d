"""What requests of objects say in their headers, and what answers say in theirs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote, unquote

from tane.core import Core
from tane.db.documents import load
from tane.services.object.domain import content, metadata
from tane.services.object.domain.access import Visit
from tane.services.object.domain.errors import TEXTS, Detailed, LengthRequired
from tane.services.object.domain.reading import Reading, version_id
from tane.services.object.store import stamps
from tane.web.errors import ApiError, BadRequest, NotImplementedHere, PreconditionFailed
from tane.web.request import Request, Response
from tane.web.routes import Told

HTML = "text/html; charset=UTF-8"
SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
"""An object is its owner's word, not the cloud's: a browser must run nothing of it in the cloud's origin."""
LAST_SECOND = 9_999_999_999
"""As Swift has it; later times are this one."""
EXPOSED = "cache-control, content-language, content-type, expires, last-modified, pragma, etag, x-timestamp, x-trans-id"


def length(request: Request) -> int | None:
    """How long the body is, None when it comes in chunks. :raises LengthRequired: :raises BadRequest:"""
    coding = request.headers.get("transfer-encoding")
    announced = request.headers.get("content-length")
    if coding is not None:
        if coding.strip().lower() != "chunked":
            raise NotImplementedHere("Unsupported Transfer-Coding header value specified in Transfer-Encoding header")
        return None
    if announced is None:
        raise LengthRequired("Missing Content-Length header.")
    if not (announced.isascii() and announced.isdigit()):
        raise BadRequest("Invalid Content-Length")
    found = int(announced)
    metadata.check_size(found)
    return found


def object_meta(request: Request) -> dict[str, str]:
    """All that is kept with an object beside its bytes. :raises BadRequest: over a limit."""
    given = metadata.given(request.headers, "object").items()
    found = {name: value for name, value in given if value or name in request.headers}
    for name in metadata.KEPT:
        if value := request.headers.get(name):
            if len(value) > metadata.MAX_HEADER_SIZE:
                raise BadRequest(f"Header value too long: {name}")
            found[name] = metadata.decoded(value)
    return found


def content_type(request: Request, name: str) -> str:
    """The one that is given, or guessed by the name where none is or it is asked for."""
    given = metadata.decoded(request.headers.get("content-type", ""))
    detect = request.headers.get("x-detect-content-type", "").lower() in ("true", "1", "yes", "on", "t", "y")
    if given and not detect:
        return given
    return content.guessed(name)


def after_now(core: Core, after: str) -> int:
    """So many seconds from now on. :raises BadRequest: that is no time to come."""
    seconds = _number(after, "X-Delete-After")
    if seconds == 0:
        raise BadRequest("X-Delete-After in past")
    return min(stamps.of(core.clock.now()) // stamps.SECOND + seconds, LAST_SECOND)


def _number(text: str, header: str) -> int:
    """A whole number of a header, at most :data:`LAST_SECOND`. :raises BadRequest:"""
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(f"Non-integer {header}")
    return min(int(text[:4000]), LAST_SECOND)


def if_delete_at(request: Request) -> int | None:
    """``X-If-Delete-At``: delete only what is to go then. :raises BadRequest:"""
    text = request.headers.get("x-if-delete-at")
    return None if text is None else _number(text, "X-If-Delete-At")


def delete_at(request: Request) -> int | None:
    """When the object is to go, in seconds since 1970; None for never. :raises BadRequest: it is no time to come."""
    now = stamps.of(request.core.clock.now()) // stamps.SECOND
    after, at = request.headers.get("x-delete-after"), request.headers.get("x-delete-at")
    if after:
        return after_now(request.core, after)
    if not at:
        return None
    wanted = _number(at, "X-Delete-At")
    if wanted <= now:
        raise BadRequest("X-Delete-At in past")
    return wanted


def path_in(value: str, what: str) -> tuple[str, str]:
    """``container/object`` of a header such as ``X-Copy-From``. :raises PreconditionFailed:"""
    text = unquote(metadata.decoded(value).partition("?")[0]).lstrip("/")
    container, slash, name = text.partition("/")
    if not container or not slash or not name or "\0" in text:
        raise PreconditionFailed(f"{what} header must be of the form <container name>/<object name>")
    return container, name


def http_date(stamp: int) -> str:
    """The second in which something was changed, or the next: nobody is told an earlier one than it was."""
    return http_second(-(-stamp // stamps.SECOND))


def http_second(seconds: int) -> str:
    """A moment since 1970 as HTTP has it; what is after the last year that can be written, as its end."""
    return format_datetime(datetime.fromtimestamp(min(seconds, stamps.LAST), UTC), usegmt=True)


def date(value: str | None) -> datetime | None:
    """A date of a header, None when it is none."""
    if not value:
        return None
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def of_meta(meta: Mapping[str, str]) -> dict[str, str]:
    return {name: metadata.carried(value) for name, value in meta.items() if not name.startswith(metadata.OWN)}


def of_object(found: Reading) -> dict[str, str]:
    """The headers of a HEAD or a GET of an object."""
    row = found.row
    shown = of_meta(found.meta)
    shown |= {
        "Etag": f'"{found.etag}"' if found.quoted else found.etag,
        "Last-Modified": http_date(row.stamp),
        "X-Timestamp": content.text(row.stamp),
        "Accept-Ranges": "bytes",
        **SAFE,
    }
    if row.delete_at is not None:
        shown["X-Delete-At"] = str(row.delete_at)
    if row.kind == "slo":
        shown |= {"X-Static-Large-Object": "True", "X-Manifest-Etag": found.manifest_etag}
    if row.kind == "dlo":
        shown["X-Object-Manifest"] = quote(row.manifest)
    if row.kind == "symlink":
        shown |= _link(row.manifest)
    if found.target:
        shown["Content-Location"] = quote(found.target)
    if found.visit.there.versions_mode in ("enabled", "suspended"):
        shown["X-Object-Version-Id"] = version_id(row)
        if not found.target:
            at = found.visit
            where = quote(f"/v1/{at.account}/{at.container}/{at.name}")
            shown["Content-Location"] = f"{where}?version-id={version_id(row)}"
    return shown


def _link(manifest: str) -> dict[str, str]:
    """Of a link that is shown itself."""
    target = load(manifest)
    shown = {"X-Symlink-Target": quote(f"{target['container']}/{target['object']}")}
    if target["account"]:
        shown["X-Symlink-Target-Account"] = quote(target["account"])
    if target["etag"]:
        shown["X-Symlink-Target-Etag"] = target["etag"]
    return shown


def with_cors(request: Request, visit: Visit, response: Response) -> Response:
    """What the container lets a browser's pages of other origins read."""
    origin = request.headers.get("origin")
    if origin is None:
        return response
    meta = visit.container_meta
    allowed = (meta.get("x-container-meta-access-control-allow-origin") or "").split()
    if "*" in allowed or origin in allowed:
        response.headers["Access-Control-Allow-Origin"] = "*" if "*" in allowed else origin
        own = meta.get("x-container-meta-access-control-expose-headers", "").split()
        names = [name.lower() for name in response.headers if name.lower().startswith("x-")]
        response.headers["Access-Control-Expose-Headers"] = ", ".join(dict.fromkeys([EXPOSED, *names, *own]))
        if "*" not in allowed:
            response.headers["Vary"] = "Origin"
    return response


def error_document(error: ApiError, _told: Told) -> tuple[bytes, str]:
    """An error as Swift shows it: a short page, or a few words."""
    if isinstance(error, Detailed) and error.content_type:
        return error.message.encode(), error.content_type
    if error.message != TEXTS.get(error.status):
        return error.message.encode(), "text/plain; charset=UTF-8"
    return f"<html><h1>{error.title}</h1><p>{error.message}</p></html>".encode(), HTML
