"""Implied roles: who has the prior role has the implied one too."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import require
from tane.services.identity.store import implied_roles as store
from tane.services.identity.store import rows
from tane.services.identity.tables import role
from tane.web.errors import Conflict, Forbidden, NotFound

NEVER_IMPLIED = ("admin",)
"""As Keystone's default: to have another role must not make an administrator."""

Inference = tuple[Row[Any], list[Row[Any]]]
"""A prior role with those it implies directly."""


def rules(core: Core) -> list[Inference]:
    """Every prior role with the roles it implies, in two queries."""
    with core.db.read() as tx:
        known = {row.id: row for row in rows.find(tx, role, {})}
        found: dict[str, list[Row[Any]]] = {}
        for rule in store.rules(tx):
            found.setdefault(rule.prior_id, []).append(known[rule.implied_id])
    return [(known[prior_id], implied) for prior_id, implied in found.items()]


def of_prior(core: Core, prior_id: str) -> Inference:
    with core.db.read() as tx:
        return require(tx, role, prior_id, "role"), store.implied_by(tx, prior_id)


def show(core: Core, prior_id: str, implied_id: str) -> tuple[Row[Any], Row[Any]]:
    """The prior and the implied role. :raises NotFound: the one does not imply the other."""
    with core.db.read() as tx:
        prior, implied = require(tx, role, prior_id, "role"), require(tx, role, implied_id, "role")
        if not store.exists(tx, prior_id, implied_id):
            raise _not_implied(prior_id, implied_id)
        return prior, implied


def create(core: Core, prior_id: str, implied_id: str) -> None:
    """:raises Forbidden: the administrator's role, or a role of a domain by one of the whole cloud.
    :raises Conflict: it does so already."""
    with core.db.write() as tx:
        prior, implied = require(tx, role, prior_id, "role"), require(tx, role, implied_id, "role")
        if implied.name in NEVER_IMPLIED:
            raise Forbidden(f"{implied_id} cannot be an implied roles.")
        if not prior.domain_id and implied.domain_id:
            raise Forbidden("Global role cannot imply a domain-specific role")
        if store.exists(tx, prior_id, implied_id):
            raise Conflict(
                "Conflict occurred attempting to store implied_role - "
                f"Duplicate entry: {prior_id} implies {implied_id}."
            )
        store.add(tx, prior_id, implied_id)
        audit.record(tx, "created", "implied_role", implied_id, prior_role=prior_id)


def delete(core: Core, prior_id: str, implied_id: str) -> None:
    """:raises NotFound: the one does not imply the other."""
    with core.db.write() as tx:
        if not store.remove(tx, prior_id, implied_id):
            raise _not_implied(prior_id, implied_id)
        audit.record(tx, "deleted", "implied_role", implied_id, prior_role=prior_id)


def _not_implied(prior_id: str, implied_id: str) -> NotFound:
    return NotFound(f"{prior_id} does not imply {implied_id}.")
