"""Stacks that leave what they made, and stacks that begin with it: what was abandoned can be adopted again.

What a user brings is a list of ids and a few words that types keep. It gives no right: each thing is looked for, and
later changed and deleted, as the user who brings it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration import resources as kinds
from tane.services.orchestration.domain.common import (
    MOST_DEPTH,
    MOST_RESOURCES,
    RequestLimitExceeded,
    StackValidationFailed,
)
from tane.services.orchestration.domain.requests import Asked
from tane.services.orchestration.store import resources, stacks
from tane.services.orchestration.template import TemplateError, effort
from tane.services.orchestration.template.reading import read
from tane.web.errors import BadRequest

ID = re.compile(r"[^\x00-\x1f\x7f/?#%]{1,255}\Z")
MOST_METADATA = 65_536


class Entry(msgspec.Struct, kw_only=True):
    """A resource as it was left. ``resources``: of its nested stack."""

    resource_id: str | None = None
    resource_data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    resources: dict[str, Entry] | None = None


class Data(msgspec.Struct, kw_only=True):
    """A stack as it was left, with what is needed to make it again."""

    template: dict[str, Any]
    environment: dict[str, Any] = {}
    files: dict[str, Any] = {}
    resources: dict[str, Entry] = {}


def data_of(given: str | Mapping[str, Any]) -> Data:
    """What a request brings. :raises BadRequest: it is none of the documents that abandoning a stack gives.
    :raises RequestLimitExceeded: too many resources, or too deep."""
    try:
        if isinstance(given, str):
            effort.read(len(given))
            given = read(given, what="adopt_stack_data", limit=max(len(given), 1) * 8)
        found = msgspec.convert(given, Data)
    except (msgspec.ValidationError, TemplateError) as error:
        raise BadRequest(f"Invalid adopt data: {getattr(error, 'message', error)}") from None
    count = _count(found.resources, 0)
    if count > MOST_RESOURCES:
        raise RequestLimitExceeded(
            f"Request limit exceeded: Maximum resources per stack exceeded. At most {MOST_RESOURCES} are possible."
        )
    return found


def _count(entries: Mapping[str, Entry], depth: int) -> int:
    if depth > MOST_DEPTH:
        raise RequestLimitExceeded(f"Request limit exceeded: Recursion depth exceeds {MOST_DEPTH}.")
    for name, entry in entries.items():
        if entry.resource_id is not None and not ID.match(entry.resource_id):
            raise StackValidationFailed(f"Invalid adopt data: resources.{name[:255]}.resource_id is no id.")
        if len(msgspec.json.encode(entry.metadata)) > MOST_METADATA:
            raise StackValidationFailed(f"Invalid adopt data: resources.{name[:255]}.metadata is too long.")
    return len(entries) + sum(_count(entry.resources or {}, depth + 1) for entry in entries.values())


def asked(given: Asked, data: Data) -> Asked:
    """A request that brings a stack: what it does not say is as the stack was."""
    return msgspec.structs.replace(
        given,
        template=given.template or data.template,
        files={**data.files, **(given.files or {})},
        environment=given.environment or data.environment,
    )


def kept(entries: Mapping[str, Entry]) -> dict[str, Any]:
    """The entries as rows keep them."""
    found: dict[str, Any] = msgspec.to_builtins(dict(entries))
    return found


def left(tx: Tx, row: Row[Any]) -> dict[str, Any]:
    """A stack with its resources and nested stacks, as clients keep it."""
    source = stacks.source(tx, row)
    return {
        "name": row.name,
        "id": row.id,
        "action": row.action,
        "status": row.status,
        "template": source["template"],
        "environment": source["environment"],
        "files": source["files"],
        "resources": _resources(tx, row),
        "project_id": row.project_id,
        "stack_user_project_id": row.project_id,
    }


def _resources(tx: Tx, stack: Row[Any]) -> dict[str, Any]:
    below = {one.parent_resource_id: one for one in stacks.children(tx, [stack.id])}
    found: dict[str, Any] = {}
    for row in resources.of_stack(tx, stack.id):
        effort.look()
        if not row.current:
            continue
        kind = kinds.made_by(row.declared.get("kind", ""), row.type)
        entry = {
            "name": row.name,
            "resource_id": row.physical_id,
            "type": row.type,
            "action": row.action,
            "status": row.status,
            "metadata": row.metadata,
            "resource_data": {name: row.data[name] for name in kind.brings if name in row.data},
        }
        child = below.get(row.id)
        if child is not None:
            entry["template"] = child.source["template"]
            entry["resources"] = _resources(tx, child)
        found[row.name] = entry
    return found
