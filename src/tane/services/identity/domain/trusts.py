"""Trusts: a user (the trustor) lets another (the trustee) act on a project with some of the own roles.

Source: Identity API v3 extension OS-TRUST. A trust may be passed on (redelegated) as often as it says; deleting one
deletes all that were passed on from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import new_id, require, require_room
from tane.services.identity.drivers import users_of
from tane.services.identity.store import assignments, rows
from tane.services.identity.store import trusts as store
from tane.services.identity.tables import project, role, trust
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden, NotFound

COLUMNS = ("trustor_user_id", "trustee_user_id", "project_id", "impersonation", "remaining_uses")


def show(core: Core, trust_id: str) -> Row[Any]:
    """:raises NotFound: there is none, it has expired, or its uses are used up."""
    with core.db.read() as tx:
        return _usable(tx, trust_id)


def index(core: Core, filters: Mapping[str, str]) -> list[Row[Any]]:
    with core.db.read() as tx:
        return store.index(tx, filters)


def roles(core: Core, found: Row[Any]) -> list[Row[Any]]:
    """The roles of a trust."""
    with core.db.read() as tx:
        return rows.find(tx, role, {"id": found.role_ids})


def create(core: Core, ctx: Context, values: Mapping[str, Any]) -> Row[Any]:
    """:raises Forbidden: not the caller's own to give, or not to be passed on. :raises NotFound: unknown user or role.

    ``values`` are the attributes of the API; ``expires_at`` is a moment.
    """
    if values.get("project_id") and not values.get("roles"):
        raise _forbidden("At least one role should be specified")
    if ctx.user_id != values["trustor_user_id"]:
        raise _forbidden("The authenticated user should match the trustor")
    wanted: dict[str, Any] = {name: values.get(name) for name in COLUMNS}
    wanted["expires_at"] = values.get("expires_at")
    with core.db.write() as tx:
        if users_of(core).get(tx, values["trustee_user_id"]) is None:
            raise NotFound(f"Could not find user: {values['trustee_user_id']}.")
        if wanted["project_id"]:
            require(tx, project, wanted["project_id"], "project")
        if wanted["expires_at"] is not None and wanted["expires_at"] <= tx.now:
            raise BadRequest("The 'expires_at' must not be before now. The server could not comply with the request.")
        wanted["role_ids"] = role_ids(tx, values.get("roles") or [])
        source = _usable(tx, ctx.trust_id) if ctx.trust_id else None
        chain = _chain(tx, source) if source is not None else []
        wanted["redelegation_count"] = _depth(core, values, chain)
        if source is not None:
            wanted["redelegated_trust_id"] = source.id
            for parent in chain:
                _check_redelegation(core, parent, wanted)
                ends = parent.expires_at
                wanted["expires_at"] = ends if wanted["expires_at"] is None else wanted["expires_at"]
        trustor_id = chain[-1].trustor_user_id if chain else ctx.user_id
        _require_held(tx, trustor_id, wanted["project_id"], wanted["role_ids"])
        require_room(tx, trust, core.config.trust, "trusts", trustor_user_id=wanted["trustor_user_id"])
        trust_id = new_id()
        rows.add(tx, trust, {**wanted, "id": trust_id, "extra": values.get("extra", {}), "created_at": tx.now})
        audit.record(tx, "created", "trust", trust_id, trustee=values["trustee_user_id"])
        return require(tx, trust, trust_id, "trust")


def delete(core: Core, ctx: Context, trust_id: str) -> None:
    """:raises Forbidden: by a token of another trust, whose trustee has no say in what else the trustor gave."""
    with core.db.write() as tx:
        row = require(tx, trust, trust_id, "trust")
        if ctx.trust_id and ctx.trust_id not in [one.id for one in _chain(tx, row)]:
            raise _forbidden("The trust is not that of the token")
        rows.remove(tx, trust, trust_id)
        audit.record(tx, "deleted", "trust", trust_id)


def role_ids(tx: Tx, wanted: Sequence[Mapping[str, str]]) -> list[str]:
    """The ids of roles told by id or (unique) name. :raises NotFound: one of them does not exist."""
    if not all(each.get("id") or each.get("name") for each in wanted):
        raise BadRequest("Invalid input for field 'roles': id or name is a required property.")
    known = rows.there(tx, role, [each["id"] for each in wanted if each.get("id")])
    named = rows.named(tx, role, [each["name"] for each in wanted if not each.get("id")], domain_id="")
    found: dict[str, None] = {}
    for each in wanted:
        told = each.get("id") or each["name"]
        role_id = (told if told in known else None) if each.get("id") else named.get(told)
        if role_id is None:
            raise NotFound(f"Could not find role: {told}.")
        found[role_id] = None
    return list(found)


def _usable(tx: Tx, trust_id: str) -> Row[Any]:
    row = require(tx, trust, trust_id, "trust")
    if row.remaining_uses == 0 or (row.expires_at is not None and row.expires_at <= tx.now):
        raise NotFound(f"Could not find trust: {trust_id}.")
    return row


def _chain(tx: Tx, row: Row[Any]) -> list[Row[Any]]:
    """A trust and those it was passed on from, the first trustor's last."""
    chain = [row]
    while chain[-1].redelegated_trust_id:
        chain.append(require(tx, trust, chain[-1].redelegated_trust_id, "trust"))
    return chain


def _depth(core: Core, values: Mapping[str, Any], chain: Sequence[Row[Any]]) -> int:
    """How often the new trust may be passed on."""
    most, asked, uses = core.config.max_redelegation_count, values.get("redelegation_count"), values["remaining_uses"]
    passed_on = bool(values.get("allow_redelegation")) and asked != 0
    if not passed_on:
        return 0
    if asked is not None and asked > most:
        raise Forbidden(f"Requested redelegation depth of {asked} is greater than allowed {most}")
    if uses is not None:
        raise BadRequest("remaining_uses must not be set if redelegation is allowed")
    if not chain:
        return most if asked is None else int(asked)
    left = chain[0].redelegation_count - 1
    if asked is not None and asked != left:
        raise Forbidden(
            'Modifying "redelegation_count" upon redelegation is forbidden. Omitting this parameter is advised.'
        )
    return int(left)


def _check_redelegation(core: Core, parent: Row[Any], wanted: Mapping[str, Any]) -> None:
    """:raises Forbidden: the new trust would give more than the one it is passed on from."""
    depth, most = parent.redelegation_count, core.config.max_redelegation_count
    if not 0 < depth <= most:
        raise Forbidden(f"Remaining redelegation depth of {depth} out of allowed range of [0..{most}]")
    if wanted["remaining_uses"] is not None:
        raise Forbidden(
            f'Field "remaining_uses" is set to {wanted["remaining_uses"]} while it must not be set in order to '
            "redelegate a trust"
        )
    ends: datetime | None = wanted["expires_at"]
    if ends is not None and parent.expires_at is not None and parent.expires_at < ends:
        raise Forbidden("Requested expiration time is more than redelegated trust can provide")
    if wanted["project_id"] != parent.project_id or not set(wanted["role_ids"]) <= set(parent.role_ids):
        raise Forbidden("Some of requested roles are not in redelegated trust")
    if wanted["impersonation"] and not parent.impersonation:
        raise Forbidden(
            "Impersonation is not allowed because redelegated trust does not specify impersonation. Redelegated trust "
            f"id: {parent.id}"
        )


def _require_held(tx: Tx, trustor_id: str, project_id: str | None, wanted: Sequence[str]) -> None:
    held = (
        {row.id for row in assignments.effective_roles(tx, trustor_id, "project", project_id)} if project_id else set()
    )
    for role_id in wanted:
        if role_id not in held:
            raise NotFound(f"Could not find role: {role_id}.")


def _forbidden(why: str) -> Forbidden:
    return Forbidden(f"You are not authorized to perform the requested action: {why}.")
