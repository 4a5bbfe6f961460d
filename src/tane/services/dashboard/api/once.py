"""A form that is sent twice, by two presses of its button or again since its answer did not come, is done once: the
second is answered as the first was.

Answers stay in this process for some minutes. What was refused is not kept: sent again, it is tried again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tane.services.dashboard.api.incoming import Form
from tane.services.dashboard.api.visit import FORM_TOKEN, Visit
from tane.web import codec
from tane.web.request import Response

MEMORY = "dashboard.once"
LASTS = timedelta(minutes=5)
MOST, MOST_OF_ONE, MOST_BYTES = 2000, 20, 4 << 20
"""Answers of all sessions, those of one, and bytes of all; the oldest are forgotten."""


@dataclass(frozen=True)
class Sent:
    """A form on its way. ``answer``: None when it came to nothing that is kept."""

    owner: str
    until: datetime
    answer: asyncio.Future[Response | None]


async def once(visit: Visit, given: Form, work: Callable[[], Awaitable[Response]]) -> Response:
    """What ``work`` answers to a form of this session, or did before. :raises ApiError: as it does."""
    assert visit.session is not None
    if FORM_TOKEN not in given.values:
        return await work()
    kept: dict[str, Sent] = visit.core.memory.setdefault(MEMORY, {})
    key, now = _key(visit, given), visit.core.clock.now()
    while (former := kept.get(key)) is not None and now < former.until:
        # The first may wait for long, and its browser has gone: who comes second must not end it by going, too.
        if (answer := await asyncio.shield(former.answer)) is not None:
            return _copy(answer)
    kept[key] = sent = Sent(visit.session.id, now + LASTS, asyncio.get_running_loop().create_future())
    _forget(kept, visit.session.id)
    found: Response | None = None
    try:
        made = await work()
        if (made.status or 200) < 400 and made.stream is None and made.file is None:
            found = _copy(made)
        return made
    finally:
        if found is None and kept.get(key) is sent:
            kept.pop(key)
        sent.answer.set_result(found)


def _key(visit: Visit, given: Form) -> str:
    """One form of one page, with what was typed: who goes back and types something else means something else."""
    assert visit.session is not None
    request = visit.request
    # A file is not read for this: its name and how much is sent tell it from another.
    file = [given.file_name, request.headers.get("content-length", "")] if given.file is not None else []
    what = [visit.session.id, request.url_path, request.param("in") or "", given.values, *file]
    return hashlib.sha256(codec.encode(what)).hexdigest()


def _copy(answer: Response) -> Response:
    return replace(answer, headers=dict(answer.headers))


def _forget(kept: dict[str, Sent], owner: str) -> None:
    own = [key for key, one in kept.items() if one.owner == owner]
    for key in own[:-MOST_OF_ONE]:
        kept.pop(key)
    count, held = len(kept), sum(map(_bytes, kept.values()))
    for key, one in list(kept.items()):
        if count <= MOST and held <= MOST_BYTES:
            return
        count, held = count - 1, held - _bytes(one)
        kept.pop(key)


def _bytes(one: Sent) -> int:
    answer = one.answer.result() if one.answer.done() else None
    return len(answer.body) if answer is not None and isinstance(answer.body, bytes) else 0
