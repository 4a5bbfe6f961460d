"""The database of metrics: beside the control plane's, so that samples never wait for it, nor it for them."""

from __future__ import annotations

from sqlalchemy import Connection

from tane.apart import Apart
from tane.services.metric.store import beginning
from tane.services.metric.tables import metadata


def _make(connection: Connection) -> None:
    metadata.create_all(connection)
    beginning.fill(connection)


APART = Apart("metrics", "metric_schema", "metrics", (_make,), readers=4)
of, exists = APART.of, APART.exists
