"""Jobs as the API tells them: what the cloud does step by step, to whom it says why, and what can be tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tane.jobs import Order, enqueue, looking, store
from tests.api.compute_support import Project, V, project
from tests.support import ApiCloud, Caller

J = "/jobs"


class Nothing(msgspec.Struct):
    pass


def write(cloud: ApiCloud, resource: str, owner: str | None, **values: Any) -> int:
    """A job as it may stand in the queue, of an operation that nobody runs."""
    with cloud.core.db.write() as tx:
        number = enqueue(tx, Order("test.nothing", Nothing), Nothing(), resource=resource)
        store.change(tx, number, project_id=owner, **values)
    return number


def end(cloud: ApiCloud, number: int, state: str, error: str | None = None) -> None:
    with cloud.core.db.write() as tx:
        store.finish(tx, number, state, error)


def listed(who: Caller, query: str = "") -> list[int]:
    return [one["id"] for one in who.get(f"{J}?{query}").json()["jobs"]]


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def launch(garden: Project) -> str:
    body = {"name": "web", "flavorRef": garden.flavor_id, "imageRef": garden.image_id, "networks": "auto"}
    headers = {"OpenStack-API-Version": "compute 2.96"}
    answer = garden.user.post(f"{V}/servers", {"server": body}, 202, headers=headers)
    return str(answer.json()["server"]["id"])


def test_a_long_debt_hides_no_steps_of_newer_jobs(
    cloud: ApiCloud, garden: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "MOST_NOTES", 5)
    debt, newer = (write(cloud, f"server:{name}", garden.user.project_id) for name in "ab")
    with cloud.core.db.write() as tx:
        for number in range(6):
            store.note(tx, debt, ("first", "retry", f"reason {number}"))
        store.note(tx, newer, ("first", "done", ""))
    with cloud.core.db.read() as tx:
        found = [(one.job_id, one.detail) for one in looking.notes(tx, [debt, newer])]
    assert found == [*((debt, f"reason {number}") for number in range(2, 6)), (newer, "")]


def test_a_launch_is_told_step_by_step(cloud: ApiCloud, garden: Project) -> None:
    server = launch(garden)
    [job] = garden.user.get(f"{J}?resource=server:{server}&steps=1").json()["jobs"]
    assert (job["operation"], job["state"]) == ("compute.create_server", "waiting")
    assert {one["state"] for one in job["steps"]} == {"to come"} and len(job["steps"]) > 2
    cloud.run_jobs()
    job = garden.user.get(f"{J}/{job['id']}").json()["job"]
    assert job["state"] == "done" and job["finished_at"] and not job["late"]
    assert {one["state"] for one in job["steps"]} == {"done"}
    assert all(one["started_at"] and one["ended_at"] and one["tries"] >= 1 for one in job["steps"])


def test_a_project_sees_its_own_jobs_without_reasons_and_administrators_all_with_them(cloud: ApiCloud) -> None:
    mia, noa, boss = cloud.new_user("mia", "garden"), cloud.new_user("noa", "field"), cloud.admin
    own = write(cloud, "server:a", mia.project_id, error="host alpha: disk on fire", state="unwinding", step="boot")
    other, clouds = write(cloud, "server:b", noa.project_id), write(cloud, "image:c", None)
    with cloud.core.db.write() as tx:
        store.note(tx, own, ("boot", "started", None), ("boot", "failed", "host alpha: disk on fire"))
    assert listed(mia) == [own]
    assert "alpha" not in mia.get(f"{J}/{own}").text + mia.get(f"{J}?steps=1").text
    for number in (other, clouds):
        mia.get(f"{J}/{number}", 404)
    mia.get(f"{J}?all_projects=1", 403)
    mia.post(f"{J}/{own}/try", None, 403)
    assert listed(boss, "all_projects=1&limit=3") == [clouds, other, own]
    job = boss.get(f"{J}/{own}").json()["job"]
    assert job["error"] == "host alpha: disk on fire" and job["state"] == "undoing" and job["can_be_tried"]
    assert [(one["state"], one["detail"]) for one in job["steps"]] == [("undoing", "host alpha: disk on fire")]
    assert cloud.new_user("eve", "garden", role="reader").get(f"{J}/{own}").status_code == 200


def test_jobs_are_found_by_state_and_in_pages(cloud: ApiCloud) -> None:
    boss = cloud.admin
    numbers = [write(cloud, f"server:{place}", None) for place in range(6)]
    end(cloud, numbers[0], "done")
    end(cloud, numbers[1], "failed", "no room")
    away = write(cloud, "server:9", None, state=store.OWES_UNDO, host_away="h", run_after=store.NEVER)
    every = "all_projects=1"
    assert listed(boss, f"{every}&state=failed") == [numbers[1]]
    assert listed(boss, f"{every}&state=done&limit=1") == [numbers[0]]
    assert listed(boss, f"{every}&state=owed") == [away]
    assert listed(boss, f"{every}&state=running") == []
    assert listed(boss, f"{every}&state=unfinished") == [away, *reversed(numbers[2:])]
    assert listed(boss, f"{every}&limit=3&marker={numbers[3]}") == [numbers[2], numbers[1], numbers[0]]
    assert listed(boss, f"{every}&marker=999999999999&limit=1") == [away]
    for query in ("state=lost", "limit=0", "marker=x", "marker=99999999999999999999999", "steps=maybe"):
        assert "query parameter" in boss.get(f"{J}?{query}", 400).text
    for number in ("0", "x", "99999999999999999999999", "-1"):
        boss.get(f"{J}/{number}", 404)


def test_what_pauses_is_tried_now_and_nothing_else_is(cloud: ApiCloud) -> None:
    boss, later = cloud.admin, cloud.core.clock.now() + timedelta(hours=1)
    first = write(cloud, "server:a", None, run_after=later, attempt=4, step="boot", awaits="volume:b")
    second = write(cloud, "server:a", None)
    away = write(cloud, "server:b", None, state=store.OWES_STEP, host_away="alpha", run_after=store.NEVER)
    runs = write(cloud, "server:c", None, lease_until=later, lease_owner="x")
    ended = write(cloud, "server:d", None)
    end(cloud, ended, "failed", "no room")
    assert boss.get(f"{J}/{first}").json()["job"]["tries"] == 5
    boss.post(f"{J}/{first}/try", None, 202)
    shown = boss.get(f"{J}/{first}").json()["job"]
    assert shown["tries"] == 4
    assert shown["next_try_at"] < shown["deadline"] and shown["awaits"] is None
    with cloud.core.db.read() as tx:
        assert store.is_due(tx)
    for number, why in ((second, "after"), (away, "waits for host alpha"), (runs, "runs already"), (ended, "ended")):
        assert why in boss.post(f"{J}/{number}/try", None, 409).text
    assert not boss.get(f"{J}/{away}").json()["job"]["can_be_tried"]


def test_the_steps_of_a_page_are_one_query(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from tane.db import Tx

    for place in range(12):
        number = write(cloud, f"server:{place}", None)
        with cloud.core.db.write() as tx:
            store.note(tx, number, ("boot", "started", None))
    asked: list[Any] = []
    every = Tx.all
    monkeypatch.setattr(Tx, "all", lambda self, query: asked.append(query) or every(self, query))
    assert len(cloud.admin.get(f"{J}?all_projects=1&steps=1").json()["jobs"]) == 12
    assert len([query for query in asked if "job" in str(query)]) <= 3


def test_a_project_sees_what_administrators_had_done_to_its_resources(cloud: ApiCloud, garden: Project) -> None:
    """As compute tells a server's actions to its project, whoever ordered them."""
    server, boss = garden.server(), cloud.admin
    boss.post(f"{V}/servers/{server}/action", {"os-stop": None}, 202)
    volume = garden.user.post(f"/volume/v3/{garden.user.project_id}/volumes", {"volume": {"size": 1}}, 202).json()
    cloud.run_jobs()
    boss.delete(f"/volume/v3/{garden.user.project_id}/volumes/{volume['volume']['id']}", 202)
    found = [one["operation"] for one in garden.user.get(f"{J}?limit=4").json()["jobs"]]
    assert found == ["volume.delete_volume", "volume.create_volume", "compute.stop_server", "compute.create_server"]
    [port] = boss.get(f"/network/v2.0/ports?device_id={server}").json()["ports"]
    boss.delete(f"/network/v2.0/ports/{port['id']}", 204)
    assert garden.user.get(f"{J}?limit=1").json()["jobs"][0]["operation"] == "compute.detach_interface"
    assert boss.get(J).json()["jobs"] == []


def test_a_projects_jobs_are_found_behind_many_of_others(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LOOKED_THROUGH", 3)
    mia = cloud.new_user("mia", "garden")
    own = write(cloud, "server:a", mia.project_id)
    for number in (own, *(write(cloud, f"server:{place}", None) for place in range(9))):
        end(cloud, number, "done")
    assert listed(mia) == listed(mia, "state=done") == [own]
    assert len(listed(cloud.admin, "all_projects=1&state=done")) == 3


def test_trying_now_uses_up_none_of_the_tries_after_which_a_job_gives_up(cloud: ApiCloud) -> None:
    number = write(cloud, "server:a", None, step="boot", attempt=0)
    for _ in range(40):
        with cloud.core.db.write() as tx:
            looking.hurry(tx, number)
            found = looking.one(tx, number)
            assert found is not None and found.attempt <= 2
            store.change(tx, number, attempt=found.attempt + 1)
