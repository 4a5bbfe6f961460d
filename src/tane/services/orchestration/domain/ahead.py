"""What a change of a stack has to know of templates is found before the cloud's one writer is held, never meanwhile.

A transaction that lacks a plan, or the values of a resource, is given up by :class:`NotKnown`; what it lacks is found
in a read, and it begins anew (:func:`writes`). What was found holds as long as the rows it rests on are the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.template import TemplateError, effort
from tane.shares import TakesLong
from tane.web.errors import ApiError, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
TRIES = 32
"""Each begins anew because something else was lacking, or because rows have changed."""


class NotKnown(Exception):
    """A write transaction needs what only a look at templates tells; ``find`` does so in a read transaction."""

    def __init__(self, key: Hashable, find: Callable[[Tx], Any]) -> None:
        super().__init__("a plan or a value is not known yet")
        self.key, self.find = key, find


@dataclass(frozen=True)
class Found:
    value: Any
    error: Exception | None = None


KNOWN: ContextVar[dict[Hashable, Any] | None] = ContextVar("known", default=None)
"""What was found, and drawn, for the change that is made now."""


def writes(function: Callable[P, T]) -> Callable[P, T]:
    """Of a function that has a ``core`` as its argument and writes in one transaction: it is called until it knows all
    that it needs. It does nothing before its transaction that must not be done twice.

    :raises Unavailable: rows change all the time.
    """

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        if KNOWN.get() is not None:
            return function(*args, **kwargs)
        core = next(one for one in (*args, *kwargs.values()) if isinstance(one, Core))
        known: dict[Hashable, Any] = {}
        token = KNOWN.set(known)
        try:
            for _ in range(TRIES):
                try:
                    return function(*args, **kwargs)
                except NotKnown as lack:
                    with core.db.read() as tx, core.db.joining(tx):
                        known[lack.key] = _found(tx, lack.find)
        finally:
            KNOWN.reset(token)
        raise Unavailable("The stack changes all the time: try again later.")

    return called


def _found(tx: Tx, find: Callable[[Tx], Any]) -> Found:
    """What it finds, or the mistake that it finds: that is told where it was asked for."""
    try:
        return Found(find(tx))
    except (ApiError, TemplateError) as error:
        return Found(None, error)


def known(tx: Tx | None, key: Hashable, find: Callable[[Any], T], holds: Callable[[T], bool] | None = None) -> T:
    """What ``find`` tells in a transaction. In a write it was found before; ``holds``: whether that is right still.

    :raises NotKnown: it has to be found first. :raises ApiError: :raises TemplateError: as ``find`` does.
    """
    kept = KNOWN.get()
    if tx is None or (kept is None and not tx.writable):
        return find(tx)
    found = None if kept is None else kept.get(key)
    if found is None or (found.error is None and holds is not None and not holds(found.value)):
        if tx.writable or kept is None:
            raise NotKnown(key, find)
        found = kept[key] = _found(tx, find)
    if found.error is not None:
        raise found.error
    value: T = found.value
    return value


def drawn(key: Hashable, draw: Callable[[], T]) -> T:
    """Something new, the same when the change begins anew."""
    kept = KNOWN.get()
    if kept is None:
        return draw()
    if key not in kept:
        kept[key] = draw()
    value: T = kept[key]
    return value


async def in_turn(
    core: Core, owner: Callable[[], str | None], function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run what may have to look at templates: where all is done what is done quickly, the rest when it is the owner's
    turn. It changes nothing before it has looked. :raises Full:"""
    work = functools.partial(function, *args, **kwargs)
    try:
        return await core.in_thread(effort.within, effort.little(), work)
    except TakesLong:
        whose = await core.in_thread(owner)
        return await core.in_long_thread(whose, effort.within, effort.much(), work)
