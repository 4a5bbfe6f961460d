"""Documents of whether guests answer."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tane.wire.documents import Document
from tane.wire.grammar import Id, Reason
from tane.wire.grammar import Port as PortNumber

MOST_ASKED = 1024
"""Guests that a host asks in one call."""


class Door(Document):
    """A TCP port of a guest, by the port of the network that its card is."""

    port_id: Id
    tcp_port: PortNumber


Guests = Annotated[list[Id], Meta(max_length=MOST_ASKED)]
Doors = Annotated[list[Door], Meta(max_length=MOST_ASKED)]
Answers = Annotated[dict[Id, Reason], Meta(max_length=MOST_ASKED)]
"""Why who was asked does not answer; empty for one that does. Of whom nothing is said the host cannot tell."""
