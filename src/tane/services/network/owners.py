"""``device_owner`` values: what a port belongs to."""

from __future__ import annotations

ROUTER_INTERFACE = "network:router_interface"
ROUTER_GATEWAY = "network:router_gateway"
FLOATING_IP = "network:floatingip"
DHCP = "network:dhcp"
COMPUTE = "compute:nova"
ROUTER_OWNERS = (ROUTER_INTERFACE, ROUTER_GATEWAY)
SERVICE_OWNERS = (*ROUTER_OWNERS, FLOATING_IP)
"""Owners of ports that are deleted with what they belong to, never by themselves."""
