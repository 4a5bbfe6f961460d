"""Putting servers away (Compute API: "Shelve Server", "Unshelve (Restore) Shelved Server")."""

from __future__ import annotations

from msgspec import UNSET

from tane.services.compute.domain import shelving
from tane.services.compute.policies import PREFIX
from tane.web.errors import BadRequest, Forbidden
from tane.web.request import Request


def shelve(request: Request) -> None:
    shelving.shelve(request.core, request.ctx, request.path["server_id"])


def offload(request: Request) -> None:
    shelving.offload(request.core, request.ctx, request.path["server_id"])


def unshelve(request: Request) -> None:
    """A host may be named by administrators only; from 2.91 on, as the zone may be given up (null)."""
    wanted = request.body.unshelve
    if wanted is not None and request.version < (2, 91) and wanted.availability_zone in (UNSET, None):
        raise BadRequest("Invalid input for field/attribute unshelve. 'availability_zone' is a required property")
    zone = wanted.availability_zone if wanted is not None else UNSET
    host = wanted.host if wanted is not None else None
    rule = f"{PREFIX}:os-shelve:unshelve_to_host"
    if host is not None and not request.allows(rule, {}):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
    server_id = request.path["server_id"]
    named = None if zone is UNSET else zone
    shelving.unshelve(request.core, request.ctx, server_id, named, host, pin=zone is not UNSET)
