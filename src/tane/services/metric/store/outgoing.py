"""SQL of what waits to be sent to the operator's Prometheus."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from tane.db import Tx
from tane.services.metric.tables import metric, outgoing, resource, sending, sending_loss

ONE = 1
AT_ONCE = 500


def add(tx: Tx, **values: Any) -> None:
    tx.insert(outgoing, **values)


def sizes(tx: Tx, count: int) -> list[Row[Any]]:
    """``sequence``, ``samples`` and ``size`` of the oldest."""
    columns = outgoing.c.sequence, outgoing.c.samples, outgoing.c.size
    return tx.all(select(*columns).order_by(outgoing.c.sequence).limit(count))


def size(tx: Tx) -> int:
    """Bytes of all."""
    return int(tx.scalar(select(func.sum(outgoing.c.size))) or 0)


def waiting(tx: Tx) -> Row[Any]:
    """``samples`` and since when the oldest waits (None: nothing does)."""
    counted = func.coalesce(func.sum(outgoing.c.samples), 0).label("samples"), func.min(outgoing.c.at).label("oldest")
    row = tx.first(select(*counted))
    assert row is not None
    return row


def first(tx: Tx, samples: int, count: int) -> tuple[list[Row[Any]], bool]:
    """The oldest: ``count`` at most of so many samples together, but one in any case; and whether there are more."""
    columns = outgoing.c.sequence, outgoing.c.samples
    sizes = tx.all(select(*columns).order_by(outgoing.c.sequence).limit(count + 1))
    if not sizes:
        return [], False
    fits = sum(total <= samples for total in itertools.accumulate(int(row.samples) for row in sizes[:count]))
    last = sizes[max(fits, 1) - 1].sequence
    rows = tx.all(select(outgoing).where(outgoing.c.sequence <= last).order_by(outgoing.c.sequence))
    return rows, sizes[-1].sequence > last


def forget(tx: Tx, until: int) -> None:
    tx.execute(delete(outgoing).where(outgoing.c.sequence <= until))


def forget_all(tx: Tx) -> None:
    tx.execute(delete(outgoing))
    tx.execute(delete(sending))
    tx.execute(delete(sending_loss))


def state(tx: Tx) -> Row[Any] | None:
    return tx.first(select(sending))


def add_to_state(tx: Tx, *, sent: int = 0, refused: int = 0, dropped: int = 0, **values: Any) -> None:
    if state(tx) is None:
        tx.insert(sending, id=ONE, sent=0, refused=0, dropped=0, error="")
    counted = {
        "sent": sending.c.sent + sent,
        "refused": sending.c.refused + refused,
        "dropped": sending.c.dropped + dropped,
    }
    tx.execute(update(sending).values(**counted, **values))


def lose(tx: Tx, kind: str, samples: int, at: float, error: str = "") -> None:
    """These are ``refused`` or ``dropped``."""
    add_to_state(tx, **{kind: samples})
    if not tx.update(sending_loss, {"kind": kind}, at=at, error=error):
        tx.insert(sending_loss, kind=kind, at=at, error=error)


def losses(tx: Tx) -> dict[str, Row[Any]]:
    """``at`` and ``error`` of the last of each kind."""
    return {row.kind: row for row in tx.all(select(sending_loss))}


def series(tx: Tx, numbers: Sequence[int]) -> list[Row[Any]]:
    """``number``, ``name`` and of what they are, of metrics."""
    columns = (
        *(metric.c.number, metric.c.name, metric.c.unit),
        *(resource.c.original_resource_id, resource.c.type, resource.c.project_id, resource.c.attributes),
    )
    query = select(*columns).join(resource, metric.c.resource_id == resource.c.id)
    found: list[Row[Any]] = []
    for begin in range(0, len(numbers), AT_ONCE):
        found += tx.all(query.where(metric.c.number.in_(numbers[begin : begin + AT_ONCE])))
    return found
