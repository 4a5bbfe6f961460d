"""For whom a stack acts: who sent what it is to be, and nobody else.

Whoever checks, suspends, resumes, cancels, signals or deletes a stack lends it nothing: what the template says is done
with the rights of its author. What the author can no more delete (his rights are gone), or may not any more, is deleted
with the rights of who asked for that; nothing else is ever done with those.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity import interface as identity
from tane.services.orchestration.domain.common import NO_RIGHTS, StackValidationFailed
from tane.services.orchestration.store import stacks
from tane.web.context import Context
from tane.web.errors import Forbidden, Unauthorized

NOT_THE_AUTHOR = (
    "The stack's template was sent by another ({}), and what you do not send would act with your rights. Send all of "
    "it: template, files and environment (PUT)."
)
PREVIOUS = ("previous", "previous_files_id", "previous_owner")


class NoRights(StackValidationFailed):
    """The author of a stack has no rights in its project any more."""


def given(tx: Tx, ctx: Context) -> dict[str, Any]:
    """A caller's rights as a row keeps them. They give nothing by themselves."""
    found: dict[str, Any] = msgspec.to_builtins(identity.delegation(tx, ctx))
    return found


def of_sender(tx: Tx, ctx: Context) -> dict[str, Any]:
    """The columns that say whose rights a stack has: those of who sends its source."""
    return {"user_id": ctx.user_id, "owner_name": ctx.user_name, "delegation": given(tx, ctx)}


def of_stack(stack: Row[Any]) -> dict[str, Any]:
    """The same columns as a stack has them: they go wherever its source goes."""
    return {name: getattr(stack, name) for name in ("user_id", "owner_name", "delegation")}


def before(stack: Row[Any]) -> dict[str, Any]:
    """Columns of where a rollback goes when a stack gets another source: with the source goes its author."""
    if stack.previous is not None:
        return {name: getattr(stack, name) for name in PREVIOUS}
    return {"previous": stack.source, "previous_files_id": stack.files_id, "previous_owner": of_stack(stack)}


def check_author(tx: Tx, ctx: Context, stack: Row[Any]) -> None:
    """:raises Forbidden: another sent the source, of which the caller wants to keep a part."""
    if given(tx, ctx) != stack.delegation:
        raise Forbidden(NOT_THE_AUTHOR.format(stack.owner_name), type="Forbidden")


def author(core: Core, stack: Row[Any], request_id: str) -> Context:
    """With the rights that a stack's author has now. :raises NoRights:"""
    try:
        return identity.acting(core, msgspec.convert(stack.delegation, identity.Delegation), request_id)
    except Unauthorized as error:
        raise NoRights(NO_RIGHTS.format(error.message), type="Unauthorized") from None


def asker(core: Core, stack: Row[Any], request_id: str) -> Context | None:
    """Who asked for the deletion of a stack, as long as he has rights: good for deletions alone."""
    if stack.asked_by is None:
        return None
    try:
        return identity.acting(core, msgspec.convert(stack.asked_by, identity.Delegation), request_id)
    except Unauthorized:
        return None


def same(tx: Tx, stack: Row[Any]) -> Row[Any] | None:
    """The stack as it is now, if it is still that of the same author and asker."""
    now = stacks.get(tx, stack.id)
    if now is None or (now.delegation, now.asked_by) != (stack.delegation, stack.asked_by):
        return None
    return now
