"""SQL of role assignments and implied roles."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import assignment, implied_role, project, role


def effective_roles(tx: Tx, user_id: str, target_type: str, target_id: str) -> list[Row[Any]]:
    """The roles (id, name) a user has on a target, implied ones included, in one query."""
    held = (
        select(assignment.c.role_id.label("id"))
        .where(
            assignment.c.actor_id == user_id,
            assignment.c.target_type == target_type,
            assignment.c.target_id == target_id,
        )
        .cte("held", recursive=True)
    )
    held = held.union(select(implied_role.c.implied_id).join(held, implied_role.c.prior_id == held.c.id))
    return tx.all(select(role.c.id, role.c.name).where(role.c.id.in_(select(held.c.id))).order_by(role.c.name))


def assigned_roles(tx: Tx, user_id: str, target_type: str, target_id: str) -> list[Row[Any]]:
    """The roles assigned directly."""
    return tx.all(
        select(role)
        .join(assignment, assignment.c.role_id == role.c.id)
        .where(
            assignment.c.actor_id == user_id,
            assignment.c.target_type == target_type,
            assignment.c.target_id == target_id,
        )
        .order_by(role.c.name)
    )


def has(tx: Tx, user_id: str, target_type: str, target_id: str, role_id: str) -> bool:
    return any(row.id == role_id for row in assigned_roles(tx, user_id, target_type, target_id))


def grant(tx: Tx, user_id: str, target_type: str, target_id: str, role_id: str) -> None:
    if not has(tx, user_id, target_type, target_id, role_id):
        tx.execute(
            insert(assignment).values(actor_id=user_id, target_type=target_type, target_id=target_id, role_id=role_id)
        )


def revoke(tx: Tx, user_id: str, target_type: str, target_id: str, role_id: str) -> int:
    return tx.count(
        delete(assignment).where(
            assignment.c.actor_id == user_id,
            assignment.c.target_type == target_type,
            assignment.c.target_id == target_id,
            assignment.c.role_id == role_id,
        )
    )


def forget_actor(tx: Tx, actor_id: str) -> None:
    tx.execute(delete(assignment).where(assignment.c.actor_id == actor_id))


def forget_target(tx: Tx, target_id: str) -> None:
    tx.execute(delete(assignment).where(assignment.c.target_id == target_id))


def all_assignments(tx: Tx, **filters: str) -> list[Row[Any]]:
    """Assignments whose columns equal ``filters``."""
    statement = select(assignment).order_by(assignment.c.actor_id, assignment.c.target_id, assignment.c.role_id)
    for name, value in filters.items():
        statement = statement.where(assignment.c[name] == value)
    return tx.all(statement)


def implications(tx: Tx) -> list[Row[Any]]:
    return tx.all(select(implied_role))


def targets_of(tx: Tx, user_id: str, *, domains: bool) -> list[Row[Any]]:
    """The enabled projects (or domains) on which a user has a role."""
    kind = "domain" if domains else "project"
    return tx.all(
        select(project)
        .where(
            project.c.enabled,
            project.c.is_domain == domains,
            project.c.id.in_(
                select(assignment.c.target_id).where(assignment.c.actor_id == user_id, assignment.c.target_type == kind)
            ),
        )
        .order_by(project.c.name)
    )
