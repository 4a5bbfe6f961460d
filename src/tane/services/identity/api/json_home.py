"""The home document: every resource of the API with its address (draft-nottingham-json-home-03), from the route table.

A resource's relation is made of its path: ``/v3/projects/{project_id}/users/{user_id}/roles`` is project_user_roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

BASE = "https://docs.openstack.org/api/openstack-identity/3"
CONTENT_TYPE = "application/json-home"


def document(paths: Iterable[str]) -> dict[str, Any]:
    """The home document of the routes below ``/v3``."""
    return {"resources": dict(_resource(path.removeprefix("/v3")) for path in paths if path.startswith("/v3/"))}


def _resource(path: str) -> tuple[str, dict[str, Any]]:
    names, kind = [], "rel"
    parts = path.strip("/").split("/")
    for part, before, after in zip(parts, ["", *parts], [*parts[1:], ""], strict=False):
        if re.match(r"OS-[A-Z0-9-]+$", part):
            kind = f"ext/{part}/1.0/rel"
        elif not part.startswith("{"):
            names.append(_singular(part) if after.startswith("{") else part)
        elif _singular(before) == before:
            # What is named by no plural: domain_config_group
            names.append(part.strip("{}"))
    relation = f"{BASE}/{kind}/{'_'.join(names)}"
    variables = re.findall(r"{(\w+)}", path)
    if not variables:
        return relation, {"href": path}
    return relation, {
        "href-template": path,
        "href-vars": {name: f"{BASE}/param/{name}" for name in variables},
    }


def _singular(word: str) -> str:
    return f"{word.removesuffix('ies')}y" if word.endswith("ies") else word.removesuffix("s")
