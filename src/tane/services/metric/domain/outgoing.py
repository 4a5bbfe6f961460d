"""What the cloud measures, sent to the operator's Prometheus: it waits in the metrics' database, written with the batch
that it is of, so that no batch waits for the other side and none is lost with the process. Sent at least once."""

from __future__ import annotations

import itertools
import math
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import exposition, prometheus, remote_write, timespans
from tane.services.metric.store import database
from tane.services.metric.store import outgoing as store

MEMORY, CLEARED = "metric.outgoing", "metric.outgoing.cleared"
AT_ONCE = 10_000
"""Samples of a request."""
ROWS, DROPPED_AT_ONCE = 100, 1000
PASS_SECONDS = 20.0
"""Of a pass: after it others have the thread."""
KNOWN_SECONDS, MOST_KNOWN = 600.0, 800_000
"""Names of resources change; of so many series the labels are remembered, some 250 bytes each."""
FIRST_REST, LONGEST_REST = 5.0, 300.0
"""Seconds until it is tried again: twice as long each time."""
LEAST, TOO_LARGE = 100, 413
"""Samples of a request that is not halved any more, and the answer that it is for; for :data:`KNOWN_SECONDS` no larger
one is tried."""
AGAIN = (401, 403, 404, 408, 429)
"""Answers that something else has to change for, not the samples; so do those from 500 on."""
OWN_SECONDS = 60.0
MILLISECOND, MEBIBYTE = 1_000_000, 1 << 20


@dataclass
class _Sender:
    """``known``: labels of series by the numbers of their metrics; ``rest``: how long a failure is left alone;
    ``most``: samples of a request, since when."""

    known: dict[int, bytes]
    known_since: float = 0.0
    rest: float = 0.0
    most: int = AT_ONCE
    most_since: float = -math.inf
    next_try: float = 0.0
    own_at: float = -math.inf


class _Later(Exception):
    """Nothing can be sent now."""


def keep(core: Core, tx: Tx, at: int, numbers: Sequence[int], values: Sequence[float]) -> None:
    """Let samples of one moment wait to be sent; they are written with the transaction. ``at``: ns since 1970."""
    if not core.config.prometheus.remote_write_url or not numbers:
        return
    packed = array("I", numbers).tobytes(), array("d", values).tobytes()
    _add(tx, at, len(numbers), *packed)


def _add(tx: Tx, at: int, samples: int, numbers: bytes, data: bytes) -> None:
    store.add(
        tx, at=_seconds(tx), samples=samples, size=len(numbers) + len(data), moment=at, numbers=numbers, data=data
    )


def _seconds(tx: Tx) -> float:
    return timespans.of_naive(tx.now) / timespans.SECOND


def send(core: Core) -> tuple[int, int]:
    """One pass: (samples that were taken, that were given up)."""
    if not core.config.prometheus.remote_write_url:
        _clear(core)
        return 0, 0
    sender: _Sender = core.memory.setdefault(MEMORY, _Sender({}))
    begun, sent = time.monotonic(), 0
    if begun - sender.own_at >= OWN_SECONDS:
        sender.own_at = begun
        _keep_own(core)
    lost = _drop(core)
    while begun >= sender.next_try and time.monotonic() - begun < PASS_SECONDS:
        try:
            taken, refused, more = _request(core, sender)
        except _Later as error:
            sender.rest = min(max(FIRST_REST, 2 * sender.rest), LONGEST_REST)
            sender.next_try = time.monotonic() + sender.rest
            _tell_failure(core, str(error))
            break
        sender.rest = 0.0
        sent, lost = sent + taken, lost + refused
        if not more:
            break
    return sent, lost


def _clear(core: Core) -> None:
    """Nobody wants what waited any more."""
    if core.memory.get(CLEARED) or not database.exists(core):
        return
    with database.of(core).write() as tx:
        store.forget_all(tx)
    core.memory[CLEARED] = True


def _keep_own(core: Core) -> None:
    told = exposition.own(core)
    with database.of(core).write() as tx:
        at = timespans.of_naive(tx.now)
        moment = remote_write.when(at // MILLISECOND)
        more = core.config.prometheus.labels
        found = [
            remote_write.series(
                remote_write.labels({**more, **dict(sample.labels), "__name__": name}.items()), sample.value, moment
            )
            for (name, _), samples in told.items()
            for sample in samples
        ]
        _add(tx, at, len(found), b"", b"".join(found))


def _drop(core: Core) -> int:
    """The oldest go where there is no room for all."""
    room = core.config.prometheus.queue_mb * MEBIBYTE
    lost = 0
    while True:
        with database.of(core).read() as tx:
            excess = store.size(tx) - room
            rows = store.sizes(tx, DROPPED_AT_ONCE) if excess > 0 else []
        dropped, last = 0, None
        for row in rows:
            if excess <= 0:
                break
            excess, dropped, last = excess - row.size, dropped + row.samples, row.sequence
        if last is None:
            return lost
        with database.of(core).write() as tx:
            store.forget(tx, last)
            store.lose(tx, "dropped", dropped, _seconds(tx))
        lost += dropped


def _request(core: Core, sender: _Sender) -> tuple[int, int, bool]:
    """(samples that were taken, that were refused for good, whether more wait). :raises _Later:"""
    if time.monotonic() - sender.most_since > KNOWN_SECONDS:
        sender.most, sender.most_since = AT_ONCE, time.monotonic()
    with database.of(core).read() as tx:
        rows, more = store.first(tx, sender.most, ROWS)
        if not rows:
            return 0, 0, False
        left = _series(core, tx, sender, rows)
    sent = refused = 0
    error = ""
    while left:
        part = left[: sender.most]
        status, said = _post(core, b"".join(part))
        if status == TOO_LARGE and len(part) > LEAST:
            # It is the size that is not taken, often by what stands before a Prometheus.
            sender.most = max(LEAST, len(part) // 2)
            continue
        left = left[len(part) :]
        if status < 300:
            sent += len(part)
        else:
            refused, error = refused + len(part), said
    with database.of(core).write() as tx:
        store.forget(tx, rows[-1].sequence)
        if sent or refused:
            store.add_to_state(tx, failing_since=None, sent_at=_seconds(tx), sent=sent)
        if refused:
            store.lose(tx, "refused", refused, _seconds(tx), error[:500])
    return sent, refused, more


def _post(core: Core, message: bytes) -> tuple[int, str]:
    """(status, what is said of it), where the samples were taken or are not to be sent again. :raises _Later:"""
    try:
        url = core.config.prometheus.remote_write_url
        status, answer = prometheus.post(core, url, remote_write.framed(message), remote_write.HEADERS)
    except prometheus.Unreachable as error:
        raise _Later(str(error)) from None
    said = f"the answer is {status}: {prometheus.plain(answer[:200].decode(errors='replace')).strip()}"
    if status >= 500 or status in AGAIN or 300 <= status < 400:
        raise _Later(said)
    return status, said


def _series(core: Core, tx: Tx, sender: _Sender, rows: Sequence[Any]) -> list[bytes]:
    batches = [(array("I", row.numbers), array("d", row.data), row) for row in rows if row.numbers]
    _learn(core, tx, sender, {number for numbers, _, _ in batches for number in numbers})
    known, series = sender.known, remote_write.series
    found = [one for row in rows if not row.numbers for one in remote_write.parts(row.data)]
    for numbers, values, row in batches:
        moment = remote_write.when(row.moment // MILLISECOND)
        # What was deleted meanwhile has no name any more.
        found += [
            series(labels, value, moment)
            for number, value in zip(numbers, values, strict=True)
            if (labels := known.get(number)) is not None
        ]
    return found


def _learn(core: Core, tx: Tx, sender: _Sender, numbers: set[int]) -> None:
    now, known = time.monotonic(), sender.known
    if now - sender.known_since > KNOWN_SECONDS:
        known.clear()
        sender.known_since = now
    new = numbers - known.keys()
    excess = max(0, len(known) + len(new) - MOST_KNOWN)
    for old in list(itertools.islice((number for number in known if number not in numbers), excess)):
        del known[old]
    more = core.config.prometheus.labels
    for row in store.series(tx, sorted(new)):
        told = exposition.labels_of(row.original_resource_id, row.type, row.project_id, row.attributes)
        pairs = {**more, **dict(told), "unit": row.unit or "", "__name__": exposition.name_of(row.name)}
        known[row.number] = remote_write.labels(pairs.items())


def _tell_failure(core: Core, error: str) -> None:
    with database.of(core).write() as tx:
        row = store.state(tx)
        since = row.failing_since if row is not None else None
        store.add_to_state(tx, failing_since=since or _seconds(tx), error=error[:500])
