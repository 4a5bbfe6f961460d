"""The doctor's checks of objects, and what ``tane object`` shows: by the rows alone, the cloud need not run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import make_url

from tane.config import Config
from tane.db import Database, Tx
from tane.finding import Finding
from tane.hosts import store as hosts
from tane.services.object.store import copies as store
from tane.services.object.store.database import APART
from tane.services.object.tables import blob_check


@dataclass
class OnHost:
    """Copies by their state, and the bytes of the good ones. ``name``: the host's, or its id when it is gone."""

    name: str
    up: bool
    enabled: bool
    copies: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    good_bytes: int = 0


def opened(config: Config) -> Iterator[Database]:
    """The database of objects, when there is one of this release's schema."""
    file = make_url(config.database).database
    if not config.database_url and (file is None or not Path(file).with_name(f"{APART.name}.db").exists()):
        return
    database = Database(config.database, readers=1, apart=APART.name)
    try:
        with database.read() as tx:
            there = inspect(tx.connection).has_table(blob_check.name)
        if there:
            yield database
    finally:
        database.close()


def by_host(control: Tx, objects: Tx) -> list[OnHost]:
    """The hosts that keep objects, or should."""
    known = {row.id: row for row in hosts.all_hosts(control)}
    found = {
        row.id: OnHost(row.name, hosts.is_up(control, row), row.enabled)
        for row in known.values()
        if "object" in row.roles
    }
    for host_id, state, count, size in store.counts(objects):
        name = "(no host yet)" if host_id == "none" else host_id
        host = found.setdefault(host_id, OnHost(name, up=False, enabled=False))
        host.copies[state] += count
        host.good_bytes += size if state in store.READABLE else 0
    return list(found.values())


def copies(control: Tx, objects: Tx) -> Iterator[Finding]:
    """Copies on hosts that are missing or have rotted, and what no host has any more."""
    if lost := store.unreadable(objects):
        yield Finding(
            "problem",
            f"Of {lost} objects' bytes no host has a good copy.",
            "They cannot be read.",
            "bring back the hosts that have them: ./tane object status",
        )
    found = by_host(control, objects)
    open_ = {state: sum(host.copies.get(state, 0) for host in found) for state in ("missing", "bad")}
    if any(open_.values()):
        yield Finding(
            "warning",
            f"{open_['missing']} copies of objects are missing, {open_['bad']} have rotted.",
            "They are made anew while their hosts answer; until then fewer hosts may be lost.",
            "./tane object status, which names the hosts; ./tane object repair waits until all are there",
        )
