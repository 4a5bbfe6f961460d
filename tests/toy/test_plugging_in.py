"""A service plugs in by one name in a tuple: everything the house does for its services it does for the toy."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from fuzz.hunt import Hunt
from tane.app import SERVICES, Cloud, make_core
from tane.clock import ManualClock
from tane.config import Config
from tane.core import Core
from tane.jobs import enqueue, testing
from tane.jobs.testing import Scenario
from tane.web.routes import Service
from tests import test_contract as contract
from tests.conftest import NewDatabase
from tests.support import ApiCloud, fake_hosts, register
from tests.toy.service import GROW, SERVICE, Grow, seed
from tools.render_reference import render

ALL = (*SERVICES, SERVICE)
SEEDS = "/toy/v1/seeds"


def sow(core: Core) -> None:
    with core.db.write() as tx:
        seed.metadata.create_all(tx.connection)


@pytest.fixture
def garden(new_database: NewDatabase, tmp_path: Path) -> Iterator[ApiCloud]:
    config = Config(state_dir=tmp_path, bcrypt_rounds=4, handler_threads=2, database_url=new_database(tmp_path))
    core = make_core(config, clock=ManualClock(), hosts=fake_hosts(), services=ALL)
    sow(core)
    register(core)
    cloud = Cloud(core, ALL)
    cloud.prepare("secret")
    with asyncio.Runner() as runner:
        api = ApiCloud(cloud, runner)
        yield api
        api.close()
    core.close()


def test_what_is_asked_for_is_done_by_a_job(garden: ApiCloud) -> None:
    mia = garden.new_user("mia", "garden")
    made = mia.post(SEEDS, {"seed": {"name": "rose"}}, 202).json()["seed"]
    assert made["status"] == "seed"
    garden.run_jobs()
    assert mia.get(f"{SEEDS}/{made['id']}").json()["seed"]["status"] == "grown"


def test_its_changes_are_told(garden: ApiCloud) -> None:
    mia = garden.new_user("mia", "garden")
    seed_id = mia.post(SEEDS, {"seed": {"name": "rose"}}, 202).json()["seed"]["id"]
    garden.run_jobs()
    mia.delete(f"{SEEDS}/{seed_id}")
    told = mia.get("/events?type=toy.seed").json()["events"]
    assert [(event["type"], event["data"]["status"]) for event in told] == [
        ("toy.seed.create", "seed"),
        ("toy.seed.update", "grown"),
        ("toy.seed.delete", "grown"),
    ]


def test_it_stands_in_the_catalogue_and_its_policy_holds(garden: ApiCloud) -> None:
    ron = garden.new_user("ron", "garden", "reader")
    catalog = ron.get("/identity/v3/auth/catalog").json()["catalog"]
    assert [entry["type"] for entry in catalog if entry["name"] == "toy"] == ["toy"]
    assert ron.post(SEEDS, {"seed": {"name": "rose"}}).status_code == 403
    answer = garden.new_user("mia", "garden").post(SEEDS, {"seed": {"name": "r" * 256}})
    assert answer.status_code == 400 and "name" in answer.text


def test_what_is_one_projects_is_not_there_for_another_and_has_a_limit(garden: ApiCloud) -> None:
    mia, bob = garden.new_user("mia", "garden"), garden.new_user("bob", "shed")
    ids = [mia.post(SEEDS, {"seed": {"name": "rose"}}, 202).json()["seed"]["id"] for _ in range(3)]
    assert "Quota exceeded for seeds" in mia.post(SEEDS, {"seed": {"name": "rose"}}, 403).text
    assert bob.get(SEEDS).json()["seeds"] == []
    bob.get(f"{SEEDS}/{ids[0]}", 404)
    bob.delete(f"{SEEDS}/{ids[0]}", 404)
    mia.delete(f"{SEEDS}/{ids[0]}")


def test_its_reconciler_and_its_check_see_its_rows(garden: ApiCloud) -> None:
    garden.new_user("mia", "garden").post(SEEDS, {"seed": {"name": "rose"}}, 202)
    with garden.core.db.write() as tx:
        tx.execute(update(seed).values(status="error"))
        assert [found.what for check in SERVICE.checks for found in check(tx)] == ["1 seeds are withered."]
    [reconciler] = SERVICE.reconcilers
    assert garden.wait(reconciler.run(garden.core)) == "pulled 1 seeds"


@pytest.mark.parametrize("service", [SERVICE])
def test_the_contract_of_all_services_holds_for_it(garden: ApiCloud, service: Service) -> None:
    for route in service.routes:
        contract.test_every_route_has_a_declared_policy(service, route)
        contract.test_every_route_that_takes_a_body_has_a_schema(service, route)
        assert garden.call(route.method, contract.address(service, route), json={}).status_code == 401
        assert f"| {route.method} | `{service.prefix}{route.path}` |" in render(service)


def test_it_is_fuzzed_like_any_other(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    hunt = Hunt(request.getfixturevalue(database_kind), tmp_path, random.Random(1), SERVICE.prefix, ALL, sow)
    hunt.run(300)
    assert not hunt.defects
    assert hunt.statuses[202] > 5 and hunt.statuses[404] > 5


def test_its_saga_passes_the_harnesses(new_core: Callable[[], Core]) -> None:
    async def start() -> Core:
        core = new_core()
        sow(core)
        with core.db.write() as tx:
            tx.execute(seed.insert().values(id="1", project_id="garden", name="rose", status="seed"))
            enqueue(tx, GROW, Grow("1"), resource="seed:1")
        return core

    def status(core: Core) -> str:
        with core.db.read() as tx:
            return str(tx.scalar(seed.select().with_only_columns(seed.c.status)))

    def done(core: Core) -> None:
        assert status(core) == "grown"

    def unwound(core: Core) -> None:
        assert status(core) == "error"

    scenario = Scenario(SERVICE.operations[0], start, done, unwound)
    for harness in (
        testing.fails_at_each_step,
        testing.repeats_each_step,
        testing.killed_between_writes,
        testing.killed_while_unwinding,
        testing.loses_its_host,
    ):
        asyncio.run(harness(scenario))
