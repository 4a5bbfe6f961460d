"""What other services may ask of events."""

from tane.services.event.domain.following import newest

__all__ = ["newest"]
