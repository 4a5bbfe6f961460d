"""The audit trail: every change of identity data and every failed login, as CADF events (DMTF DSP0262).

An event is written in the transaction of the change it tells of: neither exists without the other. Names and shapes are
those of Keystone's notifications. Events older than ``audit_days`` are deleted, and the oldest of more than
``audit_events``.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.store import audit as store
from tane.shares import Allowance
from tane.web.limits import origin
from tane.web.request import CURRENT

log = structlog.get_logger()

TYPE_URI = "http://schemas.dmtf.org/cloud/audit/1.0/event"
USER_URI = "service/security/account/user"
OBSERVER = {"typeURI": "service/security", "name": "identity"}
LONGEST = 255
KEPT_OF_ONE, KEPT_OF_ALL = 10, 100
TARGET_URIS = {"user": "data/security/account/user"}


def record(tx: Tx, operation: str, kind: str, target_id: str, **details: Any) -> None:
    """Tell that the caller changed something: ``record(tx, "updated", "project", project_id)``.

    To be called once in every transaction that changes identity data: it also makes every process of this cloud
    forget what it remembers of that data. ``details`` are added to the target (a grant's user, a token's audit id).
    """
    target = {"typeURI": TARGET_URIS.get(kind, f"data/security/{kind}"), "id": target_id, **details}
    _write(tx, f"{operation}.{kind}", "success", _initiator(), target, None)
    store.bump(tx)


def login_failed(core: Core, user_id: str, name: str, reason: str, status: int = 401) -> None:
    """Tell of a refused login. ``user_id`` is empty when there is no such user; ``name`` is what was typed.

    Both come from anyone at all: no more of them is kept than a name can be long, and no more events a minute than
    :data:`KEPT_OF_ONE` of an address and :data:`KEPT_OF_ALL`. The next one says how many were left out.
    """
    request = CURRENT.get()
    kept = core.memory.setdefault("identity.refusals", Allowance(KEPT_OF_ONE, KEPT_OF_ALL, timedelta(minutes=1)))
    left_out = kept.take(origin(request.remote) if request is not None else None, core.clock.now())
    if left_out is None:
        return
    user_id, name = user_id[:LONGEST], name[:LONGEST]
    initiator = {**_initiator(), "id": user_id or "unknown", "typeURI": USER_URI, "name": name}
    why = {"reasonType": reason, "reasonCode": str(status), **({"leftOut": str(left_out)} if left_out else {})}
    with core.db.write() as tx:
        _write(tx, "authenticate", "failure", initiator, {"typeURI": USER_URI, "id": user_id or "unknown"}, why)


def index(core: Core, target_id: str | None = None) -> list[dict[str, Any]]:
    """The events kept, oldest first, as CADF records."""
    with core.db.read() as tx:
        return [_view(row) for row in store.events(tx, target_id)]


def trim(core: Core) -> int:
    """Delete events older than ``audit_days``, and the oldest of more than ``audit_events``; returns how many."""
    with core.db.write() as tx:
        old = store.trim(tx, tx.now - timedelta(days=core.config.audit_days))
        return old + store.trim_to(tx, core.config.audit_events)


def _initiator() -> dict[str, Any]:
    request = CURRENT.get()
    if request is None:
        return {"typeURI": "service/security", "id": "tane", "name": "the cloud itself"}
    ctx = request.ctx
    host = {"address": request.remote, "agent": request.headers.get("user-agent", "")[:LONGEST]}
    initiator = {"typeURI": USER_URI, "id": ctx.user_id or "unknown", "name": ctx.user_name, "host": host}
    scope = {"project_id": ctx.project_id, "domain_id": ctx.domain_id, "request_id": ctx.request_id}
    return initiator | {name: value for name, value in scope.items() if value}


def _write(
    tx: Tx, action: str, outcome: str, initiator: dict[str, Any], target: dict[str, Any], reason: dict[str, str] | None
) -> None:
    request_id = initiator.get("request_id")
    values = {
        "id": str(uuid.uuid4()),
        "event_time": tx.now,
        "action": action,
        "outcome": outcome,
        "initiator": initiator,
        "target": target,
        "target_id": target["id"],
        "reason": reason,
        "request_id": request_id,
    }
    store.add(tx, values)
    told = {"action": action, "outcome": outcome, "initiator": initiator, "target": target, "reason": reason}
    tx.after_commit(lambda: log.info("audit", **told, request_id=request_id))


def _view(row: Row[Any]) -> dict[str, Any]:
    event = {
        "typeURI": TYPE_URI,
        "eventType": "activity",
        "id": row.id,
        "eventTime": f"{row.event_time.isoformat(timespec='microseconds')}+0000",
        "action": row.action,
        "outcome": row.outcome,
        "initiator": row.initiator,
        "target": row.target,
        "observer": OBSERVER,
    }
    return event if row.reason is None else {**event, "reason": row.reason}
