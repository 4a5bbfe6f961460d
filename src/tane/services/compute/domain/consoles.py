"""Consoles: who may see a server's screen, for how long, and where the screen is (Compute API: "Server consoles")."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.hosts.told import told_to_the_caller
from tane.services.compute.domain.common import require
from tane.services.compute.store import consoles
from tane.services.identity import interface as identity
from tane.shares import Full, Shares
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound, Unauthorized, Unavailable
from tane.wire.duties import ComputeDuty
from tane.wire.errors import NotSupported
from tane.wire.streams import Connection

VNC, SERIAL = "novnc", "serial"
TYPES = {"vnc": VNC, "serial": SERIAL}
"""The one type of console of each protocol that this cloud has."""
SCREENS = "compute.screens"
MOST, OF_PROJECT, OF_TOKEN = 256, 64, 8
"""Screens that are looked at at a time: in all, of one project's servers, by one token."""
LOOK_SECONDS = 15.0
"""After so long an open console looks whether who got its token may still see it."""
RULE = "os_compute_api:os-remote-consoles"


class Given(msgspec.Struct, frozen=True):
    """For whom a console's token was made, and by which token of identity he asked."""

    by: identity.Delegation
    token: identity.Issued | None


async def open_console(core: Core, ctx: Context, server_id: str, protocol: str, console_type: str) -> str:
    """A new token for the screen, or the serial console, of a running server; the host is asked while the caller waits.

    :raises BadRequest: a kind of console this cloud has not. :raises Conflict: the server has no screen now.
    """

    def row() -> Row[Any]:
        with core.db.read() as tx:
            return require(tx, ctx, server_id)

    found = await core.in_thread(row)
    if protocol not in TYPES:
        raise unavailable(console_type)
    if console_type != TYPES[protocol]:
        raise BadRequest(f"Invalid console type {console_type}")
    with _of_running(core, server_id, found.host_id, console_type) as host:
        await (host.has_serial if console_type == SERIAL else host.has_screen)(server_id)
    return await core.in_thread(_new_token, core, ctx, server_id, console_type)


def unavailable(console_type: str) -> BadRequest:
    return BadRequest(f"Unavailable console type {console_type}.")


async def connect(core: Core, server_id: str, host_id: str | None, console_type: str) -> Connection:
    """A connection to the guest's VNC server, or to its serial console. :raises Conflict: the guest does not run.

    :raises Unavailable: its host, or the console, does not answer.
    """
    with _of_running(core, server_id, host_id, console_type) as host:
        return await (host.serial if console_type == SERIAL else host.screen)(server_id)


@contextlib.contextmanager
def _of_running(core: Core, server_id: str, host_id: str | None, console_type: str) -> Iterator[ComputeDuty]:
    if host_id is None:
        raise Conflict(f"Instance {server_id} is not ready")
    with told_to_the_caller(f"instance {server_id}"):
        try:
            yield core.hosts.compute(host_id)
        except NotSupported:
            raise unavailable(console_type) from None


def _new_token(core: Core, ctx: Context, server_id: str, console_type: str) -> str:
    token = secrets.token_urlsafe(32)
    issued = identity.issued(core, ctx)
    with core.db.write() as tx:
        require(tx, ctx, server_id)
        consoles.remove_expired(tx)
        consoles.add(
            tx,
            token_hash=_hash(token),
            server_id=server_id,
            console_type=console_type,
            delegation=msgspec.to_builtins(Given(identity.delegation(tx, ctx), issued)),
            expires_at=tx.now + timedelta(seconds=core.config.console_token_ttl),
        )
    return token


def of_token(core: Core, token: str) -> Row[Any] | None:
    """(server_id, console_type, delegation, host_id, host_name, project_id) a token opens; None when it is unknown or
    over, or who got it may not see that server any more."""
    with core.db.read() as tx:
        found = consoles.valid(tx, _hash(token))
    return found if found is not None and may_still(core, found) else None


def may_still(core: Core, found: Row[Any]) -> bool:
    """Whether who got the token of a console has the rights to it that are asked of a new one: users are disabled and
    lose their roles, and log out, while a console is open, which no request ends."""
    if found.delegation is None:
        return False
    try:
        given = msgspec.convert(found.delegation, Given)
        now = identity.acting(core, given.by, "", given.token)
        with core.db.read() as tx:
            require(tx, now, found.server_id)
    except (Unauthorized, NotFound, msgspec.ValidationError):
        return False
    return core.policy.allows(RULE, now)


@contextlib.contextmanager
def viewing(core: Core, found: Row[Any], token: str) -> Iterator[None]:
    """Hold one of the places there are for screens that are looked at.

    :raises Unavailable: the token, the project or the cloud has no more of them.
    """
    screens: tuple[Shares, Shares] = core.memory.setdefault(SCREENS, (Shares(MOST, OF_PROJECT), Shares(MOST, OF_TOKEN)))
    of_project, of_token = screens
    try:
        with of_project.taken(found.project_id), of_token.taken(_hash(token)):
            yield
    except Full:
        raise Unavailable("Too many consoles are open.") from None


def _hash(token: str) -> str:
    """The database holds no token, only what tells one: reading it opens no console."""
    return hashlib.sha256(token.encode()).hexdigest()
