"""The home document: every resource of the API with its address (draft-nottingham-json-home-03), from the route table.

A resource's relation is made of its path: ``/v3/projects/{project_id}/users/{user_id}/roles`` is project_user_roles.
Where Keystone calls it otherwise, it stands in a table here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

BASE = "https://docs.openstack.org/api/openstack-identity/3"
CONTENT_TYPE = "application/json-home"
RELATIONS = {
    "ext/OS-EP-FILTER/1.0/rel": {
        "/OS-EP-FILTER/endpoint_groups/{}/endpoints": "endpoints_in_endpoint_group",
        "/OS-EP-FILTER/endpoint_groups/{}/projects": "projects_associated_with_endpoint_group",
        "/OS-EP-FILTER/endpoint_groups/{}/projects/{}": "endpoint_group_to_project_association",
    },
    "ext/OS-OAUTH1/1.0/rel": {
        "/OS-OAUTH1/access_token": "access_tokens",
        "/OS-OAUTH1/authorize/{}": "authorize_request_token",
        "/OS-OAUTH1/request_token": "request_tokens",
    },
    "ext/OS-FEDERATION/1.0/rel": {
        "/auth/domains": "domains",
        "/auth/projects": "projects",
    },
    "ext/OS-PKI/1.0/rel": {
        "/auth/tokens/OS-PKI/revoked": "revocations",
    },
    "rel": {
        "/domains/config/default": "domain_config_default",
        "/domains/config/{}/default": "domain_config_default_group",
        "/domains/config/{}/{}/default": "domain_config_default_option",
        "/domains/{}/config/{}/{}": "domain_config_option",
        "/limits/model": "limit_model",
        "/projects/{}/tags/{}": "project_tags",
        "/roles/{}/implies": "implied_roles",
        "/roles/{}/implies/{}": "implied_role",
        "/users/{}/access_rules": "access_rules",
        "/users/{}/access_rules/{}": "access_rule",
        "/users/{}/application_credentials": "application_credentials",
        "/users/{}/application_credentials/{}": "application_credential",
        "/users/{}/password": "user_change_password",
    },
    "ext/OS-EC2/1.0/rel": {
        "/ec2tokens": "ec2tokens",
        "/users/{}/credentials/OS-EC2/{}": "user_credential",
    },
    "ext/OS-ENDPOINT-POLICY/1.0/rel": {
        "/policies/{}/OS-ENDPOINT-POLICY/endpoints/{}": "endpoint_policy_association",
        "/policies/{}/OS-ENDPOINT-POLICY/services/{}": "service_policy_association",
        "/policies/{}/OS-ENDPOINT-POLICY/services/{}/regions/{}": "region_and_service_policy_association",
    },
    "ext/s3tokens/1.0/rel": {
        "/s3tokens": "s3tokens",
    },
}
"""Kind → path, whatever its variables are called → name."""
VARIABLES = {
    "access_token_id": "ext/OS-OAUTH1/1.0/param/access_token_id",
    "consumer_id": "ext/OS-OAUTH1/1.0/param/consumer_id",
    "endpoint_group_id": "ext/OS-EP-FILTER/1.0/param/endpoint_group_id",
    "group": "param/config_group",
    "implied_role_id": "param/role_id",
    "option": "param/config_option",
    "request_token_id": "ext/OS-OAUTH1/1.0/param/request_token_id",
    "tag": "param/tag_value",
    "trust_id": "ext/OS-TRUST/1.0/param/trust_id",
}
UNNAMED = ("/projects/{project_id}/tags",)
"""What has no relation: the name that it would have is that of one tag."""


def document(paths: Iterable[str]) -> dict[str, Any]:
    """The home document of the routes below ``/v3``."""
    own = (path.removeprefix("/v3") for path in paths if path.startswith("/v3/"))
    return {"resources": dict(_resource(path) for path in own if path not in UNNAMED)}


def _resource(path: str) -> tuple[str, dict[str, Any]]:
    relation = f"{BASE}/{_relation(path)}"
    variables = re.findall(r"{(\w+)}", path)
    if not variables:
        return relation, {"href": path}
    return relation, {
        "href-template": path,
        "href-vars": {name: f"{BASE}/{VARIABLES.get(name, f'param/{name}')}" for name in variables},
    }


def _relation(path: str) -> str:
    shape = re.sub(r"{\w+}", "{}", path)
    for kind, known in RELATIONS.items():
        if shape in known:
            return f"{kind}/{known[shape]}"
    names, kind = [], "rel"
    parts = path.strip("/").split("/")
    for part, before, after in zip(parts, ["", *parts], [*parts[1:], ""], strict=False):
        if re.fullmatch(r"OS-[A-Z0-9-]+", part):
            kind = f"ext/{part}/1.0/rel"
        elif not part.startswith("{"):
            names.append(_singular(part) if after.startswith("{") else part)
        elif _singular(before) == before:
            # What is named by no plural: domain_config_group
            names.append(part.strip("{}"))
    return f"{kind}/{'_'.join(names)}"


def _singular(word: str) -> str:
    return f"{word.removesuffix('ies')}y" if word.endswith("ies") else word.removesuffix("s")
