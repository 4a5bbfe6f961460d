"""Archive policies (administrators make them) and the rules that choose one by a metric's name."""

from __future__ import annotations

from typing import Any

from tane.services.metric.api.common import policy_view, rule_view
from tane.services.metric.domain import archive_policies as domain
from tane.web.request import Request, Response


def index(request: Request) -> list[dict[str, Any]]:
    return [policy_view(row) for row in domain.every(request.core)]


def show(request: Request) -> dict[str, Any]:
    return policy_view(domain.get(request.core, request.path["name"]))


def create(request: Request) -> Response:
    body = request.body
    row = domain.create(request.core, body.name, body.back_window, body.aggregation_methods, body.definition)
    return Response(policy_view(row), 201, {"Location": request.link(f"/v1/archive_policy/{row.name}")})


def update(request: Request) -> dict[str, Any]:
    body = request.body
    return policy_view(domain.update(request.core, request.path["name"], body.definition, body.back_window))


def delete(request: Request) -> None:
    domain.delete(request.core, request.path["name"])


def rules(request: Request) -> list[dict[str, Any]]:
    return [rule_view(row) for row in domain.rules(request.core)]


def show_rule(request: Request) -> dict[str, Any]:
    return rule_view(domain.rule(request.core, request.path["name"]))


def create_rule(request: Request) -> Response:
    body = request.body
    row = domain.create_rule(request.core, body.name, body.metric_pattern, body.archive_policy_name)
    return Response(rule_view(row), 201, {"Location": request.link(f"/v1/archive_policy_rule/{row.name}")})


def rename_rule(request: Request) -> dict[str, Any]:
    return rule_view(domain.rename_rule(request.core, request.path["name"], request.body.name))


def delete_rule(request: Request) -> None:
    domain.delete_rule(request.core, request.path["name"])
