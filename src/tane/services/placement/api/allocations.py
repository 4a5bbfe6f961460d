"""Allocations (Placement API: "Allocations")."""

from __future__ import annotations

from typing import Any

from tane.services.placement.api.common import dated
from tane.services.placement.domain import providers
from tane.web.request import Request


@dated
def show(request: Request) -> dict[str, Any]:
    """What a server, or a move of one, claims of each host."""
    consumer, generations = providers.consumer(request.core, request.path["consumer_id"])
    if consumer is None:
        return {"allocations": {}}
    held = consumer.held.items()
    body: dict[str, Any] = {
        "allocations": {host: {"generation": generations[host], "resources": amounts} for host, amounts in held}
    }
    if request.version >= (1, 12):
        body |= {"project_id": consumer.project_id, "user_id": consumer.user_id}
    if request.version >= (1, 28):
        body["consumer_generation"] = consumer.generation
    if request.version >= (1, 38):
        body["consumer_type"] = consumer.kind
    return body
