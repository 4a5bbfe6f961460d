"""SQL of samples: batches as they come, chunks of what they became."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, case, delete, func, select

from tane.db import Tx
from tane.db.upserts import upsert
from tane.services.metric.tables import batch, chunk, raw, sender

AT_ONCE = 500


def add_batch(tx: Tx, **values: Any) -> None:
    tx.insert(batch, **values)


def sizes(tx: Tx, limit: int) -> list[Row[Any]]:
    """``sequence`` and ``samples`` of the oldest batches."""
    return tx.all(select(batch.c.sequence, batch.c["count"].label("samples")).order_by(batch.c.sequence).limit(limit))


def pending(tx: Tx, until: int) -> list[Row[Any]]:
    """Batches in the order they came, up to one of them."""
    return tx.all(select(batch).where(batch.c.sequence <= until).order_by(batch.c.sequence))


def pending_between(tx: Tx, low: int, high: int) -> Iterator[Row[Any]]:
    """Those that may hold samples of metrics with these numbers, one after the other."""
    query = select(batch).where(batch.c.low <= high, batch.c.high >= low).order_by(batch.c.sequence)
    yield from tx.execute(query)


def waiting(tx: Tx) -> Row[Any]:
    """``batches``, ``samples`` and since when the oldest waits."""
    counted = func.count().label("batches"), func.coalesce(func.sum(batch.c.count), 0).label("samples")
    row = tx.first(select(*counted, func.min(batch.c.at).label("oldest")))
    assert row is not None
    return row


def forget_batches(tx: Tx, until: int) -> None:
    tx.execute(delete(batch).where(batch.c.sequence <= until))


def raw_of(tx: Tx, numbers: Sequence[int]) -> dict[int, Row[Any]]:
    found: dict[int, Row[Any]] = {}
    for begin in range(0, len(numbers), AT_ONCE):
        part = raw.c.metric.in_(numbers[begin : begin + AT_ONCE])
        found |= {row.metric: row for row in tx.all(select(raw).where(part))}
    return found


def small_raw_of(tx: Tx, numbers: Sequence[int], most: int) -> list[Row[Any]]:
    """``times`` and ``values`` are NULL where there are more bytes of each."""
    small = func.length(raw.c.times) <= most
    columns = raw.c.metric, case((small, raw.c.times)).label("times"), case((small, raw.c["values"])).label("values")
    found: list[Row[Any]] = []
    for begin in range(0, len(numbers), AT_ONCE):
        found += tx.all(select(*columns).where(raw.c.metric.in_(numbers[begin : begin + AT_ONCE])))
    return found


def keep_raw(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    upsert(tx, raw, ("metric",), ("times", "values"), rows)


def chunks_of(
    tx: Tx, number: int, granularity: int, first: int | None = None, last: int | None = None
) -> list[Row[Any]]:
    query = select(chunk.c.start, chunk.c.data).where(chunk.c.metric == number, chunk.c.granularity == granularity)
    if first is not None:
        query = query.where(chunk.c.start >= first)
    if last is not None:
        query = query.where(chunk.c.start <= last)
    return tx.all(query.order_by(chunk.c.start))


def chunks_between(tx: Tx, numbers: Sequence[int], granularity: int, first: int, last: int) -> list[Row[Any]]:
    """Of several metrics, those whose ``start`` is in between, in the order of it."""
    found: list[Row[Any]] = []
    for begin in range(0, len(numbers), AT_ONCE):
        query = select(chunk.c.metric, chunk.c.start, chunk.c.data).where(
            chunk.c.metric.in_(numbers[begin : begin + AT_ONCE]),
            chunk.c.granularity == granularity,
            chunk.c.start.between(first, last),
        )
        found += tx.all(query.order_by(chunk.c.start))
    return found


def count_chunks(tx: Tx, number: int, granularity: int, first: int | None, last: int | None) -> int:
    query = select(func.count()).select_from(chunk)
    query = query.where(chunk.c.metric == number, chunk.c.granularity == granularity)
    if first is not None:
        query = query.where(chunk.c.start >= first)
    if last is not None:
        query = query.where(chunk.c.start <= last)
    return int(tx.scalar(query) or 0)


def newest_chunk(tx: Tx, number: int, granularity: int) -> Row[Any] | None:
    query = select(chunk.c.start, chunk.c.data).where(chunk.c.metric == number, chunk.c.granularity == granularity)
    return tx.first(query.order_by(chunk.c.start.desc()).limit(1))


def chunks_at(tx: Tx, keys: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int, int], bytes]:
    """The chunks with these (metric, granularity, start), as far as there are any."""
    by_place: dict[tuple[int, int], list[int]] = {}
    for number, granularity, start in keys:
        by_place.setdefault((granularity, start), []).append(number)
    found: dict[tuple[int, int, int], bytes] = {}
    for (granularity, start), numbers in by_place.items():
        for begin in range(0, len(numbers), AT_ONCE):
            query = select(chunk.c.metric, chunk.c.data).where(
                chunk.c.metric.in_(numbers[begin : begin + AT_ONCE]),
                chunk.c.granularity == granularity,
                chunk.c.start == start,
            )
            for row in tx.all(query):
                found[row.metric, granularity, start] = row.data
    return found


def keep_chunks(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    upsert(tx, chunk, ("metric", "granularity", "start"), ("data",), rows)


def forget_chunks(tx: Tx, numbers: Sequence[int], granularity: int, before: int) -> None:
    for begin in range(0, len(numbers), AT_ONCE):
        part = chunk.c.metric.in_(numbers[begin : begin + AT_ONCE])
        tx.execute(delete(chunk).where(part, chunk.c.granularity == granularity, chunk.c.start < before))


def granularities_of(tx: Tx, number: int) -> list[int]:
    return [row.granularity for row in tx.all(select(chunk.c.granularity).where(chunk.c.metric == number).distinct())]


def last_of(tx: Tx, host_id: str) -> Row[Any] | None:
    return tx.row(sender, host_id=host_id)


def remember_sender(tx: Tx, host_id: str, run: str, sequence: int) -> None:
    rows = [{"host_id": host_id, "run": run, "sequence": sequence}]
    upsert(tx, sender, ("host_id",), ("run", "sequence"), rows)
