"""Actions on stacks."""

from __future__ import annotations

from msgspec import UNSET

from tane.services.orchestration.api.common import stack_of
from tane.services.orchestration.domain import snapshots, stacks
from tane.web.errors import BadRequest, Forbidden
from tane.web.request import Request, Response


def act(request: Request) -> Response:
    """:raises BadRequest: not exactly one action."""
    stack_id, name = stack_of(request)
    stacks.look_for(request.core, request.ctx, stack_id, name)
    given = [one for one in request.body.__struct_fields__ if getattr(request.body, one) is not UNSET]
    if len(given) != 1:
        raise BadRequest("Multiple actions specified" if given else "No action specified")
    action = given[0]
    if not request.allows(f"actions:{action}"):
        raise Forbidden("You are not authorized to complete this action.", type="Forbidden")
    if action == "snapshot":
        snapshots.create(request.core, request.ctx, stack_id, name, None)
    elif action in ("cancel_update", "cancel_without_rollback"):
        stacks.cancel(request.core, request.ctx, stack_id, name, roll_back=action == "cancel_update")
    else:
        stacks.turn(request.core, request.ctx, stack_id, name, action.upper())
    return Response(status=200 if action in ("suspend", "resume") else 201)
