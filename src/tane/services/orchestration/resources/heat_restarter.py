"""``OS::Heat::HARestarter``: on a signal another server takes the place of one of the stack.

Heat has it hidden, as deprecated: groups that replace their members themselves need none (decision 31).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.resources.declaring import shown, text

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand


class HARestarter(Kind):
    name = "OS::Heat::HARestarter"
    description = "A resource to handle restarting servers: on a signal another takes the place of one."
    hidden = True
    properties = {"InstanceID": text("Instance ID to be restarted.", required=True)}
    attributes = shown(["AlarmUrl"])

    def create(self, hand: Hand) -> str | None:
        hand.signal_url()
        return hand.short_name()

    def attribute(self, hand: Hand, name: str) -> Any:
        return hand.signal_url() if name == "AlarmUrl" else {}

    def signal(self, hand: Hand, details: Mapping[str, Any]) -> Any:
        """With ``alarm`` as the new state, or without any. The stack is updated to what it is, with the server as
        unhealthy."""
        from tane.services.orchestration.domain import engine, rights
        from tane.services.orchestration.domain.common import FAILED, IN_PROGRESS, record
        from tane.services.orchestration.store import resources, stacks

        if str(details.get("current", details.get("state", "alarm"))).lower() != "alarm":
            return "nothing: no alarm"
        victim = resources.by_physical_id(hand.tx, hand.stack.id, str(hand.properties["InstanceID"]))
        if victim is None or not victim.current:
            return "nothing: no such instance in this stack"
        if hand.stack.status == IN_PROGRESS or victim.working:
            return "nothing: the stack is being changed"
        resources.change(hand.tx, victim.id, action="CHECK", status=FAILED, reason="its restarter was signalled")
        marked = resources.get(hand.tx, victim.id)
        record(hand.tx, hand.stack.id, marked, "CHECK", FAILED, "its restarter was signalled", asked=True)
        source = stacks.source(hand.tx, hand.stack)
        values = {**rights.before(hand.stack), **rights.of_stack(hand.stack), "request_id": hand.ctx.request_id}
        engine.begin(hand.tx, hand.core, hand.stack.id, "UPDATE", source=source, **values)
        return f"another takes the place of {victim.name}"
