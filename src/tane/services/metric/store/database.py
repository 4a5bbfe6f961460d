"""The database of metrics: beside the control plane's, so that samples never wait for it, nor it for them."""

from __future__ import annotations

from sqlalchemy import Connection

from tane.apart import Apart
from tane.services.metric.store import beginning
from tane.services.metric.tables import metadata, outgoing, sending, sending_loss


def _make(connection: Connection) -> None:
    metadata.create_all(connection)
    beginning.fill(connection)


def _add_outgoing(connection: Connection) -> None:
    metadata.create_all(connection, tables=[outgoing, sending])


def _add_losses(connection: Connection) -> None:
    metadata.create_all(connection, tables=[sending_loss])


APART = Apart("metrics", "metric_schema", "metrics", (_make, _add_outgoing, _add_losses), readers=4)
of, exists = APART.of, APART.exists
