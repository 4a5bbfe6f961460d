"""Reading events in pages, and following them as they happen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db.recording import TOPIC
from tane.services.event.store import events
from tane.services.event.store.events import Found
from tane.services.identity import interface as identity
from tane.shares import Shares
from tane.web.context import Context
from tane.web.errors import Unauthorized

MOST = 1000
"""Events a page."""
KEPT, KEPT_OF_ONE = 1_000_000, 100_000
"""Events that are kept at most: some 300 MB, and of one project a tenth."""
AT_A_TIME = 5000
"""Events that are deleted in one transaction."""
STREAMS, STREAMS_OF_DOMAIN, STREAMS_OF_ONE = 128, 64, 16
"""Streams at a time: in all, of one domain, and of one project or user."""
SILENCE_SECONDS = 15.0
"""After so long a stream says that it is alive, and looks whether its token still is."""
REST_SECONDS = 0.2
"""Between two looks of a stream: many commits a second are one look."""


@dataclass(frozen=True)
class Wish:
    """What a caller wants to be told of. ``everything``: of all projects."""

    everything: bool
    types: tuple[str, ...]
    resource_id: str


def page(core: Core, ctx: Context, wish: Wish, cursor: int, limit: int) -> Found:
    """Events after ``cursor`` that ``ctx`` may see, oldest first, and where the next page begins."""
    with core.db.read() as tx:
        return events.after(
            tx, cursor, limit, audience=_audience(core, ctx, wish), types=wish.types, resource_id=wish.resource_id
        )


def newest(core: Core) -> int:
    """The cursor of now."""
    with core.db.read() as tx:
        return events.newest(tx)


def _audience(core: Core, ctx: Context, wish: Wish) -> Sequence[tuple[str, str]] | None:
    if wish.everything:
        return None
    project_id = ctx.project_id if core.policy.allows("event:index:project", ctx) else ""
    # What a user made for itself is none of the business of whom it has delegated something to.
    delegated = ctx.trust_id or ctx.application_credential_id or ctx.access_token_id
    pairs = (("project_id", project_id), ("owner_id", "" if delegated else ctx.user_id))
    return [(column, value) for column, value in pairs if value]


async def follow(core: Core, ctx: Context, wish: Wish, cursor: int) -> AsyncGenerator[list[Row[Any]]]:
    """Events after ``cursor`` as they become durable; an empty list from time to time when there are none. Ends when
    the caller's token does. :raises Full: too many are followed at a time."""
    with _place(core, ctx), core.db.signals.subscribe(TOPIC) as told:
        # What a client sees first tells that it is listened to from the cursor on.
        yield []
        loop = asyncio.get_running_loop()
        proved = loop.time() - SILENCE_SECONDS
        while True:
            if loop.time() - proved >= SILENCE_SECONDS:
                if not await core.in_thread(_may_still, core, ctx, wish):
                    return
                proved = loop.time()
            rows, reached = await core.in_thread(page, core, ctx, wish, cursor, MOST)
            if rows:
                yield rows
            await asyncio.sleep(REST_SECONDS)
            if reached == cursor and not await told.wait(SILENCE_SECONDS):
                yield []
            cursor = reached


@contextlib.contextmanager
def _place(core: Core, ctx: Context) -> Iterator[None]:
    """One of the places there are. A domain has as many projects and users as it likes; who looks after the cloud
    always finds one. :raises Full:"""
    if ctx.is_admin:
        yield
        return
    of_one, of_domain = core.memory.setdefault(
        "event.streams", (Shares(STREAMS, STREAMS_OF_ONE), Shares(STREAMS, STREAMS_OF_DOMAIN))
    )
    domain = ctx.project_domain_id or ctx.user_domain_id
    project = ("project", ctx.project_id) if ctx.project_id else None
    with of_one.taken(project, ("user", ctx.user_id)), of_domain.taken(domain):
        yield


def _may_still(core: Core, ctx: Context, wish: Wish) -> bool:
    """Whether the token is good, and for as much as it was: roles come and go while it lasts."""
    try:
        now = identity.authenticate(core, ctx.token, ctx.request_id)
    except Unauthorized:
        return False
    rule = "event:index:all_projects" if wish.everything else "event:index:project"
    return core.policy.allows(rule, now) or not core.policy.allows(rule, ctx)


def forget_old(core: Core) -> int:
    """Delete what was kept long enough, in transactions that nobody waits long for; returns how many."""
    forgotten = 0
    while True:
        with core.db.write() as tx:
            before = tx.now - timedelta(days=core.config.event_days)
            some = events.forget(tx, before, KEPT, KEPT_OF_ONE, AT_A_TIME)
        forgotten += some
        if some < AT_A_TIME:
            return forgotten
