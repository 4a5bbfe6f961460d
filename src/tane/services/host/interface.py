"""What the composition root may ask of the hosts' service."""

from __future__ import annotations

from tane.services.host.domain.hosts import remove, roles_refused

__all__ = ["remove", "roles_refused"]
