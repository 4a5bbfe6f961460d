"""Who asked for what in a container, written to another one of the project, where its owner wishes that.

A line for each call, of either API, in the form of S3's server access logs. Lines are kept in this process for a minute
and then put as an object; those of a process that ends before are lost, as S3 says of its own.

Source: Amazon S3 User Guide, "Amazon S3 server access log format".
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

import structlog

from tane.core import Core
from tane.db.documents import load
from tane.services.identity import interface as identity
from tane.services.object.domain import access, inside
from tane.services.object.domain.inside import Shelf
from tane.web.errors import ApiError
from tane.web.request import Request

MOST_BYTES, MOST_LINE, MOST_WAITING = 1 << 20, 4096, 32 << 20
"""Bytes of a container's lines that wait, of a line, and of all that wait; beyond them lines are dropped."""
A_LINE = 256
"""Bytes that a line costs beside its own."""
MOST_COUNTED = 10_000
"""Containers of which it is known how many lines were dropped."""
PLACE = "object-access-log"

SECRET = ("signature", "x-amz-signature", "temp_url_sig", "x-amz-security-token")
"""Of a query."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Wish:
    """A container whose calls are logged, and where to."""

    account: str
    container: str
    target: str
    prefix: str


@dataclass
class _Of:
    """What waits of an account."""

    size: int = 0
    lines: dict[Wish, list[bytes]] = field(default_factory=dict)
    sizes: dict[Wish, int] = field(default_factory=dict)

    def drop_one(self) -> tuple[Wish, int]:
        """The lines of one container go: which, and how many they were."""
        wanted, lines = self.lines.popitem()
        self.size -= self.sizes.pop(wanted)
        return wanted, len(lines)


@dataclass
class _Waiting:
    lock: threading.Lock = field(default_factory=threading.Lock)
    accounts: dict[str, _Of] = field(default_factory=dict)
    size: int = 0
    dropped: dict[Wish, int] = field(default_factory=dict)

    def count(self, wanted: Wish, lines: int) -> None:
        if wanted in self.dropped or len(self.dropped) < MOST_COUNTED:
            self.dropped[wanted] = self.dropped.get(wanted, 0) + lines

    def has_room(self, wanted: Wish, size: int) -> bool:
        """Make room for a line, which whoever has most of them gives: nobody's lines keep those of others out."""
        while self.size + size > MOST_WAITING:
            account = max(self.accounts, key=lambda one: self.accounts[one].size, default=wanted.account)
            found = self.accounts.get(account)
            if account == wanted.account or found is None or not found.lines:
                return False
            before = found.size
            self.count(*found.drop_one())
            self.size -= before - found.size
        return True


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
    size = len(data) + A_LINE
    with here.lock:
        found = here.accounts.get(wanted.account) or _Of()
        if found.sizes.get(wanted, 0) + size > MOST_BYTES or not here.has_room(wanted, size):
            here.count(wanted, 1)
            return
        here.accounts[wanted.account] = found
        found.lines.setdefault(wanted, []).append(data)
        found.sizes[wanted] = found.sizes.get(wanted, 0) + size
        found.size += size
        here.size += size


def deliver(core: Core) -> int:
    """Put what waits; returns how many objects were written. What cannot be put (over a quota, the
    container is gone) is dropped and told; what is of a project that is closed is dropped."""
    here, done = _waiting(core), 0
    with here.lock:
        accounts, dropped = here.accounts, here.dropped
        here.accounts, here.dropped, here.size = {}, {}, 0
    lines = {wanted: found for one in accounts.values() for wanted, found in one.lines.items()}
    for wanted in {**lines, **dropped}:
        found = lines.get(wanted, [])
        if count := dropped.get(wanted):
            found.append(f"# {count} lines more were not kept\n".encode())
        name = f"{wanted.prefix}{core.clock.now():%Y-%m-%d-%H-%M-%S}-{secrets.token_hex(8).upper()}"
        project_id = access.project_of(wanted.account)
        try:
            if not identity.is_open(core, project_id):
                continue
            inside.put(core, Shelf(project_id, wanted.target), name, found, make=False)
            done += 1
        except ApiError as error:
            log.warning("an access log was not delivered", container=wanted.target, reason=error.message)
        except Exception:
            # Whatever it is, the lines of all others are already taken, and must not be lost with these.
            log.exception("an access log was not delivered", container=wanted.target)
    return done


def is_s3(request: Request) -> bool:
    return request.service_url.endswith("/s3")


def line(request: Request, wanted: Wish, status: int, size: int, error: str) -> str:
    """What is told of a call."""
    key = request.path.get("key") or request.path.get("object") or ""
    operation = f"{'REST' if is_s3(request) else 'SWIFT'}.{request.method}.{'OBJECT' if key else 'BUCKET'}"
    query = f"?{_unsigned(request.raw_query)}" if request.raw_query else ""
    headers = request.headers
    page, mark, asked = headers.get("referer", "-").partition("?")
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
            f'"{request.method} {_plain(request.raw_path, 1024)}{_plain(query, 512)} HTTP/1.1"',
            str(status),
            error or "-",
            str(size) if size else "-",
            f'"{_plain(page + mark + _unsigned(asked), 256)}"',
            f'"{_plain(headers.get("user-agent", "-"), 256)}"',
        )
    )


def _plain(text: str, most: int) -> str:
    """Of a stranger's: no line ends, and no quotation mark ends what is quoted."""
    return "".join(char if char.isprintable() and char != '"' else "?" for char in text[:most])


def _unsigned(query: str) -> str:
    """Whoever reads the log must not get a right by it."""
    found = []
    for part in query.split("&"):
        name, equals, _ = part.partition("=")
        found.append(f"{name}=..." if equals and unquote_plus(name).strip().lower() in SECRET else part)
    return "&".join(found)
