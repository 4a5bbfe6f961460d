"""SQL of role assignments: who has which role where, directly, by a group, from above in the tree, by implication."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Select, bindparam, delete, or_, select, true
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import assignment, group_member, implied_role, project, role, trust
from tane.web.policy import CLOUD_ROLES

Reach = Literal["cloud", "admin", "domain"]
POWERFUL = tuple(name.casefold() for name in CLOUD_ROLES)
"""Roles that are good for more than the project they are held on; so is every role that implies one of them."""


def _powerful() -> Select[Any]:
    found = select(role.c.id).where(role.c.folded_name.in_(POWERFUL)).cte("powerful", recursive=True)
    found = found.union(select(implied_role.c.prior_id).join(found, implied_role.c.implied_id == found.c.id))
    return select(found.c.id)


_POWERFUL = _powerful()


def is_powerful(tx: Tx, role_id: str) -> bool:
    """Whether a role is one of ``POWERFUL``, or implies one, by however many steps."""
    return tx.first(select(role.c.id).where(role.c.id == role_id, role.c.id.in_(_POWERFUL))) is not None


@dataclass(frozen=True)
class Place:
    """Where an actor may have roles. ``inherited``: on everything below the target instead of on the target itself."""

    actor_id: str
    target_type: str
    target_id: str
    inherited: bool = False
    actor_type: str = "user"

    def matches(self) -> Any:
        """The SQL condition of the assignments that stand exactly here."""
        return (
            (assignment.c.actor_id == self.actor_id)
            & (assignment.c.target_type == self.target_type)
            & (assignment.c.target_id == self.target_id)
            & (assignment.c.inherited == self.inherited)
        )


def _of_user(user_id: Any) -> Any:
    """The SQL condition of the assignments of a user and of the user's groups."""
    groups = select(group_member.c.group_id).where(group_member.c.user_id == user_id)
    return or_(assignment.c.actor_id == user_id, assignment.c.actor_id.in_(groups))


def _effective() -> Select[Any]:
    above = (
        select(project.c.parent_id.label("id"))
        .where(project.c.id == bindparam("target_id"), project.c.parent_id.is_not(None))
        .cte("above", recursive=True)
    )
    above = above.union(
        select(project.c.parent_id).join(above, project.c.id == above.c.id).where(project.c.parent_id.is_not(None))
    )
    held = (
        select(assignment.c.role_id.label("id"))
        .where(
            _of_user(bindparam("user_id")),
            or_(
                (assignment.c.target_type == bindparam("target_type"))
                & (assignment.c.target_id == bindparam("target_id"))
                & ~assignment.c.inherited,
                assignment.c.inherited & assignment.c.target_id.in_(select(above.c.id)),
            ),
        )
        .cte("held", recursive=True)
    )
    held = held.union(select(implied_role.c.implied_id).join(held, implied_role.c.prior_id == held.c.id))
    # A role of one domain gives what it implies, and never stands in a token itself.
    wanted = role.c.id.in_(select(held.c.id)) & (role.c.domain_id == "")
    return select(role.c.id, role.c.name).where(wanted).order_by(role.c.name)


_EFFECTIVE = _effective()


def effective_roles(tx: Tx, user_id: str, target_type: str, target_id: str) -> list[Row[Any]]:
    """The roles (id, name) a user has on a target, in one query: assigned to the user or to a group of the user, on the
    target or inherited from above it, with all that they imply."""
    found = tx.execute(_EFFECTIVE, {"user_id": user_id, "target_type": target_type, "target_id": target_id})
    return list(found.all())


def assigned_roles(tx: Tx, place: Place) -> list[Row[Any]]:
    """The roles assigned exactly here."""
    return tx.all(
        select(role)
        .join(assignment, assignment.c.role_id == role.c.id)
        .where(place.matches())
        .order_by(role.c.name, role.c.id)
    )


def has(tx: Tx, place: Place, role_id: str) -> bool:
    return tx.first(select(assignment.c.role_id).where(place.matches(), assignment.c.role_id == role_id)) is not None


def grant(tx: Tx, place: Place, role_id: str) -> None:
    """Repeatable."""
    if not has(tx, place, role_id):
        tx.insert(
            assignment,
            actor_type=place.actor_type,
            actor_id=place.actor_id,
            target_type=place.target_type,
            target_id=place.target_id,
            inherited=place.inherited,
            role_id=role_id,
        )


def revoke(tx: Tx, place: Place, role_id: str) -> int:
    return tx.count(delete(assignment).where(place.matches(), assignment.c.role_id == role_id))


def forget_actor(tx: Tx, actor_id: str) -> None:
    tx.execute(delete(assignment).where(assignment.c.actor_id == actor_id))


def forget_target(tx: Tx, target_id: str) -> None:
    tx.execute(delete(assignment).where(assignment.c.target_id == target_id))


def search(tx: Tx, *, user_id: str = "", group_id: str = "", with_groups: bool = False) -> list[Row[Any]]:
    """Assignments, of one actor when it is named; ``with_groups``: those of the user's groups too."""
    wanted: Any = true()
    if user_id:
        wanted = _of_user(user_id) if with_groups else assignment.c.actor_id == user_id
    elif group_id:
        wanted = assignment.c.actor_id == group_id
    order = (assignment.c.actor_id, assignment.c.target_id, assignment.c.role_id, assignment.c.inherited)
    return tx.all(select(assignment).where(wanted).order_by(*order))


def reach(tx: Tx, actor_id: str, domain_id: str) -> Reach:
    """What a user or a group looks after: "cloud", more than the domain, by any role on the system, or by a powerful
    role that is not on exactly this domain, held or lent by a trust; "admin", the domain, by a powerful role on it;
    else "domain", nothing that its manager does not."""
    here = (assignment.c.target_id == domain_id) & ~assignment.c.inherited
    mine = select(here.label("here")).join(role, assignment.c.role_id == role.c.id).where(_of_user(actor_id))
    found = {row.here for row in tx.all(mine.where(role.c.id.in_(_POWERFUL)).distinct())}
    on_system = mine.where(assignment.c.target_type == "system").limit(1)
    if False in found or tx.first(on_system) is not None:
        return "cloud"
    lent = tx.all(select(trust.c.role_ids).where(trust.c.trustee_user_id == actor_id))
    role_ids = {role_id for row in lent for role_id in row.role_ids}
    powerful = select(role.c.id).where(role.c.id.in_(role_ids), role.c.id.in_(_POWERFUL))
    if role_ids and tx.first(powerful.limit(1)) is not None:
        return "cloud"
    return "admin" if found else "domain"


def is_of_cloud(tx: Tx, target_id: str) -> bool:
    """Whether somebody looks after the cloud from a project, from one below it, or from one of a domain: has a powerful
    role there."""
    below = select(project.c.id).where(project.c.id == target_id).cte("below", recursive=True)
    below = below.union(select(project.c.id).join(below, project.c.parent_id == below.c.id))
    held = select(role.c.id).join(assignment, assignment.c.role_id == role.c.id)
    there = (assignment.c.target_type == "project") & ~assignment.c.inherited
    wanted = (there, assignment.c.target_id.in_(select(below.c.id)), role.c.id.in_(_POWERFUL))
    return tx.first(held.where(*wanted).limit(1)) is not None


def implications(tx: Tx) -> list[Row[Any]]:
    return tx.all(select(implied_role).order_by(implied_role.c.prior_id, implied_role.c.implied_id))


def members(tx: Tx, group_ids: Collection[str]) -> list[Row[Any]]:
    """(group_id, user_id) of several groups."""
    wanted = group_member.c.group_id.in_(group_ids)
    return tx.all(select(group_member).where(wanted).order_by(group_member.c.group_id, group_member.c.user_id))


def targets_of(tx: Tx, user_id: str, *, domains: bool) -> list[Row[Any]]:
    """The projects (or domains) on which a user has a role, however it came there."""
    mine = _of_user(user_id)
    if domains:
        reached = select(assignment.c.target_id).where(
            mine, assignment.c.target_type == "domain", ~assignment.c.inherited
        )
    else:
        roots = select(assignment.c.target_id).where(mine, assignment.c.inherited)
        below = select(project.c.id).where(project.c.parent_id.in_(roots)).cte("below", recursive=True)
        below = below.union(select(project.c.id).join(below, project.c.parent_id == below.c.id))
        direct = select(assignment.c.target_id).where(
            mine, assignment.c.target_type == "project", ~assignment.c.inherited
        )
        reached = direct.union(select(below.c.id))  # type: ignore[assignment]
    return tx.all(
        select(project)
        .where(project.c.is_domain == domains, project.c.id.in_(reached))
        .order_by(project.c.name, project.c.id)
    )
