"""What takes long: large objects of many segments, manifests that are checked.

It has threads of its own, in which those who ask take turns, so that whoever asks for something small waits for nobody.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from tane.core import Core
from tane.shares import TakesLong, Turns
from tane.web.limits import origin
from tane.web.request import Request

P = ParamSpec("P")
T = TypeVar("T")
THREADS = 3
MOST_WAITING, MOST_OF_ONE = 256, 64
POOL = "object-heavy"


class Pool:
    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tane-object")
        self.turns = Turns(THREADS, MOST_WAITING, MOST_OF_ONE)


def _pool(core: Core) -> Pool:
    """For the event loop."""
    found = core.memory.get(POOL)
    if found is None:
        found = core.memory[POOL] = Pool()
        core.closing.append(functools.partial(found.threads.shutdown, wait=True, cancel_futures=True))
    pool: Pool = found
    return pool


def owner(request: Request) -> str:
    """Whose turn it is, of those who ask."""
    return request.ctx.project_id or request.ctx.user_id or origin(request.remote)


async def run(request: Request, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous function when it is the turn of whoever asks. :raises Full: too many wait."""
    pool = _pool(request.core)
    request.may_take_long = True
    context = contextvars.copy_context()
    work = functools.partial(context.run, functools.partial(function, *args, **kwargs))
    async with pool.turns.turn(owner(request)):
        return await asyncio.get_running_loop().run_in_executor(pool.threads, work)


async def once_more(request: Request, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run it where all requests are answered; if that takes long, there. :raises Full:"""
    try:
        return await request.core.in_thread(function, *args, **kwargs)
    except TakesLong:
        return await run(request, function, *args, **kwargs)
