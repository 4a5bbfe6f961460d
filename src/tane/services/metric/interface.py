"""What other services, and the composition root, may ask of metrics."""

from __future__ import annotations

from tane.core import Core
from tane.services.metric.domain import gathering
from tane.wire.documents import Meters

__all__ = ["measured"]


def measured(core: Core, host_id: str, meters: Meters) -> None:
    """A host tells what it measured."""
    gathering.take(core, host_id, meters)
