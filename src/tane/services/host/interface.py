"""What the composition root may ask of the hosts' service."""

from __future__ import annotations

from tane.services.host.domain.hosts import remove

__all__ = ["remove"]
