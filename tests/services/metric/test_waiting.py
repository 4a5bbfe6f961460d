"""Samples that wait to be folded are read as they came, whatever batches they are in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tane.app import make_core
from tane.clock import ManualClock
from tane.config import Config
from tane.core import Core
from tane.hosts import Hosts
from tane.services.metric.domain import measures
from tane.services.metric.store import database, outgoing
from tane.services.metric.tables import sending_loss


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    core = make_core(Config(state_dir=tmp_path), clock=ManualClock(), hosts=Hosts())
    yield core
    core.close()


@pytest.mark.parametrize("most", [1, 3, measures.MOST_ALIKE])
def test_each_metrics_samples_are_in_the_order_of_their_batches(
    core: Core, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(measures, "MOST_ALIKE", most)
    draw = random.Random(most)
    told: dict[int, list[tuple[int, float]]] = {}
    sets = [[1, 2, 3], [3, 4], [5], [1, 2, 2, 2, 6], [7, 7], [8, 9]]
    for place in range(60):
        numbers = draw.choice(sets)
        alike = draw.random() < 0.5
        times = [1000 + place] * len(numbers) if alike else [draw.randrange(2000) for _ in numbers]
        values = [draw.random() for _ in numbers]
        for number, time, value in zip(numbers, times, values, strict=True):
            told.setdefault(number, []).append((time, value))
        with database.of(core).write() as tx:
            measures.append(tx, numbers, times, values)
    for wanted in ([1], [2, 7], [3, 5, 9], [*range(1, 11)], [10]):
        with database.of(core).read() as tx:
            found = measures.waiting_of(tx, wanted)
        read = {number: list(zip(*samples, strict=True)) for number, samples in found.items()}
        assert read == {number: told[number] for number in wanted if number in told}


def test_what_an_earlier_release_wrote_has_a_place_for_losses(core: Core) -> None:
    with database.of(core).write() as tx:
        sending_loss.drop(tx.connection)
        tx.execute(text("UPDATE metric_schema SET number = 2"))
    database.APART.prepare(database.of(core))
    with database.of(core).write() as tx:
        outgoing.lose(tx, "refused", 3, 1.0, "why")
        [lost] = outgoing.losses(tx).values()
    assert (lost.kind, lost.error) == ("refused", "why")
