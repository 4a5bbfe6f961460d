"""Floating IPs by actions of a server, as clients had them before 2.44 (Compute API: "Add (Associate) Floating Ip")."""

from __future__ import annotations

from tane.services.compute.domain import floating_ips
from tane.web.request import Request


def add(request: Request) -> None:
    wanted = request.body.addFloatingIp
    floating_ips.add(request.core, request.ctx, request.path["server_id"], wanted.address, wanted.fixed_address)


def remove(request: Request) -> None:
    wanted = request.body.removeFloatingIp
    floating_ips.remove(request.core, request.ctx, request.path["server_id"], wanted.address)
