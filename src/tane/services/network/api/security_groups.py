"""Security groups and rules (Networking API: "Security groups", "Security group rules")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.api import common
from tane.services.network.domain import security_groups
from tane.services.network.domain.common import no_group
from tane.services.network.domain.security_rules import range_of
from tane.services.network.store import listings
from tane.services.network.store.rows import among, tags
from tane.services.network.tables import security_group_rule
from tane.web.errors import NotFound
from tane.web.request import Request


def related(tx: Tx, found: Sequence[Row[Any]]) -> common.Related:
    rules: dict[str, list[Row[Any]]] = {}
    members = among(tx, security_group_rule, "security_group_id", [row.id for row in found])
    for row in sorted(members, key=lambda row: (row.created_at, row.id)):
        rules.setdefault(row.security_group_id, []).append(row)
    return {"rules": rules, "rule_tags": tags(tx, [row.id for row in members])}


def view(request: Request, row: Row[Any], related: common.Related) -> dict[str, Any]:
    rules = related["rules"].get(row.id, [])
    return {
        "id": row.id,
        "name": row.name,
        "stateful": True,
        "security_group_rules": [rule_view(request, rule, {"tags": related["rule_tags"]}) for rule in rules],
        **common.standard(row, related),
    }


def rule_view(request: Request, row: Row[Any], related: common.Related) -> dict[str, Any]:
    prefix = row.remote_ip_prefix
    return {
        "id": row.id,
        "security_group_id": row.security_group_id,
        "direction": row.direction,
        "ethertype": row.ethertype,
        "protocol": row.protocol,
        "port_range_min": row.port_range_min,
        "port_range_max": row.port_range_max,
        "remote_ip_prefix": prefix,
        "normalized_cidr": range_of(prefix),
        "remote_group_id": row.remote_group_id,
        **common.standard(row, related),
    }


def no_rule(rule_id: str) -> NotFound:
    return NotFound(f"Security group rule {rule_id} does not exist.", type="SecurityGroupRuleNotFound")


GROUPS = common.Collection("security_group", "security_groups", listings.GROUPS, related, view, no_group)
RULES = common.Collection(
    "security_group_rule", "security_group_rules", listings.RULES, common.nothing_related, rule_view, no_rule
)


def index(request: Request) -> dict[str, Any]:
    asked = [*request.params("project_id"), *request.params("tenant_id")] or [request.ctx.project_id]
    security_groups.ensure_default(request.core, request.ctx, asked)
    return common.index(request, GROUPS)


def show(request: Request) -> dict[str, Any]:
    return common.show(request, GROUPS, request.path["security_group_id"])


def create(request: Request) -> dict[str, Any]:
    asked, bulk = common.bodies(request, GROUPS, "create")
    return common.made(request, GROUPS, security_groups.create(request.core, request.ctx, asked), bulk=bulk)


def update(request: Request) -> dict[str, Any]:
    [values], _ = common.bodies(request, GROUPS, "update")
    security_groups.update(request.core, request.ctx, request.path["security_group_id"], values)
    return common.made(request, GROUPS, [request.path["security_group_id"]])


def delete(request: Request) -> None:
    security_groups.delete(request.core, request.ctx, request.path["security_group_id"])


def rule_index(request: Request) -> dict[str, Any]:
    return common.index(request, RULES)


def rule_show(request: Request) -> dict[str, Any]:
    return common.show(request, RULES, request.path["security_group_rule_id"])


def rule_create(request: Request) -> dict[str, Any]:
    asked, bulk = common.bodies(request, RULES, "create")
    return common.made(request, RULES, security_groups.create_rules(request.core, request.ctx, asked), bulk=bulk)


def rule_delete(request: Request) -> None:
    security_groups.delete_rule(request.core, request.ctx, request.path["security_group_rule_id"])
