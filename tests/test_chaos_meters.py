"""What the run of chaos says of intervals that were measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.meters import Books
from tane.agent.meters import Shown, batch_of
from tane.app import make_core
from tane.clock import ManualClock
from tane.config import Config
from tane.core import Core
from tane.hosts import Hosts
from tane.hosts import store as hosts
from tane.services.metric.domain import gathering, measures

HOST = "0f5a1e0c-6a55-4f6b-9a51-000000000001"


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    core = make_core(Config(state_dir=tmp_path), clock=ManualClock(), hosts=Hosts())
    with core.db.write() as tx:
        hosts.register(tx, HOST, "host-1", ("compute",), None, {})
    yield core
    core.close()


def tell(core: Core, run: str, sequence: int, age: float = 0.0) -> None:
    meters = batch_of([Shown("host", HOST, None, {"hardware.memory.total": 4096.0})], run, sequence)
    meters.age = age
    gathering.take(core, HOST, meters)


def test_intervals_are_there_once_or_it_is_told(core: Core, tmp_path: Path) -> None:
    books, clock = Books(tmp_path), core.clock
    assert isinstance(clock, ManualClock)
    books.look()
    for sequence in range(5):
        clock.advance(2)
        tell(core, "one", sequence)
    books.look()
    # Another run of the agent, which tells late what it measured while nobody heard it.
    clock.advance(6)
    for sequence in range(3):
        tell(core, "two", sequence, 4.0 - 2 * sequence)
        tell(core, "two", sequence, 4.0 - 2 * sequence)
    books.look()
    assert (books.count, books.lost, books.doubled) == (8, [], [])
    measures.fold(core)
    clock.advance(2)
    tell(core, "two", 4)
    books.look()
    assert books.lost == [f"1 of 10 intervals of host {HOST}"] and books.doubled == []
    tell(core, "three", 0, 0.1)
    books.look()
    assert books.doubled == [f"1 intervals of host {HOST}"]
