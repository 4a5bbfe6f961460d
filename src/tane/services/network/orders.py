"""What the network asks of the job runner: compute carries it out, which knows the network and not the other way."""

from __future__ import annotations

import msgspec

from tane.jobs import Order


class DetachInterface(msgspec.Struct):
    server_id: str
    port_id: str


DETACH_INTERFACE = Order("compute.detach_interface", DetachInterface)
