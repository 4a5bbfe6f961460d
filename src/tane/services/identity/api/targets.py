"""What a policy rule of identity is checked against: whom and what a request is about, under Keystone's names."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity import tables
from tane.services.identity.domain import credentials, limits
from tane.services.identity.domain.ec2_tokens import EC2_METHOD
from tane.services.identity.store import assignments, rows
from tane.web import codec
from tane.web.errors import Forbidden, NotFound
from tane.web.request import Request

IN_PATHS: dict[str, tuple[str, Any]] = {
    "user_id": ("user", tables.user),
    "group_id": ("group", tables.group),
    "project_id": ("project", tables.project),
    "role_id": ("role", tables.role),
}
CREATED = ("user", "group", "project")
ACTORS = ("user", "group")
ROLES_OF_ROLES = ("role_id", "implied_role_id")
LOOKED_UP = {*IN_PATHS, "application_credential_id", "credential_id"}
NOBODY = " "
"""The owner of what does not exist: no user has this id."""
OWNED = (
    "target.token.user_id",
    "target.trust.trustor_user_id",
    "target.trust.trustee_user_id",
    "target.credential.user_id",
)
"""Owners of what no path tells. The caller's own is asked about first; the handler asks again about another's."""


def target(request: Request) -> dict[str, Any]:
    """Attributes of what the path names and the body creates. What does not exist has none: only an administrator, who
    needs none, learns so. Of roles and of EC2 keys Keystone tells everyone that they do not exist.

    A list is about the domain of the token: what the list answers is restricted to it.

    :raises NotFound: there is no such role, or no such EC2 keys.
    :raises Forbidden: the caller's token was made of EC2 keys, which are for calls of other services: whoever is handed
        it to serve one could else make itself credentials that last.
    """
    if EC2_METHOD in request.ctx.methods:
        raise Forbidden("EC2 credential tokens cannot be used for authorization.")
    found: dict[str, Any] = dict(request.path)
    found |= dict.fromkeys(OWNED, request.path.get("user_id", request.ctx.user_id))
    if request.ctx.domain_id and not request.path and request.method in ("GET", "HEAD"):
        own = request.ctx.domain_id
        found |= {"target.domain_id": own, "target.group.domain_id": own, "target.domain.id": own}
    if LOOKED_UP & request.path.keys():
        with request.core.db.read() as tx:
            found |= _named(tx, request)
            _take_owners(tx, request, found)
    if "role_id" in request.path and ("project_id" in request.path or "domain_id" in request.path):
        found["target.grant.on"] = _granted_on(request)
    if "domain_id" in request.path:
        found["target.domain.id"] = request.path["domain_id"]
    if "limit_id" in request.path:
        found |= limits.owner(request.core, request.path["limit_id"])
    if request.method == "POST":
        found |= _created(request)
    return found


def _named(tx: Tx, request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {}
    of_roles = "/v3/roles/" in request.url_path
    for name, value in request.path.items():
        if name in IN_PATHS:
            kind, table = IN_PATHS[name]
            row = rows.get(tx, table, value)
            if row is not None:
                found |= _attributes(kind, row)
                if request.ctx.domain_id and request.method not in ("GET", "HEAD"):
                    found |= _reach(tx, kind, value, request.ctx.domain_id)
        if name == "domain_id" and "/OS-INHERIT/" in request.url_path and request.ctx.domain_id:
            found |= _reach(tx, "domain", value, request.ctx.domain_id)
        if of_roles and name in ROLES_OF_ROLES and rows.get(tx, tables.role, value) is None:
            raise NotFound(f"Could not find role: {value}.")
    return found


def _reach(tx: Tx, kind: str, value: str, domain_id: str) -> dict[str, Any]:
    """How far the rights of an actor reach, those that a role gives, and those that are held where something is about
    to change: by what they come to, not by their names."""
    if kind in ACTORS:
        return {f"target.{kind}.reach": assignments.reach(tx, value, domain_id)}
    if kind == "role":
        return {"target.role.reach": "powerful" if assignments.is_powerful(tx, value) else "ordinary"}
    return {f"target.{kind}.reach": "cloud" if assignments.is_of_cloud(tx, value) else "domain"}


def _take_owners(tx: Tx, request: Request, found: dict[str, Any]) -> None:
    """Whose a credential is, it says itself: the user in the path is only what the caller says."""
    path = request.path
    if "application_credential_id" in path:
        row = rows.get(tx, tables.application_credential, path["application_credential_id"])
        found["user_id"] = path["user_id"] if row is None else row.user_id
    if "credential_id" in path:
        of_keys = "user_id" in path
        found_id = credentials.id_of(path["credential_id"]) if of_keys else path["credential_id"]
        row = rows.get(tx, tables.credential, found_id)
        if row is None and of_keys:
            raise NotFound(f"Could not find credential: {path['credential_id']}.")
        found["target.credential.user_id"] = NOBODY if row is None else row.user_id


def _granted_on(request: Request) -> str:
    if "/OS-INHERIT/" in request.url_path:
        return "inherited"
    return "project" if "project_id" in request.path else "domain"


def _attributes(kind: str, row: Row[Any]) -> dict[str, Any]:
    # Global roles have no domain, which Keystone's rules call None. Nor has a domain as a project: who manages what is
    # in a domain may not change the domain itself under this other name.
    domain_id = row.domain_id or None
    return {f"target.{kind}.{name}": value for name, value in (("id", row.id), ("name", row.name))} | {
        f"target.{kind}.domain_id": domain_id
    }


def _created(request: Request) -> dict[str, Any]:
    """The domain that the body names. One that it leaves out is filled in afterwards: only for an administrator is it
    then allowed, as in Keystone."""
    body = codec.parse(request.raw) if request.raw else None
    for kind in CREATED:
        part = body.get(kind) if isinstance(body, dict) else None
        if isinstance(part, dict) and not part.get("is_domain"):
            return {f"target.{kind}.domain_id": part.get("domain_id")}
    return {}
