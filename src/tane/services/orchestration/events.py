"""What orchestration tells of: every change of these rows is an event. What templates say is not in them."""

from tane.db.recording import Part, Source
from tane.services.orchestration.tables import (
    software_config,
    software_deployment,
    stack,
    stack_resource,
    stack_snapshot,
    stack_snapshot_part,
    stack_tag,
)

STACK = Source(stack, "orchestration.stack", shows=("name", "action", "status"), gone="deleted")

SNAPSHOT = Source(stack_snapshot, "orchestration.snapshot", shows=("stack_id", "name", "action", "status"))

EVENTS = (
    STACK,
    SNAPSHOT,
    Part(stack_snapshot_part, "snapshot_id", SNAPSHOT),
    Part(stack_tag, "stack_id", STACK),
    Source(
        stack_resource,
        "orchestration.resource",
        shows=("name", "type", "stack_id", "physical_id", "action", "status"),
        ignores=("traversal", "working", "data", "cleared", "expires_at", "bytes"),
    ),
    Source(software_config, "orchestration.software_config", shows=("name", "group")),
    Source(software_deployment, "orchestration.software_deployment", shows=("server_id", "status")),
)
"""``stack_event`` is told by the resources and stacks that it speaks of."""
