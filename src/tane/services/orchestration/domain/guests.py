"""Users of identity that resources make: a server's, by which its guest asks what it is to do; those of templates
(``AWS::IAM::User``). They are good for metadata and signals of resources of their stack, and for nothing else.

What is kept of one in the data of its resource: ``guest`` (its password, its keys, the names of the resources that it
may ask for, or None for all of the stack; the policies that say which of these).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity import interface as identity
from tane.services.orchestration.store import resources
from tane.web.context import Context
from tane.web.errors import Forbidden

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

KEPT = "guest"


def made(hand: Hand, sees: Sequence[str] | None, policies: Sequence[str] = ()) -> dict[str, Any]:
    """The user of a resource, which is made when it is first asked for. ``sees``: the resources whose metadata and
    signals it is good for; None for all of the stack that each of ``policies`` (resources by name) allows."""
    kept: dict[str, Any] = dict(hand.row.data.get(KEPT) or {})
    if not kept:
        password = identity.add_guest(hand.core, hand.tx, hand.row.id, hand.short_name(), hand.stack.project_id)
        kept = {"password": password}
    found = {**kept, "sees": None if sees is None else list(sees), "policies": list(policies)}
    if found != hand.row.data.get(KEPT):
        hand.keep(**{KEPT: found})
    return found


def keyed(hand: Hand, sees: Sequence[str] | None) -> dict[str, Any]:
    """The same with a pair of EC2 keys (``access``, ``secret``)."""
    kept = made(hand, sees)
    if "access" not in kept:
        access, secret = identity.add_guest_keys(hand.tx, hand.row.id, hand.stack.project_id)
        kept = {**kept, "access": access, "secret": secret}
        hand.keep(**{KEPT: kept})
    return kept


def gone(tx: Tx, core: Core, rows: Sequence[Any]) -> None:
    """The users of resources that are no more go with them."""
    identity.remove_guests(core, tx, [row.id for row in rows if row.data.get(KEPT)])


def refuse(ctx: Context) -> None:
    """:raises Forbidden: the caller is such a user: what is asked for is no guest's matter."""
    if identity.is_guest(ctx):
        raise Forbidden("You are not authorized to complete this action.", type="Forbidden")


def check(tx: Tx, ctx: Context, stack: Row[Any], row: Row[Any]) -> None:
    """:raises Forbidden: the caller is such a user, and the resource is none that it may ask for."""
    if not identity.is_guest(ctx):
        return
    own = resources.get(tx, ctx.user_id)
    kept = None if own is None else own.data.get(KEPT)
    if own is None or kept is None or own.stack_id != stack.id or not _allows(tx, stack, kept, row.name):
        raise Forbidden("You are not authorized to complete this action.", type="Forbidden")


def _allows(tx: Tx, stack: Row[Any], kept: Mapping[str, Any], name: str) -> bool:
    if kept["sees"] is not None and name not in kept["sees"]:
        return False
    for policy in kept.get("policies", ()):
        row = resources.named(tx, stack.id, policy)
        if row is None or name not in (row.properties.get("AllowedResources") or ()):
            return False
    return True
