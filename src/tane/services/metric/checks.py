"""What the doctor and ``tane status`` tell of samples that wait to be sent: by the rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import inspect

from tane.config import Config
from tane.db import Database
from tane.finding import Finding
from tane.services.metric.domain import timespans
from tane.services.metric.store import outgoing as store
from tane.services.metric.store.database import APART
from tane.services.metric.tables import sending, sending_loss

TOLD = 86400.0
"""Seconds: what was lost before that is history."""


@dataclass(frozen=True)
class Loss:
    """Samples that were lost, all of them; and how many seconds ago the last were, and why."""

    samples: int
    ago: float
    error: str


@dataclass(frozen=True)
class Sending:
    """``waited``, ``failing``: seconds, of the oldest that waits and since the first of the failures; None: none.
    ``error``: of those. ``refused``, ``dropped``: None where nothing was lost."""

    samples: int
    waited: float | None
    failing: float | None
    sent: int
    refused: Loss | None = None
    dropped: Loss | None = None
    error: str = ""


def state(config: Config) -> Sending | None:
    """How it goes; None: nothing is sent, or nothing was measured yet."""
    if not config.prometheus.remote_write_url or not APART.may_exist(config):
        return None
    database = Database(config.database, readers=1, apart=APART.name)
    try:
        with database.read() as tx:
            if not inspect(tx.connection).has_table(sending.name):
                return None
            now = timespans.of_naive(tx.now) / timespans.SECOND
            waiting, row = store.waiting(tx), store.state(tx)
            losses = store.losses(tx) if inspect(tx.connection).has_table(sending_loss.name) else {}
    finally:
        database.close()
    waited = None if waiting.oldest is None else now - waiting.oldest
    if row is None:
        return Sending(waiting.samples, waited, None, 0)
    failing = None if row.failing_since is None else now - row.failing_since
    counted = {"refused": row.refused, "dropped": row.dropped}
    told = {kind: Loss(counted[kind], now - one.at, one.error) for kind, one in losses.items()}
    return Sending(
        waiting.samples, waited, failing, row.sent, told.get("refused"), told.get("dropped"), error=row.error
    )


def sentence(config: Config) -> str | None:
    """For ``tane status``."""
    found = state(config)
    if found is None:
        return None
    said = f"{found.sent} samples sent to Prometheus, {found.samples} wait"
    if found.failing is not None:
        said += f"; not taken since {round(found.failing)} s: {found.error}"
    return said


def _ago(loss: Loss) -> str:
    return f"{max(0, round(loss.ago / 60))} minutes ago"


def findings(config: Config) -> Iterator[Finding]:
    """For the doctor."""
    found = state(config)
    if found is None:
        return
    url = config.prometheus.remote_write_url
    if found.failing is not None:
        yield Finding(
            "warning",
            f"{url} takes no samples since {round(found.failing)} s: {found.error}",
            f"{found.samples} wait; what is more than {config.prometheus.queue_mb} MiB goes, the oldest first.",
            "start what is there, or change [prometheus] of tane.toml",
        )
    if found.refused is not None and found.refused.ago < TOLD:
        yield Finding(
            "warning",
            f"{url} refused samples for good, the last {_ago(found.refused)}: {found.refused.error}",
            f"{found.refused.samples} in all are not there, and are not sent again.",
            "read the log of what is there",
        )
    if found.dropped is not None and found.dropped.ago < TOLD:
        yield Finding(
            "warning",
            f"Samples for {url} had no room while nobody took them, the last {_ago(found.dropped)}.",
            f"{found.dropped.samples} in all are in this cloud's metrics only.",
            "queue_mb of [prometheus] in tane.toml",
        )
