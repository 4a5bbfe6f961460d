"""What the rules share: words of states, limits, errors as Heat words them, the writing of events."""

from __future__ import annotations

import re
import uuid
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration.store import events, stacks
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,254}\Z")
STACK_TYPE = "OS::Heat::Stack"
MOST_RESOURCES = 1000
VALUES_BYTES = 128 * 1024 * 1024
"""Of the properties, data and metadata of all resources of a project."""
MOST_STACKS = 512
MOST_EVENTS = 1000
EVENT_REASON = 1024
MOST_DEPTH = 5
MOST_TAGS = 80
TEMPLATE_BYTES = 512 * 1024
SOURCES_BYTES = 128 * 1024 * 1024
"""Of all stacks of a project; the files that a stack and those nested in it share count once."""
TIMEOUT_MINUTES = 60
LONGEST_MINUTES = 366 * 1440
"""Whatever is waited for in a stack is waited for no longer."""
MASK = "******"
IN_PROGRESS, COMPLETE, FAILED = "IN_PROGRESS", "COMPLETE", "FAILED"
NO_RIGHTS = (
    "The stack's owner has no rights in the project any more ({}). Update or delete the stack as a user who has."
)


class ByOwner(msgspec.Struct):
    """For whom the jobs of a stack, or of a snapshot of one, are done."""

    request_id: str
    user_id: str
    project_id: str


class StackValidationFailed(BadRequest):
    """What a template, or what is made of it, says wrong. ``path``: where, as long as its line is not told; in the
    environment where it is not ``of_template``."""

    def __init__(self, message: str, *, type: str | None = None, path: str = "", of_template: bool = True) -> None:
        super().__init__(message, type=type)
        self.path, self.of_template = path, of_template


class EntityNotFound(NotFound):
    """``The Stack (x) could not be found.``"""


class StackExists(Conflict):
    """Another of the same name."""


class ActionInProgress(Conflict):
    """The stack has something else to do."""


def refuse_busy(stack: Row[Any]) -> None:
    """:raises ActionInProgress: something is done with a stack."""
    if stack.status == IN_PROGRESS:
        raise ActionInProgress(f"Stack {stack.name} already has an action ({stack.action}) in progress.")


class RequestLimitExceeded(BadRequest):
    """A limit of stacks, resources or bytes."""


class InvalidTenant(Forbidden):
    """The path names another project than the token."""


def new_id() -> str:
    return str(uuid.uuid4())


def missing_stack(name: str) -> EntityNotFound:
    return EntityNotFound(f"The Stack ({name}) could not be found.")


def missing_resource(name: str, stack_name: str) -> NotFound:
    return NotFound(f"The Resource ({name}) could not be found in Stack {stack_name}.", type="ResourceNotFound")


def require(tx: Tx, ctx: Context, stack_id: str, name: str | None = None, *, deleted: bool = False) -> Row[Any]:
    """A stack of the caller's project (of any, for an administrator), deleted ones where asked for.

    :raises NotFound: there is none, or of another name.
    """
    row = stacks.get(tx, stack_id)
    if row is None or not ctx.sees(row.project_id) or (row.deleted and not deleted):
        raise missing_stack(name or stack_id)
    if name is not None and row.name != name:
        raise missing_stack(name)
    return row


def record(
    tx: Tx,
    stack_id: str,
    resource: Row[Any] | None,
    action: str,
    status: str,
    reason: str,
    *,
    physical_id: str | None = None,
    asked: bool = False,
) -> None:
    """Write an event of a resource, or of the stack itself. It never carries a property.

    ``asked``: by a user, who can ask for one after another: the oldest go. Those of an action end with that.
    """
    if resource is None:
        stack = stacks.get(tx, stack_id)
        assert stack is not None
        name, kind = stack.name, STACK_TYPE
    else:
        name, kind = resource.name, resource.type
    if physical_id is None:
        physical_id = stack_id if resource is None else resource.physical_id
    values = {
        "id": new_id(),
        "stack_id": stack_id,
        "resource_name": name,
        "resource_type": kind,
        "physical_id": physical_id,
        "action": action,
        "status": status,
        "reason": reason[:EVENT_REASON],
        "created_at": tx.now,
    }
    events.add(tx, values)
    if resource is None or asked:
        events.prune(tx, stack_id, MOST_EVENTS)
