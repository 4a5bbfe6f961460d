"""Makes, moves, verifies and replaces copies on hosts."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.object.domain import repair


async def heal(core: Core) -> str | None:
    """One pass; a sentence that says what was done."""
    done = await repair.run(core)
    return "; ".join(f"{count} {what}" for what, count in done.items()) or None


RECONCILER = Reconciler("object-copies", heal, interval=15.0, topic=repair.TOPIC, scope="host")
