"""Who asked for what in a container, written to another one of the project, where its owner wishes that.

A line for each call, of either API, in the form of S3's server access logs. Lines are kept in this process for a minute
and then put as an object; those of a process that ends before are lost, as S3 says of its own.

Source: Amazon S3 User Guide, "Amazon S3 server access log format".
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field

import structlog

from tane.core import Core
from tane.db.documents import load
from tane.services.object.domain import access, inside
from tane.services.object.domain.inside import Shelf
from tane.web.errors import ApiError
from tane.web.request import Request

MOST_BYTES, MOST_LINE, MOST_CONTAINERS = 1 << 20, 4096, 1000
"""Of a container's lines that wait, of a line, and how many containers have any; beyond them lines are dropped."""
PLACE = "object-access-log"

log = structlog.get_logger()


@dataclass(frozen=True)
class Wish:
    """A container whose calls are logged, and where to."""

    account: str
    container: str
    target: str
    prefix: str


@dataclass
class _Waiting:
    lock: threading.Lock = field(default_factory=threading.Lock)
    lines: dict[Wish, list[bytes]] = field(default_factory=dict)
    sizes: dict[Wish, int] = field(default_factory=dict)
    dropped: dict[Wish, int] = field(default_factory=dict)


def wishes(request: Request) -> list[Wish]:
    """Of the containers that a call was about."""
    found = []
    for (account, container), meta in request.notes.items():
        if kept := load(meta).get(access.LOGGED):
            found.append(Wish(account, container, *load(kept)))
    return found


def _waiting(core: Core) -> _Waiting:
    found: _Waiting = core.memory.setdefault(PLACE, _Waiting())
    return found


def write(core: Core, wanted: Wish, line: str) -> None:
    """Keep a line for the next delivery."""
    data, here = line.encode("utf-8", "replace")[:MOST_LINE] + b"\n", _waiting(core)
    with here.lock:
        size = here.sizes.get(wanted, 0)
        if size + len(data) > MOST_BYTES or (wanted not in here.lines and len(here.lines) >= MOST_CONTAINERS):
            if wanted in here.lines:
                here.dropped[wanted] = here.dropped.get(wanted, 0) + 1
            return
        here.lines.setdefault(wanted, []).append(data)
        here.sizes[wanted] = size + len(data)


def deliver(core: Core) -> int:
    """Put what waits; returns how many objects were written. What cannot be put, over a quota, is dropped and told."""
    here, done = _waiting(core), 0
    with here.lock:
        lines, dropped = here.lines, here.dropped
        here.lines, here.sizes, here.dropped = {}, {}, {}
    for wanted, found in lines.items():
        if count := dropped.get(wanted):
            found.append(f"# {count} lines more were not kept\n".encode())
        name = f"{wanted.prefix}{core.clock.now():%Y-%m-%d-%H-%M-%S}-{secrets.token_hex(8).upper()}"
        try:
            inside.put(core, Shelf(access.project_of(wanted.account), wanted.target), name, found)
            done += 1
        except ApiError as error:
            log.warning("an access log was not delivered", container=wanted.target, reason=error.message)
    return done


def is_s3(request: Request) -> bool:
    return request.service_url.endswith("/s3")


def line(request: Request, wanted: Wish, status: int, size: int, error: str) -> str:
    """What is told of a call."""
    key = request.path.get("key") or request.path.get("object") or ""
    operation = f"{'REST' if is_s3(request) else 'SWIFT'}.{request.method}.{'OBJECT' if key else 'BUCKET'}"
    query = f"?{request.raw_query}" if request.raw_query else ""
    headers = request.headers
    return " ".join(
        (
            access.project_of(wanted.account),
            wanted.container,
            f"[{request.core.clock.now():%d/%b/%Y:%H:%M:%S} +0000]",
            request.remote or "-",
            request.ctx.user_id or "-",
            request.ctx.request_id or "-",
            operation,
            _plain(key, 1024).replace(" ", "%20") or "-",
            f'"{request.method} {_plain(request.raw_path, 1024)}{_plain(_unsigned(query), 512)} HTTP/1.1"',
            str(status),
            error or "-",
            str(size) if size else "-",
            f'"{_plain(headers.get("referer", "-"), 256)}"',
            f'"{_plain(headers.get("user-agent", "-"), 256)}"',
        )
    )


def _plain(text: str, most: int) -> str:
    """Of a stranger's: no line ends, and no quotation mark ends what is quoted."""
    return "".join(char if char.isprintable() and char != '"' else "?" for char in text[:most])


def _unsigned(query: str) -> str:
    """Whoever reads the log must not get a right by it."""
    hidden = ("signature=", "x-amz-signature=", "temp_url_sig=", "x-amz-security-token=")
    parts = query.split("&")
    return "&".join(
        part.partition("=")[0] + "=..." if part.lstrip("?").lower().startswith(hidden) else part for part in parts
    )
