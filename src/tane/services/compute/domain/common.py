"""What the rules of compute share."""

from __future__ import annotations

import re
import uuid
from typing import Any, TypeVar

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs import Order, enqueue
from tane.services.compute.orders import ServerParams
from tane.services.compute.store import servers
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound
from tane.wire import grammar

S = TypeVar("S", bound=ServerParams)


def new_id() -> str:
    return str(uuid.uuid4())


def require(tx: Tx, ctx: Context, server_id: str) -> Row[Any]:
    """A server of the caller's project; any for an administrator. :raises NotFound:"""
    row = servers.get(tx, server_id)
    if row is None or not ctx.sees(row.project_id):
        raise NotFound(f"Instance {server_id} could not be found.")
    return row


def queue(tx: Tx, by: Context, order: Order[S], params: S, *, owner: str) -> None:
    """Write the job of an action on a server in the transaction that decided on it; a server's jobs run in order.
    ``owner``: the server's project."""
    enqueue(tx, order, params, resource=f"server:{params.server_id}", by=by, owner=owner)


def refuse_locked(ctx: Context, row: Row[Any]) -> None:
    """:raises Conflict: the server is locked and the caller no administrator."""
    if row.locked_by is not None and not ctx.is_admin:
        raise Conflict(f"Instance {row.id} is locked")


def require_state(row: Row[Any], action: str, vm_states: tuple[str, ...], *, busy: tuple[str, ...] = ()) -> None:
    """:raises Conflict: the server is in another vm_state, or a task other than ``busy`` is under way."""
    if row.vm_state not in vm_states:
        raise Conflict(f"Cannot '{action}' instance {row.id} while it is in vm_state {row.vm_state}")
    if row.task_state is not None and row.task_state not in busy:
        raise Conflict(f"Cannot '{action}' instance {row.id} while it is in task_state {row.task_state}")


def hostname_of(name: str, server_id: str) -> str:
    """A host name made from a display name, as upstream sanitises it; ``Server-<id>`` when nothing is left."""
    kept = re.sub(r"[ _.]+", "-", name.encode("ascii", "ignore").decode())
    kept = re.sub(r"[^\w-]+", "", kept).lower().strip("-")[:63].strip("-")
    return kept or f"Server-{server_id}"


def ip_or_empty(text: str, field: str, version: int) -> str:
    """The address in its one canonical form (RFC 5952). :raises BadRequest: neither empty nor of that IP version."""
    if text:
        try:
            address = grammar.address(text)
            if address.version != version:
                raise ValueError
            return str(address)
        except ValueError:
            raise BadRequest(
                f"Invalid input for field/attribute {field}. Value: {text}. '{text}' is not a 'ipv{version}'"
            ) from None
    return text


def canonical_addresses(values: dict[str, Any]) -> dict[str, Any]:
    """Columns of a server with its access addresses checked. :raises BadRequest: one is no address."""
    for version in (4, 6):
        name = f"access_ip_v{version}"
        if name in values:
            values = {**values, name: ip_or_empty(values[name], f"accessIPv{version}", version)}
    return values


def of_project(row: Row[Any], request_id: str | None) -> Context:
    """The server's owner, for what an operation does in its name."""
    return Context(
        request_id=request_id or "", user_id=row.user_id, project_id=row.project_id, roles=("member", "reader")
    )


def fault(message: str, code: int, tx: Tx) -> dict[str, Any]:
    """The ``fault`` of a server."""
    return {"code": code, "created": tx.now.strftime("%Y-%m-%dT%H:%M:%SZ"), "message": message[:255]}
