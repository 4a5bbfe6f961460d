"""A random life of servers is billed to the second the same as an independent count from the events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update

from tane.services.compute.tables import server
from tane.services.event import interface as events
from tane.services.rating.domain import bills, facts, hashmap, months
from tane.web.context import Context
from tests.api.rating_support import begin_month
from tests.support import ApiCloud

FLAVORS = {"small": "0.0123", "large": "0.07", "huge": "1.000001"}
STATES = {"active": "1", "stopped": "0.1", "shelved_offloaded": "0"}
SERVERS, CHANGES = 40, 600


class Killed(Exception):
    """The process dies there."""


@dataclass
class Life:
    """Servers that come, change and go, as rows: what writes them is no matter to the events."""

    cloud: ApiCloud
    random: random.Random
    there: dict[str, str] = field(default_factory=dict)
    most: int = SERVERS

    def step(self) -> None:
        self.cloud.advance(self.random.choice((0.25, 1, 59.5, 3600, 7 * 3600)) * self.random.random() * 2)
        _tell_time(self.cloud)
        with self.cloud.core.db.write() as tx:
            for _ in range(self.random.choice((1, 1, 3))):
                self._change(tx)

    def _change(self, tx: Any) -> None:
        if len(self.there) < self.most and self.random.random() < 0.4:
            number = f"{self.random.randrange(1 << 60):x}"
            self.there[number] = self.random.choice(("rose", "oak"))
            tx.execute(insert(server).values(**_row(number, self.there[number], tx.now)))
            return
        if not self.there:
            return
        # One of them changes all the time, also several times a minute.
        one = min(self.there) if self.random.random() < 0.4 else self.random.choice(sorted(self.there))
        mine = server.c.id == one
        what = self.random.random()
        if what < 0.15:
            tx.execute(update(server).where(mine).values(deleted=True, vm_state="deleted"))
            del self.there[one]
        elif what < 0.2:
            tx.execute(delete(server).where(mine))
            del self.there[one]
        elif what < 0.45:
            tx.execute(update(server).where(mine).values(flavor_id=self.random.choice(sorted(FLAVORS))))
        elif what < 0.6:
            tx.execute(update(server).where(mine).values(name=f"n{self.random.random()}", task_state="resizing"))
        elif what < 0.65:
            tx.execute(update(server).where(mine).values(host_id=f"host-{self.random.randrange(9)}"))
        else:
            states = (*STATES, "error")
            tx.execute(update(server).where(mine).values(vm_state=self.random.choice(states)))


def _tell_time(cloud: ApiCloud) -> None:
    """PostgreSQL gives events the time of its own clock: here it has that of the test."""
    if not cloud.core.db.embedded:
        now = cloud.core.clock.now()
        head = "CREATE OR REPLACE FUNCTION tane_at() RETURNS timestamp STABLE LANGUAGE sql"
        with cloud.core.db.write() as tx:
            tx.execute(text(f"{head} AS $$SELECT timestamp '{now}'$$"))


def _row(one: str, project_id: str, now: datetime) -> dict[str, Any]:
    texts = ("name", "hostname", "access_ip_v4", "access_ip_v6", "disk_config", "root_device_name", "reservation_id")
    return {
        **dict.fromkeys(texts, ""),
        **dict.fromkeys(("vcpus", "ram_mb", "disk_gb", "power_state", "launch_index", "progress"), 1),
        **{name: {} for name in ("flavor", "image_properties", "metadata")},
        "id": one,
        "project_id": project_id,
        "user_id": "u",
        "flavor_id": "small",
        "vm_state": "building",
        "config_drive": False,
        "deleted": False,
        "created_at": now,
        "updated_at": now,
    }


def counted(cloud: ApiCloud, project_id: str, begin: datetime, end: datetime) -> Fraction:
    """What it costs, told from the events alone and second by second: nothing of rating's is used."""
    lives: dict[str, list[tuple[datetime, str, str]]] = {}
    for event in _all(cloud):
        if event.type == "compute.server" and event.project_id == project_id:
            state = "gone" if event.action == "delete" else event.data["vm_state"]
            lives.setdefault(event.resource_id, []).append((event.at, state, event.data["flavor_id"]))
    total = Fraction(0)
    for changes in lives.values():
        ran = False
        for place, (at, state, flavor) in enumerate(changes):
            until = changes[place + 1][0] if place + 1 < len(changes) else end
            ran = ran or state in STATES
            since, until = max(at.replace(microsecond=0), begin), min(until.replace(microsecond=0), end)
            if ran and state not in ("building", "gone") and until > since:
                price = Fraction(FLAVORS[flavor]) * Fraction(STATES.get(state, "1"))
                total += price * int((until - since).total_seconds()) / 3600
    return total


def _all(cloud: ApiCloud) -> Iterator[Any]:
    cursor = 0
    while True:
        with cloud.core.db.read() as tx:
            rows = events.after(tx, cursor, 1000)
        yield from rows
        if not rows:
            return
        cursor = rows[-1].id


def _prices(cloud: ApiCloud) -> None:
    admin = Context("req-test", user_id="admin", roles=("admin",))
    service = hashmap.add(cloud.core, "service", "instance")
    for name, costs, kind in (("flavor_id", FLAVORS, "flat"), ("state", STATES, "rate")):
        made = hashmap.add(cloud.core, "field", name, service.id)
        for value, cost in costs.items():
            given = {"field_id": made.id, "value": value, "cost": Decimal(cost), "type": kind}
            hashmap.create(cloud.core, admin, "mapping", given)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 12))])
def test_a_random_life_costs_what_its_events_say(cloud: ApiCloud, seed: int) -> None:
    begin_month(cloud)
    _tell_time(cloud)
    _prices(cloud)
    _lives(cloud, Life(cloud, random.Random(seed)), CHANGES if cloud.core.db.embedded else CHANGES // 4)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(3))
def test_a_month_of_two_hundred_servers_costs_what_its_events_say(cloud: ApiCloud, seed: int) -> None:
    begin_month(cloud)
    _tell_time(cloud)
    _prices(cloud)
    _lives(cloud, Life(cloud, random.Random(seed), most=200), 3000 if cloud.core.db.embedded else 600)


def _lives(cloud: ApiCloud, life: Life, changes: int) -> None:
    """Let servers be made, resized, stopped, moved and deleted while what writes their facts dies now and then, and
    compare the bills of each month with what the events say."""
    for number in range(changes):
        life.step()
        if number % 7 == 0:
            facts.follow(cloud.core)
        if number % 50 == 0:
            _die_at_commit(cloud)
    facts.follow(cloud.core)
    now = cloud.core.clock.now().replace(microsecond=0)
    first = datetime(now.year, now.month, 1)
    before = _before(first)
    spans = [(months.of(begin), begin, end) for begin, end in (_before(before[0]), before, (first, now))]
    for project_id in ("rose", "oak"):
        seen = Fraction(0)
        for month, begin, end in spans:
            bill = bills.bill(cloud.core, project_id, month)
            wanted = counted(cloud, project_id, begin, end)
            seen += wanted
            # Each line is rounded to a millionth, half of which it may be off.
            assert abs(Fraction(bill.total) - wanted) <= Fraction(len(bill.lines), 2_000_000), month
        assert seen > 1


def _before(first: datetime) -> tuple[datetime, datetime]:
    last = first - timedelta(days=1)
    return datetime(last.year, last.month, 1), first


def _die_at_commit(cloud: ApiCloud) -> None:
    """The process dies before what it wrote is kept, and begins again."""

    def die() -> None:
        raise Killed

    cloud.core.db.before_write = die
    try:
        facts.follow(cloud.core)
    except Killed:
        pass
    finally:
        cloud.core.db.before_write = None
