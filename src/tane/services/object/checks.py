"""The doctor's checks of objects, and what ``tane object`` shows: by the rows alone, the cloud need not run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import inspect

from tane.config import Config
from tane.db import Database, Tx
from tane.finding import Finding
from tane.hosts import store as hosts
from tane.services.object.domain.repair import SCRUB
from tane.services.object.store import copies as store
from tane.services.object.store import stamps
from tane.services.object.store.database import APART
from tane.services.object.tables import mark

OVERDUE_DAYS, DAY = 30, 24 * 3600
GONE = "gone"


@dataclass
class OnHost:
    """Copies by their state, and the bytes of the good ones. ``name``: the host's, or its id when it is gone. ``out``:
    it is called dead, cut off, or gone: whatever it had, its copies are :data:`GONE`, and others have to be made."""

    name: str
    up: bool
    enabled: bool
    out: bool = False
    copies: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    good_bytes: int = 0


def opened(config: Config) -> Iterator[Database]:
    """The database of objects, when there is one of this release's schema."""
    if not APART.may_exist(config):
        return
    database = Database(config.database, readers=1, apart=APART.name)
    try:
        with database.read() as tx:
            there = inspect(tx.connection).has_table(mark.name)
        if there:
            yield database
    finally:
        database.close()


def without_rows(config: Config) -> Iterator[Finding]:
    """Files of objects in the state folder, and no rows that know them."""
    left = APART.left(config)
    if left is None:
        return
    if APART.may_exist(config):
        database = Database(config.database, readers=1, apart=APART.name)
        try:
            if APART.begun(database):
                return
        finally:
            database.close()
    yield Finding(
        "problem",
        f"The rows of object storage are gone, and {left} holds what belongs to them.",
        "Nobody reaches an object, and none is taken: files that no row knows would be deleted.",
        "./tane restore --replace from a backup that has them; "
        f"or ./tane down, move {left} away, and object storage begins anew",
    )


def by_host(control: Tx, objects: Tx) -> list[OnHost]:
    """The hosts that keep objects, or should."""
    known, out = {row.id: row for row in hosts.all_hosts(control)}, hosts.out(control)
    found = {
        row.id: OnHost(row.name, hosts.is_up(control, row), row.enabled, row.id in out)
        for row in known.values()
        if "object" in row.roles
    }
    for host_id, state, count, size in store.counts(objects):
        name = "(no host yet)" if host_id == "none" else host_id
        gone = host_id in out or (host_id != "none" and host_id not in known)
        host = found.setdefault(host_id, OnHost(name, up=False, enabled=False, out=gone))
        host.copies[GONE if host.out else state] += count
        host.good_bytes += size if state in store.READABLE and not host.out else 0
    return list(found.values())


def _scrub(objects: Tx) -> Iterator[Finding]:
    """Every copy is to be verified now and then: rot that nobody finds cannot be mended when a second copy rots."""
    since = store.marked(objects, SCRUB)
    begun = store.oldest(objects) if since is None else since
    if begun is None or stamps.of(objects.now) - begun < OVERDUE_DAYS * DAY * stamps.SECOND:
        return
    told = "never" if since is None else f"not since {stamps.moment(since):%Y-%m-%d}"
    yield Finding(
        "warning",
        f"The copies of objects on hosts were all verified {told}.",
        f"Some are verified every 15 seconds while the cloud runs; a round should take less than {OVERDUE_DAYS} days.",
        "let the cloud and its hosts run; ./tane object scrub has all of them verified now",
    )


def copies(control: Tx, objects: Tx) -> Iterator[Finding]:
    """Copies on hosts that are missing or have rotted, and what no host has any more."""
    found = by_host(control, objects)
    removed = store.hosts(objects) - {row.id for row in hosts.all_hosts(control)} - {"none"}
    if lost := store.unreadable(objects, hosts.out(control) | removed):
        yield Finding(
            "problem",
            f"Of {lost} objects' bytes no host has a good copy.",
            "They cannot be read.",
            "bring back the hosts that have them: ./tane object status",
        )
    yield from _scrub(objects)
    if out := [host for host in found if host.copies.get(GONE)]:
        yield Finding(
            "warning",
            f"{sum(host.copies[GONE] for host in out)} copies of objects are on hosts that are cut off, dead or "
            f"removed: {', '.join(host.name for host in out)}.",
            "They do not count. Others are made on other hosts, as far as there are three.",
            "./tane object repair, which says what it waits for",
        )
    open_ = {state: sum(host.copies.get(state, 0) for host in found) for state in ("missing", "bad")}
    if any(open_.values()):
        yield Finding(
            "warning",
            f"{open_['missing']} copies of objects are missing, {open_['bad']} have rotted.",
            "They are made anew while their hosts answer; until then fewer hosts may be lost.",
            "./tane object status, which names the hosts; ./tane object repair waits until all are there",
        )
