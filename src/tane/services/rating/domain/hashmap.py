"""Services, fields and groups of prices, mappings and thresholds: what an administrator writes down of them.

A rule is never overwritten: what is changed or deleted ends at that moment, and a new row begins, so that every second
keeps the price that was valid in it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.rating.domain import money, months
from tane.services.rating.domain.errors import no_such
from tane.services.rating.store import rules as store
from tane.services.rating.tables import rating_rule
from tane.web.context import Context
from tane.web.errors import ApiError, BadRequest, Conflict, NotFound

MOST: dict[str, int] = {"service": 1000, "field": 5000, "group": 1000, "rule": 20_000}
"""How many there may be: each report reads them."""
LISTED = 10_000
MAPPING, THRESHOLD = "mapping", "threshold"
TYPES = ("flat", "rate")
rule = rating_rule.c


@dataclass(frozen=True)
class Filters:
    """Of a list of mappings or thresholds. ``tenant_id`` counts when ``by_tenant``."""

    service_id: str | None = None
    field_id: str | None = None
    group_id: str | None = None
    no_group: bool = False
    tenant_id: str | None = None
    by_tenant: bool = False
    deleted: bool = False
    active: bool = False


# ------------------------------------------------------------------------------------------- services, fields, groups


def get(core: Core, kind: str, one: str) -> Any:
    """A service, field or group. :raises NotFound:"""
    with core.db.read() as tx:
        return _got(tx, kind, one)


def _got(tx: Tx, kind: str, one: str) -> Any:
    row = store.get(tx, kind, one)
    if row is None:
        raise no_such(kind, one)
    return row


def every(core: Core, kind: str, service_id: str | None = None) -> list[Any]:
    """All of them, in the order of their names; of fields those of a service."""
    with core.db.read() as tx:
        return store.every(tx, kind, LISTED, service_id)


def add(core: Core, kind: str, name: str, service_id: str | None = None) -> Any:
    """:raises Conflict: there is one of that name. :raises BadRequest: there is no such service, or too many."""
    with core.db.write() as tx:
        if service_id is not None and store.get(tx, "service", service_id) is None:
            raise _bad(no_such("service", service_id))
        there = store.named(tx, kind, name, service_id)
        if there is not None:
            raise Conflict(f"{kind.title()} {name} already exists (UUID: {there.id})")
        _refuse_more(tx, kind)
        one = str(uuid.uuid4())
        store.add(tx, kind, id=one, name=name, **({} if service_id is None else {"service_id": service_id}))
        return _got(tx, kind, one)


def _refuse_more(tx: Tx, kind: str) -> None:
    if store.number(tx, kind) >= MOST[kind]:
        raise BadRequest(f"There are {MOST[kind]} {kind}s, which is the most")


def remove(core: Core, ctx: Context, kind: str, one: str, *, recursive: bool = True) -> None:
    """With what is under it: its fields, mappings and thresholds end now. Those of a group lose it unless
    ``recursive``. :raises NotFound:"""
    with core.db.write() as tx:
        _got(tx, kind, one)
        if kind == "service":
            for field in store.every(tx, "field", LISTED, one):
                _remove(tx, ctx, "field", field.id)
        _remove(tx, ctx, kind, one, recursive=recursive)


def _remove(tx: Tx, ctx: Context, kind: str, one: str, *, recursive: bool = True) -> None:
    for row in store.under(tx, f"{kind}_id", one):
        if recursive:
            _end(tx, ctx, row)
        else:
            _replace(tx, ctx, row, {"group_id": None, "group_name": None})
    store.remove(tx, kind, one)


# ------------------------------------------------------------------------------------------ mappings and thresholds


def find(core: Core, kind: str, filters: Filters) -> list[Any]:
    wanted = [rule.kind == kind]
    given = (("service_id", filters.service_id), ("field_id", filters.field_id), ("group_id", filters.group_id))
    wanted += [rating_rule.c[name] == value for name, value in given if value]
    if filters.no_group:
        wanted.append(rule.group_id.is_(None))
    if filters.by_tenant:
        wanted.append(rule.tenant_id.is_(None) if not filters.tenant_id else rule.tenant_id == filters.tenant_id)
    wanted.append((rule.current | rule.deleted_at.is_not(None)) if filters.deleted else rule.current)
    with core.db.read() as tx:
        if filters.active:
            wanted += [rule.begins <= tx.now, rule.ends.is_(None) | (rule.ends > tx.now)]
        return store.find(tx, wanted, LISTED)


def one(core: Core, kind: str, rule_id: str) -> Any:
    """:raises NotFound:"""
    with core.db.read() as tx:
        return _rule(tx, kind, rule_id)


def _rule(tx: Tx, kind: str, rule_id: str) -> Any:
    row = store.current(tx, kind, rule_id)
    if row is None:
        raise NotFound(f"No such {kind}: {rule_id}")
    return row


def group_of(core: Core, kind: str, rule_id: str) -> Any:
    """:raises NotFound: there is no such mapping or threshold, or it has no group."""
    with core.db.read() as tx:
        row = _rule(tx, kind, rule_id)
        if row.group_id is None:
            raise NotFound(f"The {kind} has no group: {rule_id}")
        return _got(tx, "group", row.group_id)


def exact(field: str, value: Decimal | str, most: int = 12) -> str:
    """A decimal as it is kept. :raises BadRequest: it is no number, too great, or has more than 28 digits behind the
    point."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise BadRequest(
            f"Invalid input for field/attribute {field}. Value: '{value}'. unable to convert to decimal"
        ) from None
    if not number.is_finite() or abs(number) >= Decimal(10) ** most:
        raise BadRequest(f"Invalid input for field/attribute {field}. Value: '{value}'. it is too great")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -28:
        raise BadRequest(f"Invalid input for field/attribute {field}. Value: '{value}'. 28 digits behind the point")
    return money.plain(number) if number else "0"


def create(core: Core, ctx: Context, kind: str, given: Mapping[str, Any], *, force: bool = False) -> Any:
    """A mapping or threshold. ``given``: its fields as the API names them; ``force``: it may begin in the past.

    :raises BadRequest: its parent, value or times do not fit. :raises Conflict: there is one for the same at that time.
    """
    with core.db.write() as tx:
        now = tx.now.replace(microsecond=0)
        start, end = given.get("start") or now, given.get("end")
        _refuse_times(given.get("start"), start, end, now, force=force)
        values = {**_parent(tx, given), **_what(tx, kind, given)}
        values |= {"name": given.get("name") or uuid.uuid4().hex, "description": given.get("description")}
        _refuse_same(tx, kind, values, start, end)
        _refuse_more(tx, "rule")
        rule_id = str(uuid.uuid4())
        known = {"created_at": tx.now, "known_at": tx.now, "created_by": ctx.user_id or None}
        times = {"start": start, "end": end, "begins": start, "ends": end}
        store.write(tx, id=rule_id, kind=kind, current=True, **values, **known, **times)
        return _rule(tx, kind, rule_id)


def _refuse_times(given: datetime | None, start: datetime, end: datetime | None, now: datetime, *, force: bool) -> None:
    if not force and given is not None and given < now:
        raise BadRequest(
            f"Cannot create a rule with start in the past. start=[{months.shown(given)}] current "
            f"time=[{months.shown(now)}]."
        )
    if end is not None and end < start:
        raise BadRequest(
            f"Cannot create a rule with start after end. start=[{months.shown(start)}] end=[{months.shown(end)}]."
        )


def _parent(tx: Tx, given: Mapping[str, Any]) -> dict[str, Any]:
    service_id, field_id = given.get("service_id"), given.get("field_id")
    if service_id and field_id:
        raise BadRequest("You can only specify one parent.")
    if not service_id and not field_id:
        raise BadRequest("You must specify one parent.")
    try:
        field = _got(tx, "field", field_id) if field_id else None
        service = _got(tx, "service", field.service_id if field is not None else str(service_id))
    except NotFound as error:
        raise _bad(error) from error
    names = {"service_name": service.name, "field_name": None if field is None else field.name}
    return {"service_id": service_id or None, "field_id": field_id or None, **names}


def _what(tx: Tx, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What it counts for, and what it costs."""
    value, level = given.get("value") or None, given.get("level")
    if kind == MAPPING:
        if value and given.get("service_id"):
            raise BadRequest("You can't specify a value and a service_id.")
        if not value and given.get("field_id"):
            raise BadRequest("You must specify a value for a field mapping.")
    group_id = given.get("group_id") or None
    group = None
    if group_id is not None:
        group = store.get(tx, "group", group_id)
        if group is None:
            raise _bad(no_such("group", group_id))
    return {
        "type": given.get("type") or "flat",
        "cost": exact("cost", given["cost"]),
        "value": value if kind == MAPPING else None,
        "level": exact("level", level) if kind == THRESHOLD and level is not None else None,
        "group_id": group_id,
        "group_name": None if group is None else group.name,
        "tenant_id": given.get("tenant_id") or None,
    }


def _bad(error: ApiError) -> BadRequest:
    """What a body names and is not there is the body's fault."""
    return BadRequest(error.message)


SAME = ("service_id", "field_id", "group_id", "tenant_id", "value", "level")


def _refuse_same(tx: Tx, kind: str, values: Mapping[str, Any], start: datetime, end: datetime | None) -> None:
    same = {"kind": kind, **{name: values[name] for name in SAME}}
    if store.overlapping(tx, same, start, end) is None:
        return
    parent = ("field", values["field_id"]) if values["field_id"] else ("service", values["service_id"])
    what = values["value"] if kind == MAPPING else values["level"]
    raise Conflict(
        f"{kind.title()} '{what}' already exists for {parent[0]} '{parent[1]}', tenant: '{values['tenant_id']}'"
    )


def update_mapping(core: Core, ctx: Context, rule_id: str, given: Mapping[str, Any]) -> None:
    """One that has begun can only be given an end; one that has not can be changed.

    :raises NotFound: :raises BadRequest: it is in force, or the times do not fit. :raises Conflict:
    """
    with core.db.write() as tx:
        row, now = _rule(tx, MAPPING, rule_id), tx.now.replace(microsecond=0)
        end, by = given.get("end"), {"updated_by": ctx.user_id or None}
        if row.start <= now:
            _refuse_change(row, given, now)
            store.change(tx, row.number, end=end, ends=end, **by)
            return
        start = given.get("start") or row.start
        _refuse_times(start, start, end, now, force=False)
        cost = exact("cost", given["cost"])
        store.change(tx, row.number, current=False)
        _refuse_same(tx, MAPPING, row._mapping, start, end)
        times = {"start": start, "end": end, "begins": start, "ends": end}
        described = given.get("description") if given.get("description") is not None else row.description
        store.change(tx, row.number, current=True, cost=cost, description=described, **times, **by)


def _refuse_change(row: Any, given: Mapping[str, Any], now: datetime) -> None:
    if row.end is not None:
        raise BadRequest("Cannot update a rule that was already processed and has a defined end date.")
    shown = {**row._mapping, "cost": row.cost}
    asked = {**given, "cost": exact("cost", given["cost"])}
    names = ("cost", "type", "value", "service_id", "field_id", "group_id", "tenant_id", "start", "name", "description")
    if any(asked.get(name) and asked[name] != shown[name] for name in names):
        raise BadRequest(
            "You are allowed to update only the attribute [end] as this rule is already running as it started on "
            f"[{months.shown(row.start)}]"
        )
    end = given.get("end")
    if end is not None and end < now:
        raise BadRequest(
            f"End date must be in the future. end=[{months.shown(end)}] current time=[{months.shown(now)}]"
        )


def update_threshold(core: Core, ctx: Context, rule_id: str, given: Mapping[str, Any]) -> None:
    """:raises NotFound: :raises BadRequest: :raises Conflict:"""
    with core.db.write() as tx:
        row = _rule(tx, THRESHOLD, rule_id)
        kept = {name: row._mapping[name] for name in ("service_id", "field_id", "level", "type")}
        changed = {**kept, **{name: value for name, value in given.items() if value is not None}}
        values = _what(tx, THRESHOLD, {**changed, "service_id": row.service_id, "field_id": row.field_id})
        _end(tx, ctx, row, deleted=False)
        _refuse_same(tx, THRESHOLD, {**row._mapping, **values}, tx.now, None)
        _write_again(tx, ctx, row, values)


def delete(core: Core, ctx: Context, kind: str, rule_id: str, *, force: bool = False) -> None:
    """It costs nothing from now on; with ``force`` it never did, but on bills of months that are closed.

    :raises NotFound:
    """
    with core.db.write() as tx:
        _end(tx, ctx, _rule(tx, kind, rule_id))
        if force:
            store.void(tx, rule_id)


def _end(tx: Tx, ctx: Context, row: Any, *, deleted: bool = True) -> None:
    now = tx.now.replace(microsecond=0)
    ends = max(row.begins, now if row.ends is None else min(row.ends, now))
    said = {"deleted_at": tx.now, "deleted_by": ctx.user_id or None} if deleted else {}
    store.change(tx, row.number, current=False, ends=ends, **said)


def _replace(tx: Tx, ctx: Context, row: Any, changed: Mapping[str, Any]) -> None:
    _end(tx, ctx, row, deleted=False)
    _write_again(tx, ctx, row, changed)


def _write_again(tx: Tx, ctx: Context, row: Any, changed: Mapping[str, Any]) -> None:
    """The same from now on, with these changes."""
    now = tx.now.replace(microsecond=0)
    kept = {name: value for name, value in row._mapping.items() if name != "number"}
    said = {"known_at": tx.now, "current": True, "updated_by": ctx.user_id or None}
    store.write(tx, **{**kept, **changed, "begins": max(row.begins, now), "ends": row.end, **said})
