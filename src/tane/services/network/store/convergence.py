"""SQL of what each host should hold: revisions, who is concerned by what, and the changes of the last minutes.

A resource is written as one text: ``network:ID`` and ``router:ID`` (it is on the host), ``dhcp:ID`` (the network has
ports there), ``group:ID`` (its rules are there), ``members:ID`` (the addresses of the group's ports are there),
``host:ID`` (the host itself).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts.tables import host as cloud_host
from tane.services.network.store.rows import MANY
from tane.services.network.tables import network_change, network_host, network_interest, network_revision

NOTHING = -1
"""The revision of a host that has reported nothing yet."""


def network(network_id: str) -> str:
    return f"network:{network_id}"


def dhcp(network_id: str) -> str:
    return f"dhcp:{network_id}"


def router(router_id: str) -> str:
    return f"router:{router_id}"


def group(group_id: str) -> str:
    return f"group:{group_id}"


def members(group_id: str) -> str:
    return f"members:{group_id}"


def host(host_id: str) -> str:
    return f"host:{host_id}"


# ----------------------------------------------------------------------------------------------------------- changes

_COUNT_UP = update(network_revision).values(number=network_revision.c.number + 1)
_NUMBER = select(network_revision.c.number, network_revision.c.forgotten)
_WANT = (
    update(network_host).values(wanted=bindparam("to_revision")).where(network_host.c.wanted < bindparam("to_revision"))
)


def number(tx: Tx) -> tuple[int, int]:
    """The cloud's revision, and the one up to which changes are forgotten."""
    row = tx.first(_NUMBER)
    return (0, 0) if row is None else (row.number, row.forgotten)


def count_up(tx: Tx) -> int:
    if not tx.count(_COUNT_UP):
        tx.insert(network_revision, id=1, number=1, forgotten=0)
    return number(tx)[0]


def note(tx: Tx, changes: Sequence[Mapping[str, Any]]) -> None:
    """Keep changes: rows of ``network_change``."""
    tx.execute(insert(network_change), list(changes))


def want(tx: Tx, revision: int, host_ids: Collection[str], resources: Collection[str]) -> None:
    """``revision`` concerns these hosts and those that hold one of ``resources``."""
    listed = sorted(resources)
    for start in range(0, max(len(listed), 1), MANY):
        holding = select(network_interest.c.host_id).where(
            network_interest.c.resource.in_(listed[start : start + MANY])
        )
        concerned = or_(network_host.c.host_id.in_(host_ids), network_host.c.host_id.in_(holding))
        tx.execute(_WANT.where(concerned), {"to_revision": revision})


def holders(tx: Tx, resources: Collection[str]) -> set[str]:
    """Ids of the hosts that hold one of ``resources``."""
    found: set[str] = set()
    listed = sorted(resources)
    for start in range(0, len(listed), MANY):
        some = network_interest.c.resource.in_(listed[start : start + MANY])
        found.update(row.host_id for row in tx.all(select(network_interest.c.host_id).where(some).distinct()))
    return found


def since(tx: Tx, revision: int) -> list[Row[Any]]:
    """The changes after ``revision``, oldest first."""
    return tx.all(select(network_change).where(network_change.c.revision > revision).order_by(network_change.c.id))


def forget(tx: Tx, revision: int) -> None:
    """Keep no change up to ``revision`` any longer."""
    if tx.count(delete(network_change).where(network_change.c.revision <= revision)):
        behind = network_revision.c.forgotten < revision
        tx.execute(update(network_revision).where(behind).values(forgotten=revision))


# ------------------------------------------------------------------------------------------------------------- hosts


def hosts(tx: Tx) -> list[Row[Any]]:
    """(host_id, wanted, revision) of every host."""
    return tx.all(select(network_host.c.host_id, network_host.c.wanted, network_host.c.revision))


def enter(tx: Tx, host_id: str) -> None:
    """The host's row, when it is not there; none for a host that was removed."""
    there = tx.first(select(network_host.c.host_id).where(network_host.c.host_id == host_id))
    if there is None and tx.first(select(cloud_host.c.id).where(cloud_host.c.id == host_id)) is not None:
        values = {"wanted": number(tx)[0], "revision": NOTHING, "summary": "", "applied_at": None}
        tx.insert(network_host, host_id=host_id, **values)


def leave(tx: Tx, host_id: str) -> None:
    """Forget what a host that was removed was to hold."""
    tx.execute(delete(network_interest).where(network_interest.c.host_id == host_id))
    tx.execute(delete(network_host).where(network_host.c.host_id == host_id))


def wanted(tx: Tx, host_id: str) -> tuple[int, int]:
    """The host's wanted revision and the one it last reported."""
    columns = (network_host.c.wanted, network_host.c.revision)
    row = tx.first(select(*columns).where(network_host.c.host_id == host_id))
    return (0, 0) if row is None else (row.wanted, row.revision)


_APPLIED = (
    update(network_host)
    .where(network_host.c.host_id == bindparam("of_host"))
    .values(revision=bindparam("to_revision"), summary=bindparam("with_summary"), applied_at=bindparam("at"))
)


def applied(tx: Tx, reports: Iterable[tuple[str, int, str]]) -> None:
    """What hosts hold now: (host id, revision, summary)."""
    values = [
        {"of_host": host_id, "to_revision": revision, "with_summary": summary, "at": tx.now}
        for host_id, revision, summary in reports
    ]
    if values:
        tx.execute(_APPLIED, values)


# --------------------------------------------------------------------------------------------------------- interests


def interests(tx: Tx, host_id: str) -> set[str]:
    found = tx.all(select(network_interest.c.resource).where(network_interest.c.host_id == host_id))
    return {row.resource for row in found}


def add_interests(tx: Tx, host_id: str, resources: Iterable[str]) -> None:
    rows = [{"host_id": host_id, "resource": resource} for resource in sorted(resources)]
    # A host that was removed meanwhile speaks for nothing any more.
    if rows and tx.first(select(network_host.c.host_id).where(network_host.c.host_id == host_id)) is not None:
        tx.execute(insert(network_interest), rows)


def drop_interests(tx: Tx, host_id: str, resources: Collection[str]) -> None:
    listed = sorted(resources)
    for start in range(0, len(listed), MANY):
        some = network_interest.c.resource.in_(listed[start : start + MANY])
        tx.execute(delete(network_interest).where(network_interest.c.host_id == host_id, some))


def first_holders(tx: Tx, resources: Collection[str]) -> dict[str, str]:
    """Resource → the host that speaks for it: the first, by id, of those that hold it."""
    found: dict[str, str] = {}
    listed = sorted(resources)
    table = network_interest
    for start in range(0, len(listed), MANY):
        some = table.c.resource.in_(listed[start : start + MANY])
        statement = select(table.c.resource, func.min(table.c.host_id).label("host_id")).where(some)
        found.update((row.resource, row.host_id) for row in tx.all(statement.group_by(table.c.resource)))
    return found
