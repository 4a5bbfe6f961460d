"""Alarms: what is watched, what they say now, what is done then."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from tane import quota
from tane.core import Core
from tane.db import Tx
from tane.services.alarm.domain import actions, cron, happenings, rules
from tane.services.alarm.domain.errors import no_alarm
from tane.services.alarm.domain.turning import forget, record
from tane.services.alarm.store import alarms as store
from tane.services.alarm.tables import alarm, alarm_change
from tane.services.identity import interface as identity
from tane.services.metric import interface as metric
from tane.web.codec import iso_micro
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden, NotFound

FIRST, BY_HAND = "Not evaluated yet", "Manually set via API"
TOPIC = "alarm.evaluate"
SHOWN = (
    *("name", "description", "type", "enabled", "severity", "state", "state_reason", "ok_actions", "alarm_actions"),
    *("insufficient_data_actions", "repeat_actions", "time_constraints", "project_id", "user_id", "rule"),
)
FIELDS = (
    *("alarm_id", "name", "type", "enabled", "severity", "state", "state_reason", "state_timestamp", "timestamp"),
    *("user_id", "project_id", "repeat_actions", "description", "evaluate_timestamp"),
)
MOST_PAGE, MOST_PAGE_BYTES = 1000, 4 << 20
"""Of a page: alarms or changes, and characters of the changes' details; what comes after it is had by its marker."""
ACTIONS = ("ok_actions", "alarm_actions", "insufficient_data_actions")


def limits(core: Core) -> dict[str, int]:
    return {"alarms": core.config.alarm.project_alarm_quota}


def get(core: Core, ctx: Context, alarm_id: str) -> Any:
    with core.db.read() as tx:
        return found(tx, ctx, alarm_id)


def found(tx: Tx, ctx: Context, alarm_id: str) -> Any:
    row = store.get(tx, alarm_id)
    if row is None or not ctx.sees(row.project_id):
        raise no_alarm(alarm_id)
    return row


def create(core: Core, ctx: Context, body: Any) -> Any:
    project, user = _owner(ctx, "project", body.project_id), _owner(ctx, "user", body.user_id)
    values = _values(core, ctx, body, project)
    with core.db.write() as tx:
        most = quota.limits(tx, "alarm", project, limits(core))["alarms"]
        if quota.exceeded(most, store.count_of_project(tx, project), 1):
            raise Forbidden(f"Alarm quota exceeded for user {user} on project {project}")
        if body.type == rules.EVENT:
            happenings.begin(core, tx)
        alarm_id = str(uuid.uuid4())
        made = {"id": alarm_id, "project_id": project, "user_id": user, "state": body.state, "state_reason": FIRST}
        store.add(
            tx, **made, **values, timestamp=tx.now, state_timestamp=tx.now, delegation=_delegation(tx, ctx, values)
        )
        row = store.get(tx, alarm_id)
        record(tx, row, "creation", _told(row), ctx)
        tx.notify(TOPIC)
        return row


def _owner(ctx: Context, aspect: str, told: Any) -> str:
    own = ctx.project_id if aspect == "project" else ctx.user_id
    if told in (UNSET, None, "", own):
        return own
    if not ctx.is_admin:
        raise Forbidden(f"Not Authorized to access {aspect} {told}")
    return str(told)


def _values(core: Core, ctx: Context, body: Any, project: str) -> dict[str, Any]:
    told = {kind: getattr(body, f"{kind}_rule") for kind in (*rules.TYPES, *rules.NOT_BUILT)}
    if body.type in told and not told[body.type] and body.type != rules.EVENT:
        raise BadRequest(f"{body.type}_rule must be set for {body.type} type alarm")
    if body.type == rules.EVENT and told[body.type] is None:
        raise BadRequest("event_rule must be set for event type alarm")
    others = [kind for kind, rule in told.items() if rule and kind != body.type]
    if others:
        raise BadRequest(f"{others[0]}_rule and {body.type}_rule cannot be set at the same time")
    try:
        rule = rules.checked(body.type, told.get(body.type), metric.Owner(core, project, ctx.user_id))
    except NotFound as error:
        raise BadRequest(error.message) from None
    usual = (
        f"Alarm when {rule.get('event_type')} event occurred."
        if body.type == rules.EVENT
        else f"{body.type} alarm rule"
    )
    return {
        "name": body.name,
        "description": body.description or usual,
        "type": body.type,
        "rule": rule,
        "enabled": body.enabled,
        "severity": body.severity,
        "repeat_actions": body.repeat_actions,
        "time_constraints": _constraints(body.time_constraints or []),
        **{name: actions.checked(core, ctx, getattr(body, name)) for name in ACTIONS},
    }


def _constraints(told: Sequence[Any]) -> list[dict[str, Any]]:
    if len({one.name for one in told}) < len(told):
        raise BadRequest("Time constraint names must be unique for a given alarm.")
    kept = []
    for one in told:
        try:
            cron.parse(one.start)
            if one.timezone:
                cron.zone(one.timezone)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        description = one.description or f"Time constraint at {one.start} lasting for {one.duration} seconds"
        kept.append(
            {
                "name": one.name,
                "description": description,
                "start": one.start,
                "duration": one.duration,
                "timezone": one.timezone or "",
            }
        )
    return kept


def _delegation(tx: Tx, ctx: Context, values: Mapping[str, Any]) -> Any:
    if _trusts(values):
        return msgspec.to_builtins(identity.delegation(tx, ctx))
    return None


def _stands_behind(tx: Tx, ctx: Context, row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Who stands behind actions with a trust after a change: the owner who makes it. Another one who changes the alarm,
    as an administrator does, gives it no rights of his own: what stood behind it goes on to.

    :raises Forbidden: another one adds such an action, which the owner never stood behind.
    """
    if ctx.user_id == row.user_id and ctx.project_id == row.project_id:
        return {"delegation": _delegation(tx, ctx, values)}
    if not _trusts(values) <= _trusts({name: getattr(row, name) for name in ACTIONS}):
        raise Forbidden("Actions with a trust are written by the owner of the alarm only: they act with his rights.")
    return {} if _trusts(values) else {"delegation": None}


def _trusts(values: Mapping[str, Any]) -> set[str]:
    return {action for name in ACTIONS for action in values[name] if action.startswith(actions.TRUST)}


def update(core: Core, ctx: Context, alarm_id: str, body: Any) -> Any:
    with core.db.read() as tx:
        owner = found(tx, ctx, alarm_id).project_id
    values = _values(core, ctx, body, owner)
    with core.db.write() as tx:
        row = found(tx, ctx, alarm_id)
        changed = {**values, "timestamp": tx.now, **_stands_behind(tx, ctx, row, values)}
        if body.state != row.state:
            changed |= {"state": body.state, "state_reason": BY_HAND, "state_timestamp": tx.now}
        if body.type == rules.EVENT:
            happenings.begin(core, tx)
        store.change(tx, row.id, **changed)
        after = store.get(tx, row.id)
        assert after is not None
        before = _told(row)
        news = {name: value for name, value in _told(after).items() if value != before[name]}
        if news:
            record(tx, after, "rule change", news, ctx)
        tx.notify(TOPIC)
        return after


def delete(core: Core, ctx: Context, alarm_id: str) -> None:
    with core.db.write() as tx:
        store.remove(tx, found(tx, ctx, alarm_id).id)
        tx.after_commit(lambda: forget(core, alarm_id))


def set_state(core: Core, ctx: Context, alarm_id: str, state: str) -> str:
    with core.db.write() as tx:
        row = found(tx, ctx, alarm_id)
        store.change(tx, row.id, state=state, state_reason=BY_HAND, state_timestamp=tx.now)
        record(tx, row, "state transition", {"state": state, "state_reason": BY_HAND}, ctx)
    return state


def _told(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in SHOWN}


def listed(
    core: Core,
    ctx: Context,
    wanted: Mapping[str, Any],
    sorts: Sequence[tuple[str, bool]],
    marker: str | None,
    limit: int,
    *,
    everywhere: bool,
) -> list[Any]:
    columns = {name: alarm.c["id" if name == "alarm_id" else name] for name in FIELDS}
    with core.db.read() as tx:
        conditions: list[Any] = (
            [] if everywhere else [alarm.c.project_id == (wanted.get("project_id") or ctx.project_id)]
        )
        conditions += [columns[name] == value for name, value in wanted.items() if name != "project_id"]
        if everywhere and wanted.get("project_id"):
            conditions.append(alarm.c.project_id == wanted["project_id"])
        keys = [(name, up, up) for name, up in sorts if name != "alarm_id"]
        keys.append(("alarm_id", True, True))
        if marker is not None:
            after = found(tx, ctx, marker)
            conditions.append(metric.beyond(columns, keys, _Named(after)))
        return store.find(tx, conditions, metric.ordered(columns, keys), limit)


class _Named:
    """A row under the names of the API."""

    def __init__(self, row: Any) -> None:
        self.row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, "id" if name == "alarm_id" else name)


CHANGES = ("event_id", "alarm_id", "type", "detail", "user_id", "project_id", "on_behalf_of", "severity", "timestamp")


def changes(
    core: Core,
    ctx: Context,
    alarm_id: str | None,
    wanted: Sequence[Any],
    sorts: Sequence[tuple[str, bool]],
    marker: str | None,
    limit: int,
) -> list[Any]:
    """The history of an alarm, or of all of the project's."""
    with core.db.read() as tx:
        conditions: list[Any] = list(wanted)
        if alarm_id is not None:
            found(tx, ctx, alarm_id)
            conditions.append(alarm_change.c.alarm_id == alarm_id)
        if not ctx.is_admin:
            conditions.append(alarm_change.c.on_behalf_of == ctx.project_id)
        keys = [(name, up, up) for name, up in sorts] or [("timestamp", False, False)]
        keys.append(("number", False, False))
        if marker is not None:
            row = store.change_by_id(tx, marker)
            if row is None or not ctx.sees(row.on_behalf_of):
                raise BadRequest(f"Invalid input for field/attribute marker. Value: '{marker}'.")
            conditions.append(metric.beyond(alarm_change.c, keys, row))
        return store.changes(tx, conditions, metric.ordered(alarm_change.c, keys), limit, MOST_PAGE_BYTES)


def quotas(core: Core, project_id: str) -> dict[str, int]:
    with core.db.read() as tx:
        return quota.limits(tx, "alarm", project_id, limits(core))


def set_quotas(core: Core, project_id: str, values: Mapping[str, int]) -> dict[str, int]:
    with core.db.write() as tx:
        quota.set_limits(tx, "alarm", project_id, values)
        return quota.limits(tx, "alarm", project_id, limits(core))


def reset_quotas(core: Core, project_id: str) -> None:
    with core.db.write() as tx:
        quota.reset(tx, "alarm", project_id)


def change_view(row: Any) -> dict[str, Any]:
    return {name: iso_micro(row.timestamp) if name == "timestamp" else getattr(row, name) for name in CHANGES}


def queried(
    core: Core, ctx: Context, wanted: Sequence[Any], sorts: Sequence[tuple[str, bool]], limit: int
) -> list[Any]:
    """Alarms that a filter matches: the project's, or an administrator's choice of all."""
    columns = {name: alarm.c["id" if name == "alarm_id" else name] for name in FIELDS}
    keys = [*((name, up, up) for name, up in sorts), ("alarm_id", True, True)]
    own = [] if ctx.is_admin else [alarm.c.project_id == ctx.project_id]
    with core.db.read() as tx:
        return store.find(tx, [*wanted, *own], metric.ordered(columns, keys), limit)
