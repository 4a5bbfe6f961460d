"""The database of metrics: beside the control plane's, so that samples never wait for it, nor it for them."""

from __future__ import annotations

from sqlalchemy import Connection

from tane.apart import Apart
from tane.services.metric.store import beginning
from tane.services.metric.tables import metadata, outgoing, sending


def _make(connection: Connection) -> None:
    metadata.create_all(connection)
    beginning.fill(connection)


def _add_outgoing(connection: Connection) -> None:
    metadata.create_all(connection, tables=[outgoing, sending])


APART = Apart("metrics", "metric_schema", "metrics", (_make, _add_outgoing), readers=4)
of, exists = APART.of, APART.exists
