"""Every line of every route table: a policy, a schema, a refused caller, a line in the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tane.app import SERVICES
from tane.web.routes import Route, Service
from tests.support import ApiCloud

ROUTES = [(service, route) for service in SERVICES for route in service.routes]
REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
OPEN = {
    ("identity", "POST", "/v3/auth/tokens"),
    ("identity", "POST", "/v3/users/{user_id}/password"),
    ("identity", "POST", "/v3/OS-OAUTH1/request_token"),
    ("identity", "POST", "/v3/OS-OAUTH1/access_token"),
    ("orchestration", "POST", "/signal/{resource_id}/{secret}"),
    ("orchestration", "PUT", "/signal/{resource_id}/{secret}"),
    ("dashboard", "POST", "/login"),
    ("dashboard", "POST", "/prefer"),
}
"""Calls without a policy that change something: they carry the password they ask for, are signed, or set a cookie."""

OWN = re.compile(r"user_id:%\(|token_subject|rule:owner|rule:admin_or_owner")
"""What a rule says that opens a call to the user it is about."""

UNKNOWN = {"s3": 403, "cloudformation": 400}
"""How who says nothing of himself is refused, where that is not by 401: S3 has AccessDenied, CloudFormation
IncompleteSignature."""

WITHOUT_SCHEMA = {
    ("identity", "/v3/OS-OAUTH1/request_token"),
    ("identity", "/v3/OS-OAUTH1/access_token"),
    ("image", "/v2/images/{image_id}"),
    ("image", "/v2/images/{image_id}/import"),
    ("image", "/v2/images/{image_id}/actions/deactivate"),
    ("image", "/v2/cache/clean"),
    # A signal says what who made the alarm or the guest wants it to.
    ("orchestration", "/v1/{project_id}/stacks/{stack_name}/{stack_id}/resources/{resource_name}/signal"),
    ("orchestration", "/signal/{resource_id}/{secret}"),
    # The address says all there is to say.
    ("job", "/{job_id}/try"),
    ("orchestration", "/v1/{project_id}/stacks/{stack_name}/{stack_id}/snapshots/{snapshot_id}/restore"),
    # A query of resources may stand in the address instead.
    ("metric", "/v1/search/resource/{type}"),
    ("metric", "/v1/aggregation/resource/{type}/metric/{metric_name}"),
    # Not built: answered 501 whatever is in it.
    ("placement", "/resource_providers"),
    ("placement", "/allocations"),
    ("placement", "/reshaper"),
    ("image", "/v2/cache/prune"),
    ("image", "/v2/metadefs/namespaces/{namespace}/tags/{tag_name}"),
    ("image", "/v2/images/{image_id}/actions/reactivate"),
}
"""Calls whose body the handler reads (JSON patch), is empty by definition, or is not looked at before the 501."""


def name(service: Service, route: Route) -> str:
    return f"{service.name} {route.method} {route.path}" + (f" {route.action}" if route.action else "")


def address(service: Service, route: Route) -> str:
    return re.sub(r"{[^}]*}", "00000000-0000-0000-0000-000000000000", service.prefix + route.path)


@pytest.mark.parametrize(("service", "route"), ROUTES, ids=[name(*pair) for pair in ROUTES])
def test_every_route_has_a_declared_policy(service: Service, route: Route) -> None:
    declared = {rule.name for rule in service.rules}
    if route.policy is None:
        key = (service.name, route.method, route.path)
        # A browser asks by OPTIONS before it sends what would prove who it is.
        assert route.method in ("GET", "OPTIONS") or key in OPEN, "only version documents may be open"
    else:
        assert route.policy in declared


@pytest.mark.parametrize(("service", "route"), ROUTES, ids=[name(*pair) for pair in ROUTES])
def test_every_route_that_takes_a_body_has_a_schema(service: Service, route: Route) -> None:
    if route.method in ("POST", "PATCH") and route.action is None and not route.stream:
        assert route.body is not None or (service.name, route.path) in WITHOUT_SCHEMA


def test_no_route_answers_without_a_token(cloud: ApiCloud) -> None:
    for service, route in ROUTES:
        if route.policy is not None:
            response = cloud.call(route.method, address(service, route), json={route.action or "x": {}})
            assert response.status_code == UNKNOWN.get(service.name, 401), name(service, route)


def test_no_route_answers_to_someone_without_a_role_on_anything(cloud: ApiCloud) -> None:
    """A token without a scope opens nothing but what every token does."""
    nobody = cloud.new_user("mia", "garden")
    body = {
        "auth": {
            "identity": {"methods": ["token"], "token": {"id": nobody.token}},
            "scope": "unscoped",
        }
    }
    token = cloud.call("POST", "/identity/v3/auth/tokens", json=body).headers["x-subject-token"]
    rules = [rule for service in SERVICES for rule in service.rules]
    # What is a user's own (key pairs) hangs on no project.
    open_to_all = {rule.name for rule in rules if rule.check == "@" or OWN.search(rule.check)}
    for service, route in ROUTES:
        if route.policy is not None and route.policy not in open_to_all:
            response = cloud.call(
                route.method,
                address(service, route),
                headers={"X-Auth-Token": token},
                json={route.action or "x": {}},
            )
            assert response.status_code in (403, 404, UNKNOWN.get(service.name)), (
                name(service, route),
                response.status_code,
                response.text,
            )


@pytest.mark.parametrize("service", SERVICES, ids=[service.name for service in SERVICES])
def test_the_reference_has_a_line_for_every_route(service: Service) -> None:
    text = (REFERENCE / f"{service.name}.md").read_text()
    for route in service.routes:
        action = f" `{route.action}`" if route.action else ""
        assert f"| {route.method} | `{service.prefix}{route.path}`{action} |" in text, (
            f"{name(service, route)} is missing; run tools/render_reference.py"
        )
