"""The newest values of what the cloud measures, kept while somebody asks for them: what is folded is a mean."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tane.core import Core
from tane.services.metric.domain.measured import Thing, Values

MEMORY = "metric.latest"
ASKED_SECONDS = 3600.0
STALE_SECONDS = 300.0
"""As old as what Prometheus itself still shows."""
ROWS = "rows"
"""Who tells what no host measures."""

Measured = Sequence[tuple[Thing, Values]]


@dataclass
class _Latest:
    asked: float = 0.0
    by_source: dict[str, tuple[float, Measured]] = field(default_factory=dict)


def keep(core: Core, source: str, told: Measured) -> None:
    """Remember what a host, or :data:`ROWS`, tells."""
    latest: _Latest | None = core.memory.get(MEMORY)
    if latest is None:
        return
    now = time.monotonic()
    if now - latest.asked > ASKED_SECONDS:
        core.memory.pop(MEMORY, None)
        return
    # Whoever told last is the last to be read: of what moved, the new host's word counts.
    for name in [name for name, (at, _) in [*latest.by_source.items()] if now - at > STALE_SECONDS or name == source]:
        latest.by_source.pop(name, None)
    latest.by_source[source] = now, told


def every(core: Core) -> Iterator[tuple[Thing, Values]]:
    """Everything that was told lately, each thing's values once; nothing when it is asked for the first time."""
    latest: _Latest = core.memory.setdefault(MEMORY, _Latest())
    now = latest.asked = time.monotonic()
    found: dict[tuple[str, tuple[str, ...]], tuple[Thing, Values]] = {}
    for at, told in [*latest.by_source.values()]:
        if now - at < STALE_SECONDS:
            found.update(((thing.text, values[0]), (thing, values)) for thing, values in told)
    yield from found.values()
