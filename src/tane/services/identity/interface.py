"""What other services may ask of identity."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import tokens
from tane.services.identity.domain.bootstrap import CatalogEntry, bootstrap, publish
from tane.services.identity.store import rows
from tane.services.identity.tables import project, user
from tane.web.context import Context

__all__ = ["CatalogEntry", "authenticate", "bootstrap", "project_named", "project_row", "publish", "user_row"]


def authenticate(core: Core, token: str, request_id: str) -> Context:
    """The caller a token stands for. :raises Unauthorized: when it is not valid."""
    valid = tokens.validate(core, token)
    target, domain = valid.target, valid.target_domain
    scope = valid.payload.scope
    return Context(
        request_id=request_id,
        user_id=valid.user.id,
        user_name=valid.user.name,
        user_domain_id=valid.user.domain_id,
        project_id=target.id if scope == "project" and target else "",
        project_name=target.name if scope == "project" and target else "",
        project_domain_id=domain.id if domain else "",
        domain_id=target.id if scope == "domain" and target else "",
        system_scope=scope == "system",
        roles=tuple(name for _, name in valid.roles),
        token=token,
    )


def project_row(tx: Tx, project_id: str) -> Row[Any] | None:
    return rows.get(tx, project, project_id)


def project_named(tx: Tx, name: str, domain_id: str = "default") -> Row[Any]:
    """The project with a name. :raises LookupError: there is none."""
    for row in rows.find(tx, project, {"name": name, "domain_id": domain_id, "is_domain": False}):
        return row
    raise LookupError(f"no project named {name} in domain {domain_id}")


def user_row(tx: Tx, user_id: str) -> Row[Any] | None:
    return rows.get(tx, user, user_id)
