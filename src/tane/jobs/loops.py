"""Loops that must not end while the cloud runs."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()
AFTER_FAILURE_SECONDS = 1.0


async def forever(name: str, once: Callable[[], Awaitable[None]]) -> None:
    """Call ``once`` again and again until cancelled. A round that fails (a full disk, a database away) is told in the
    log, and the next one comes a second later."""
    while True:
        try:
            await once()
        except Exception:
            log.error("round failed", loop=name, error=traceback.format_exc())
            await asyncio.sleep(AFTER_FAILURE_SECONDS)
