"""What was used, as the events tell it: each changes what is used from its moment on, in their order, once.

An event is written by the database in the transaction of the change (decision 12), so that no change is missed. Events
are read and compared outside of any transaction that writes; the facts of a batch are written together with the number
of its last event: whatever dies in between, the next pass begins where the last one ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.db.recording import Source
from tane.services.event import interface as events
from tane.services.object import interface as objects
from tane.services.rating.domain.kinds import BY_EVENT, BY_SERVICE, FLAVOR, NAMED, OBJECTS, VOLUME_TYPE, Kind, Use
from tane.services.rating.store import facts as store

FACTS, AT_ONCE = "facts", 500
TOLD_OF = (*BY_EVENT, *NAMED)
"""Types of the events that change what is used, or its name."""
SHORT = 60
"""Seconds: what lasted less is kept together with its like of the same hour."""
Like = tuple[Any, ...]
Key = tuple[str, str]
"""Service and resource."""
ACCOUNT = "AUTH_"
AT_A_TIME = 2000
"""Facts that are written in one transaction, but for those of one batch of events."""


@dataclass(frozen=True)
class Seen:
    """A resource as it is from ``at`` on; ``data`` None: it is gone."""

    kind: Kind
    resource_id: str
    project_id: str
    at: datetime
    data: Mapping[str, Any] | None


@dataclass
class _Open:
    """A fact of the database (``number``), or of this batch."""

    project_id: str
    name: str
    amount: int
    description: Mapping[str, str]
    begun_at: datetime
    number: int | None = None
    seconds: int | None = None
    ended_at: datetime | None = None

    def same(self, project_id: str, use: Use) -> bool:
        return (self.project_id, self.amount, self.description) == (project_id, use.amount, use.description)


@dataclass
class Changes:
    """What a batch comes to: facts that end, that are renamed, that are new, that are kept together with others.

    ``short``: those of the last hours that lasted less than a minute, by what they are like.
    """

    open: dict[tuple[str, str], _Open]
    names: dict[tuple[str, str], str]
    ended: dict[datetime, list[int]] = field(default_factory=dict)
    renamed: dict[int, str] = field(default_factory=dict)
    closed: list[tuple[tuple[str, str], _Open]] = field(default_factory=list)
    short: dict[Like, _Open] = field(default_factory=dict)
    lengthened: dict[int, _Open] = field(default_factory=dict)
    dropped: list[int] = field(default_factory=list)
    new_names: dict[tuple[str, str], str] = field(default_factory=dict)

    def see(self, seen: Seen) -> None:
        key, at = (seen.kind.service, seen.resource_id), seen.at.replace(microsecond=0)
        before = self.open.get(key)
        use = None if seen.data is None else seen.kind.used(seen.data, self.names, before is not None)
        name = str((seen.data or {}).get("name") or "")
        if before is not None and use is not None and before.same(seen.project_id, use):
            if before.name == name:
                return
            # On the bill of a month that is over it has the name of then; within one it may have many.
            if (before.begun_at.year, before.begun_at.month) == (at.year, at.month):
                before.name = name
                if before.number is not None:
                    self.renamed[before.number] = name
                return
        if before is not None:
            del self.open[key]
            self._end(key, before, max(at, before.begun_at))
        if use is not None:
            self.open[key] = _Open(seen.project_id, name, use.amount, use.description, at)

    def _end(self, key: tuple[str, str], one: _Open, at: datetime) -> None:
        seconds = int((at - one.begun_at).total_seconds())
        like = _like(key, one)
        if 0 < seconds < SHORT and _hour(one.begun_at) == _hour(at):
            alike = self.short.get(like)
            if alike is not None:
                self._lengthen(alike, seconds, at, one.name)
                if one.number is not None:
                    self.dropped.append(one.number)
                return
            one.seconds, one.ended_at = seconds, at
            self.short[like] = one
            if one.number is not None:
                self.lengthened[one.number] = one
                return
        if one.number is not None:
            self.ended.setdefault(at, []).append(one.number)
        elif seconds:
            one.ended_at = at
            self.closed.append((key, one))

    def _lengthen(self, one: _Open, seconds: int, at: datetime, name: str) -> None:
        one.seconds, one.ended_at, one.name = (one.seconds or 0) + seconds, at, name
        if one.number is not None:
            self.lengthened[one.number] = one

    def call(self, kind: str, one: str, name: str) -> None:
        """A flavor or a type of volumes has that name now."""
        self.new_names[kind, one] = self.names[kind, one] = name

    def write(self, tx: Tx) -> int:
        """Returns how many facts are new."""
        for at, numbers in self.ended.items():
            store.end(tx, numbers, at)
        store.drop(tx, self.dropped)
        for number, name in self.renamed.items():
            store.change(tx, number, name=name)
        for number, short in self.lengthened.items():
            store.change(tx, number, name=short.name, seconds=short.seconds, ended_at=short.ended_at)
        rows = [_row(key, one) for key, one in self.closed]
        rows += [_row(key, one) for key, one in self.open.items() if one.number is None]
        store.add(tx, rows)
        store.add_scopes(tx, {row["project_id"] for row in rows}, tx.now)
        store.set_names(tx, self.new_names)
        return len(rows)


def _row(key: tuple[str, str], one: _Open) -> dict[str, Any]:
    kept = {"project_id": one.project_id, "name": one.name, "amount": one.amount, "description": dict(one.description)}
    times = {"begun_at": one.begun_at, "ended_at": one.ended_at, "seconds": one.seconds}
    return {"service": key[0], "resource_id": key[1], **kept, **times}


def _like(key: tuple[str, str], one: _Open) -> Like:
    described = tuple(sorted(one.description.items()))
    return (*key, _hour(one.begun_at), one.project_id, one.amount, described)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def follow(core: Core) -> int:
    """Write the facts of all events until now; returns how many facts are new."""
    written = 0
    while True:
        with core.db.read() as tx:
            here = store.position(tx, FACTS)
            assert here is not None
            rows, reached = events.next_of(tx, here.position, AT_ONCE, TOLD_OF)
            missed = here.stock or events.oldest(tx) > here.position + 1
            changes = None if missed else _of_events(core, tx, rows) if rows else Changes({}, {})
        if changes is None:
            written += take_stock(core)
            continue
        if reached == here.position:
            return written
        with core.db.write() as tx:
            if not store.move(tx, FACTS, here.position, reached):
                return written
            written += changes.write(tx)


def _of_events(core: Core, tx: Tx, rows: Sequence[Any]) -> Changes:
    told = [row for row in rows if row.type in BY_EVENT]
    keys = [(BY_EVENT[row.type].service, row.resource_id) for row in told]
    changes = _changes(tx, keys, told[0].at if told else tx.now, store.names(tx))
    _call_unknown(core, tx, changes, told)
    for row in rows:
        if row.type in NAMED:
            # What is deleted may still be used, and is called as it was.
            if row.action != "delete":
                changes.call(row.type, row.resource_id, row.data["name"])
        elif row.type in BY_EVENT and row.project_id:
            data = None if row.action == "delete" else row.data
            changes.see(Seen(BY_EVENT[row.type], row.resource_id, row.project_id, row.at, data))
    return changes


NAMED_BY = {"flavor_id": FLAVOR, "volume_type_id": VOLUME_TYPE}


def _call_unknown(core: Core, tx: Tx, changes: Changes, told: Sequence[Any]) -> None:
    """Names that no event has told: of what was there before there were any."""
    wanted: dict[str, set[str]] = {}
    for row in told:
        for column, kind in NAMED_BY.items():
            one = row.data.get(column)
            if one is not None and (kind, one) not in changes.names:
                wanted.setdefault(kind, set()).add(one)
    for kind, ids in wanted.items():
        for row in store.of_ids(tx, sources(core)[kind], ids):
            changes.call(kind, row.id, row.name)


def sources(core: Core) -> dict[str, Source]:
    """Type of events → what declares them."""
    return {one.type: one for service in core.services for one in service.events if isinstance(one, Source)}


def _changes(tx: Tx, keys: Sequence[Key], since: datetime, names: dict[tuple[str, str], str]) -> Changes:
    """None yet, of these resources; the first will be at ``since``."""
    there = {(row.service, row.resource_id): _fact(row) for row in store.open_of(tx, keys)}
    short = [((row.service, row.resource_id), _fact(row)) for row in store.short_of(tx, keys, _hour(since))]
    return Changes(there, names, short={_like(key, one): one for key, one in short})


def _fact(row: Any) -> _Open:
    kept = (row.project_id, row.name, row.amount, row.description, row.begun_at)
    return _Open(*kept, row.number, row.seconds, row.ended_at)


# ------------------------------------------------------------------------------------------------------------ stock


def take_stock(core: Core) -> int:
    """Begin with what is there now: where events of before were of an older release, or were forgotten before anybody
    had read them. What is used otherwise than it is written counts so from now on; returns how many facts are new."""
    declared = sources(core)
    with core.db.read() as tx:
        here = store.position(tx, FACTS)
        assert here is not None
        newest = events.newest(tx)
        names = {(kind, row.id): row.name for kind in NAMED for row in _stock(tx, declared[kind])}
        seen = [
            Seen(BY_EVENT[kind], row.id, row.project_id, tx.now, row._mapping)
            for kind in BY_EVENT
            for row in _stock(tx, declared[kind])
        ]
        there = {(one.kind.service, one.resource_id) for one in seen}
        gone = store.open_ids(tx, [kind.service for kind in BY_EVENT.values()]) - there
        seen += [Seen(BY_SERVICE[service], one, "", tx.now, None) for service, one in sorted(gone)]
        batches = [seen[begin : begin + AT_A_TIME] for begin in range(0, len(seen), AT_A_TIME)]
        changes = [_of_seen(tx, batch, names) for batch in batches]
    changes.append(Changes({}, names, new_names={**names}))
    written = 0
    for number, some in enumerate(changes):
        with core.db.write() as tx:
            if number == len(changes) - 1 and not store.move(tx, FACTS, here.position, newest):
                return written
            written += some.write(tx)
    return written


def _of_seen(tx: Tx, seen: Sequence[Seen], names: dict[tuple[str, str], str]) -> Changes:
    changes = _changes(tx, [(one.kind.service, one.resource_id) for one in seen], tx.now, names)
    for one in seen:
        changes.see(one)
    return changes


def _stock(tx: Tx, source: Source) -> Iterator[Any]:
    after = ""
    while rows := store.stock(tx, source, after, AT_A_TIME):
        yield from rows
        after = rows[-1].id


def count_objects(core: Core) -> int:
    """Write down how many bytes each account holds now: objects are too many to be told of one by one. Returns how many
    facts are new."""
    there = {row.name.removeprefix(ACCOUNT): int(row.bytes) for row in objects.measured(core)}
    with core.db.read() as tx:
        ids = {one for _, one in store.open_ids(tx, [OBJECTS])} | {one for one, size in there.items() if size}
        kind = BY_SERVICE[OBJECTS]
        seen = [Seen(kind, one, one, tx.now, {"bytes": there.get(one, 0), "name": one}) for one in sorted(ids)]
        changes = _of_seen(tx, seen, {})
    with core.db.write() as tx:
        return changes.write(tx)


def told_until(tx: Tx) -> tuple[datetime, bool]:
    """Up to when all that was used is written down, and whether that is now."""
    here = store.position(tx, FACTS)
    assert here is not None
    if not here.stock and events.newest(tx) <= here.position:
        return tx.now, True
    rows = events.after(tx, here.position, 1)
    return (rows[0].at if rows else tx.now), False


def kept_since(core: Core, tx: Tx) -> datetime:
    """Since when it is known what was used."""
    return tx.now - timedelta(days=31 * core.config.rating.kept_months)


def forget_old(core: Core) -> int:
    """Delete facts that ended before the months that are kept; returns how many."""
    forgotten = 0
    while True:
        with core.db.write() as tx:
            some = store.forget(tx, kept_since(core, tx), AT_A_TIME)
        forgotten += some
        if some < AT_A_TIME:
            return forgotten
