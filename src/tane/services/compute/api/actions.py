"""Actions on a server, its console and the record of what was done (Compute API: "Servers - run an action")."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.hosts.told import told_to_the_caller
from tane.services.compute.api.common import root
from tane.services.compute.api.server_view import View
from tane.services.compute.domain import actions, history, passwords, servers, snapshots
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, Conflict, NotFound, NotImplementedHere
from tane.web.request import Request, Response
from tane.wire.errors import NotSupported

LONGEST_CONSOLE = 1 << 20
EVENTS = "os_compute_api:os-instance-actions:events"
BYTES_PER_LINE = 512


def start(request: Request) -> None:
    actions.start(request.core, request.ctx, request.path["server_id"])


def stop(request: Request) -> None:
    actions.stop(request.core, request.ctx, request.path["server_id"])


def pause(request: Request) -> None:
    actions.pause(request.core, request.ctx, request.path["server_id"])


def unpause(request: Request) -> None:
    actions.unpause(request.core, request.ctx, request.path["server_id"])


def suspend(request: Request) -> None:
    actions.suspend(request.core, request.ctx, request.path["server_id"])


def resume(request: Request) -> None:
    actions.resume(request.core, request.ctx, request.path["server_id"])


def reboot(request: Request) -> None:
    hard = request.body.reboot.type.upper() == "HARD"
    actions.reboot(request.core, request.ctx, request.path["server_id"], hard=hard)


def rebuild(request: Request) -> Response:
    shown, password = actions.rebuild(request.core, request.ctx, request.path["server_id"], request.body.rebuild)
    row = shown.rows[0]
    body = View(request, shown).changed(row)
    if request.version >= (2, 54):
        body["key_name"] = row.key_name
    if request.version >= (2, 57):
        body["user_data"] = row.user_data
        # From 2.75 the answer is that of a server shown, but for this field, which it has under the name above.
        body.pop("OS-EXT-SRV-ATTR:user_data", None)
    body["adminPass"] = password
    location = request.link(f"{root(request)}/servers/{row.id}")
    return Response({"server": body}, status=202, headers={"Location": location})


def create_image(request: Request) -> Response:
    wanted = request.body.createImage
    image_id = snapshots.create_image(
        request.core, request.ctx, request.path["server_id"], wanted.name, wanted.metadata
    )
    if request.version >= (2, 45):
        return Response({"image_id": image_id}, status=202)
    return Response(status=202, headers={"Location": f"{request.base_url}/image/v2/images/{image_id}"})


def lock(request: Request) -> None:
    reason = request.body.lock.locked_reason if request.body.lock is not None else None
    servers.lock(request.core, request.ctx, request.path["server_id"], reason)


def unlock(request: Request) -> None:
    servers.unlock(request.core, request.ctx, request.path["server_id"])


def reset_state(request: Request) -> None:
    servers.reset_state(request.core, request.ctx, request.path["server_id"], request.body.reset.state)


def force_delete(request: Request) -> None:
    servers.delete(request.core, request.ctx, request.path["server_id"])


def add_security_group(request: Request) -> None:
    name = request.body.addSecurityGroup.name
    servers.set_security_group(request.core, request.ctx, request.path["server_id"], name, add=True)


def remove_security_group(request: Request) -> None:
    name = request.body.removeSecurityGroup.name
    servers.set_security_group(request.core, request.ctx, request.path["server_id"], name, add=False)


async def change_password(request: Request) -> None:
    """Through the agent inside the guest, while the caller waits."""
    core, server_id = request.core, request.path["server_id"]
    row, user = await core.in_thread(passwords.to_change, core, request.ctx, server_id)
    with told_to_the_caller(f"instance {row.id}"):
        try:
            await core.hosts.compute(row.host_id).set_password(row.id, user, request.body.changePassword.adminPass)
        except NotSupported:
            raise NotImplementedHere("Unable to set password on instance") from None


def restore(request: Request) -> None:
    """Servers are deleted at once: none is kept to be restored, as upstream where nothing is reclaimed later."""
    found = servers.row(request.core, request.ctx, request.path["server_id"])
    raise Conflict(f"Cannot 'restore' instance {found.id} while it is in vm_state {found.vm_state}")


def not_done(request: Request) -> None:
    """An action of the API that Tane does not have yet."""
    servers.row(request.core, request.ctx, request.path["server_id"])
    [name] = msgspec.json.decode(request.raw)
    raise NotImplementedHere(f"The action '{name}' is not implemented.")


HOST = re.compile(r"\bhost [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def without_hosts(text: str | None) -> str | None:
    return HOST.sub("the host", text) if text else text


# --------------------------------------------------------------------------------------------------------- console


async def console_output(request: Request) -> dict[str, Any]:
    """The end of the serial console; the host is asked while the caller waits."""
    row = await request.core.in_thread(servers.row, request.core, request.ctx, request.path["server_id"])
    length = request.body.output.length
    if length is not None and length < -1:
        raise BadRequest("Invalid input for field/attribute length. A value of at least -1 is expected")
    if row.host_id is None:
        raise Conflict(f"Instance {row.id} is not ready")
    size = LONGEST_CONSOLE if length in (None, -1) else min(LONGEST_CONSOLE, int(length or 0) * BYTES_PER_LINE)
    with told_to_the_caller(f"instance {row.id}"):
        text = await request.core.hosts.compute(row.host_id).console_log(row.id, max_bytes=max(size, 1))
    lines = text.decode(errors="replace")
    if length is not None and length >= 0:
        lines = "".join(lines.splitlines(keepends=True)[-length:]) if length else ""
    return {"output": lines}


# --------------------------------------------------------------------------------------------------------- history


def instance_actions(request: Request) -> dict[str, Any]:
    found = history.actions(request.core, request.ctx, request.path["server_id"])
    return {"instanceActions": [_action_view(request, action) for action in found]}


def instance_action(request: Request) -> dict[str, Any]:
    server_id, request_id = request.path["server_id"], request.path["request_id"]
    action = history.action(request.core, request.ctx, server_id, request_id)
    if action is None:
        raise NotFound(f"Action for request_id {request_id} on instance {server_id} not found")
    body = _action_view(request, action)
    if request.version >= (2, 51) or request.allows(EVENTS):
        body["events"] = [_event_view(request, action.job, event) for event in action.events]
    return {"instanceAction": body}


def _action_view(request: Request, action: history.Action) -> dict[str, Any]:
    job = action.job
    body = {
        "action": action.name,
        "instance_uuid": request.path["server_id"],
        "message": "Error" if job.error and job.state in ("failed", "unwinding") else None,
        "project_id": job.project_id,
        "request_id": job.request_id,
        "start_time": iso_micro(job.created_at),
        "user_id": job.user_id,
    }
    if request.version >= (2, 58):
        body["updated_at"] = iso_micro(job.finished_at or job.created_at)
    return body


def _event_view(request: Request, job: Row[Any], event: history.Event) -> dict[str, Any]:
    body = {
        "event": f"compute_{event.name}",
        "start_time": iso_micro(event.started_at),
        "finish_time": iso_micro(event.finished_at),
        "result": event.result,
        "traceback": event.detail if request.allows(EVENTS) and event.result == "Error" else None,
    }
    if request.version >= (2, 62):
        body["hostId"] = event.host_hash
        if request.allows(EVENTS):
            body["host"] = event.host_name
    if request.version >= (2, 84):
        # Which host it was is for administrators.
        body["details"] = event.detail if request.allows(f"{EVENTS}:details") else without_hosts(event.detail)
    return body
