"""Join tokens: made for one host each, and good for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.hosts import joining, store
from tane.web.errors import Conflict, NotFound, NotImplementedHere
from tane.wire import certificates
from tane.wire.joining import USUAL_ROLES, JoinToken


def every(core: Core) -> list[Row[Any]]:
    with core.db.read() as tx:
        return store.tokens(tx)


async def create(core: Core, roles: Sequence[str] | None, name: str | None, hours: float) -> tuple[Row[Any], str]:
    """A new token's row, and its text, which is told this once. The cloud listens for hosts from the first one on.
    ``roles`` None: those of the host of the name, or the usual ones.

    :raises NotImplementedHere: no host can join a cloud that runs without root. :raises Conflict: the
        port for hosts is taken.
    """
    door = core.hosts.door
    if door is None:
        raise NotImplementedHere("No other host can join a cloud that runs without root.")
    try:
        authority = await door.open()
    except OSError as error:
        where = f"{door.address}:{door.port}"
        raise Conflict(
            f"The cloud cannot listen for hosts on {where} ({error.strerror or error}): set agents_port in tane.toml."
        ) from None

    def write() -> tuple[Row[Any], str]:
        with core.db.write() as tx:
            known = store.by_name(tx, name) if name and roles is None else None
            allowed = roles or (USUAL_ROLES if known is None else known.roles)
            token_id, secret = joining.new_token(tx, sorted({*allowed}), name, hours)
            row = store.token(tx, token_id)
            assert row is not None
        pin = certificates.pin(authority.certificate)
        return row, JoinToken(door.join_host, door.port, token_id, secret, pin).text()

    return await core.in_thread(write)


def delete(core: Core, token_id: str) -> None:
    """:raises NotFound:"""
    with core.db.write() as tx:
        if not store.remove_token(tx, token_id):
            raise NotFound(f"Token {token_id} could not be found.")
