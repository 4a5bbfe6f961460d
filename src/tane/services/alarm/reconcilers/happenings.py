"""Compares events with the alarms that wait for them."""

from __future__ import annotations

import asyncio

from tane.core import Core
from tane.db.recording import TOPIC
from tane.jobs import Reconciler
from tane.services.alarm.domain import happenings

REST_SECONDS = 1.0


async def look(core: Core) -> str | None:
    """One pass; a sentence when an alarm went off."""
    if happenings.nobody_waits(core):
        return None
    gone_off = await core.in_thread(happenings.look, core)
    # What happens within a second is met by one pass: each writes down how far it came.
    await asyncio.sleep(REST_SECONDS)
    return f"{gone_off} alarms went off by events" if gone_off else None


RECONCILER = Reconciler("alarm.happenings", look, interval=60.0, topic=TOPIC, scope="cloud")
