"""Limits of a project on network resources."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from tane import quota
from tane.core import Core
from tane.services.network.domain.common import DEFAULT_LIMITS, QUOTAS, SERVICE, used
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound


def limits(core: Core, project_id: str) -> dict[str, int]:
    with core.db.read() as tx:
        return quota.limits(tx, SERVICE, project_id, DEFAULT_LIMITS)


def details(core: Core, project_id: str) -> dict[str, dict[str, int]]:
    """Limit and usage of each resource. Nothing is ever only reserved: what is made counts at once."""
    with core.db.read() as tx:
        found = quota.limits(tx, SERVICE, project_id, DEFAULT_LIMITS)
        return {
            name: {"limit": limit, "used": used(tx, project_id, QUOTAS[name][0]), "reserved": 0}
            for name, limit in found.items()
        }


def all_set(core: Core) -> list[dict[str, Any]]:
    """The limits of every project that has its own."""
    table = quota.quota
    with core.db.read() as tx:
        projects = tx.all(select(table.c.project_id).where(table.c.service == SERVICE).distinct())
        return [
            {"project_id": row.project_id, **quota.limits(tx, SERVICE, row.project_id, DEFAULT_LIMITS)}
            for row in projects
        ]


def change(core: Core, project_id: str, values: dict[str, int], *, force: bool = False) -> dict[str, int]:
    """:raises BadRequest: a limit below what the project uses, unless ``force``."""
    with core.db.write() as tx:
        for name, limit in ({} if force else values).items():
            present = used(tx, project_id, QUOTAS[name][0])
            if quota.exceeded(limit, present, 0):
                raise BadRequest(
                    f"Quota limit {limit} for {name} must be greater than or equal to already used {present}",
                    type="HTTPBadRequest",
                )
        quota.set_limits(tx, SERVICE, project_id, values)
        return quota.limits(tx, SERVICE, project_id, DEFAULT_LIMITS)


def reset(core: Core, project_id: str) -> None:
    with core.db.write() as tx:
        quota.reset(tx, SERVICE, project_id)


def require_own(ctx: Context, project_id: str) -> None:
    """:raises NotFound: another project's limits, for a caller who is no administrator."""
    if not ctx.sees(project_id):
        raise NotFound(f"Quota for tenant {project_id} could not be found.", type="TenantQuotaNotFound")
