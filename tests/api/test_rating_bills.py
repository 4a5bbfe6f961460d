"""Bills that stand, budgets, and what is counted besides events."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, update

from tane.cli import bill as printed
from tane.services.event.tables import event
from tane.services.rating.domain import budgets, facts, months
from tane.services.rating.tables import rating_fact, rating_position
from tane.services.volume.tables import volume
from tests.api.compute_support import Project, make_flavor, project
from tests.api.object_support import Account
from tests.api.rating_support import V2, begin_month, bill, pass_, price, total
from tests.support import ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    begin_month(cloud)
    return project(cloud)


def month(cloud: ApiCloud) -> str:
    return months.of(cloud.core.clock.now())


def corrections(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [line for line in found["lines"] if line["service"] == "correction"]


def test_a_closed_month_never_changes_and_what_is_known_later_is_a_line_of_the_next(
    cloud: ApiCloud, garden: Project
) -> None:
    admin, first = garden.admin, month(cloud)
    price(admin, "instance", "1", "state", "active")
    garden.server()
    pass_(cloud, hours=10)
    garden.user.delete(f"/compute/v2.1/servers/{garden.user.get('/compute/v2.1/servers').json()['servers'][0]['id']}")
    cloud.run_jobs()
    assert "not over" in admin.post(f"{V2}/closings", {"month": first}, 400).json()["message"]
    pass_(cloud, days=35)
    second = month(cloud)
    before = bill(garden.user, first)
    assert before["closed_at"] is None
    admin.post(f"{V2}/closings", {"month": first}, 201)
    admin.post(f"{V2}/closings", {"month": first}, 409)
    start = f"{first}-01T00:00:00"
    pass_(cloud, hours=1)
    price(admin, "instance", "0.5", force=True, start=start, end=f"{second}-01T00:00:00")
    after = bill(garden.user, first)
    assert after["total"] == before["total"] and after["closed_at"]
    assert after["lines"] == before["lines"]
    # Of the dearer price alone counts in a group: there is nothing to correct.
    assert corrections(bill(garden.user, second)) == []
    price(admin, "instance", "3", "flavor_id", garden.flavor_id, force=True, start=start, end=f"{second}-01T00:00:00")
    assert bill(garden.user, first)["lines"] == before["lines"]
    [line] = corrections(bill(garden.user, second))
    assert (line["service"], line["name"], line["amount"]) == ("correction", first, "20")
    pass_(cloud, days=35)
    admin.post(f"{V2}/closings", {"month": second}, 201)
    assert bill(garden.user, second)["total"] == "20.00" and bill(garden.user, month(cloud))["total"] == "0.00"
    assert total(garden.user, begin=start, end=f"{second}-01T00:00:00") == 10
    assert admin.put(f"{V2}/scope", {"all_scopes": True, "state": start}, 409)


def test_a_price_that_was_wrong_is_taken_back_and_told_on_the_next_bill_where_a_month_is_closed(
    cloud: ApiCloud, garden: Project
) -> None:
    admin, first = garden.admin, month(cloud)
    wrong = price(admin, "instance", "100")
    garden.server()
    pass_(cloud, hours=10)
    start = cloud.core.clock.now().replace(day=1, hour=0, minute=0).isoformat()
    mapping = f"/rating/v1/rating/module_config/hashmap/mappings/{wrong['mapping_id']}?force=true"
    admin.delete(mapping)
    assert total(garden.user) == 0
    again = price(admin, "instance", "5", force=True, start=start)
    assert total(garden.user) == 50
    garden.user.delete(f"/compute/v2.1/servers/{garden.user.get('/compute/v2.1/servers').json()['servers'][0]['id']}")
    cloud.run_jobs()
    pass_(cloud, days=35)
    admin.post(f"{V2}/closings", {"month": first}, 201)
    pass_(cloud, hours=1)
    admin.delete(mapping.replace(wrong["mapping_id"], again["mapping_id"]))
    price(admin, "instance", "4", force=True, start=start)
    assert bill(garden.user, first)["total"] == "50.00"
    [line] = corrections(bill(garden.user, month(cloud)))
    assert line["amount"] == "-10"


def test_months_are_closed_one_after_another(cloud: ApiCloud, garden: Project) -> None:
    first = month(cloud)
    pass_(cloud, days=70)
    garden.admin.post(f"{V2}/closings", {"month": first}, 201)
    pass_(cloud, days=31)
    later = months.of(cloud.core.clock.now().replace(day=1, month=cloud.core.clock.now().month))
    skipped = months.following(months.following(first))
    assert later > skipped
    assert months.following(first) in garden.admin.post(f"{V2}/closings", {"month": skipped}, 409).json()["message"]
    for wrong in ("2026-13", "soon", ""):
        garden.admin.post(f"{V2}/closings", {"month": wrong}, 400)
    garden.user.post(f"{V2}/closings", {"month": first}, 403)


def test_a_budget_warns_at_four_fifths_and_refuses_what_is_new_at_the_whole(cloud: ApiCloud, garden: Project) -> None:
    mine, admin = garden.user.project_id, garden.admin
    price(admin, "instance", "1")
    server_id, larger = garden.server(), make_flavor(admin, "larger", ram=1024)
    volumes = f"/volume/v3/{mine}/volumes"
    volume = garden.user.post(volumes, {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    cloud.run_jobs()
    image = {"name": "begun", "disk_format": "raw", "container_format": "bare"}
    cloud.core.config.image.allowed_hosts, cloud.core.config.image.allowed_ports = ("127.0.0.1",), ()
    begun = f"/image/v2/images/{garden.user.post('/image/v2/images', image, 201).json()['id']}"
    admin.put(f"{V2}/budgets/{mine}", {"amount": "10", "action": "refuse"}, 200)
    assert garden.user.get(f"{V2}/budgets/{mine}").json()["budget"]["state"] == "ok"
    pass_(cloud, hours=8)
    assert budgets.look(cloud.core) == 1 and budgets.look(cloud.core) == 0
    shown = garden.user.get(f"{V2}/budgets/{mine}").json()["budget"]
    assert (shown["state"], Decimal(shown["spent"]), shown["currency"]) == ("warning", 8, "EUR")
    told = garden.user.get("/events", params={"type": "rating.budget"}).json()["events"]
    assert told[-1]["data"]["state"] == "warning" and told[-1]["project_id"] == mine
    garden.create("two")
    pass_(cloud, hours=2)
    budgets.look(cloud.core)
    assert "budget" in garden.user.post("/compute/v2.1/servers", garden.body(), 403).text
    assert "10" in garden.user.post(volumes, {"volume": {"size": 1}}, 403).text
    for path, body in (
        (f"{volumes}/{volume}/action", {"os-extend": {"new_size": 9}}),
        (f"/volume/v3/{mine}/snapshots", {"snapshot": {"volume_id": volume}}),
        (f"/compute/v2.1/servers/{server_id}/action", {"resize": {"flavorRef": larger}}),
        ("/network/v2.0/routers", {"router": {}}),
        ("/image/v2/images", image),
        (f"{begun}/import", {"method": {"name": "web-download", "uri": "http://127.0.0.1:9/disk"}}),
    ):
        assert "budget" in garden.user.post(path, body, 403).text, path
    data = {"Content-Type": "application/octet-stream"}
    for path in (f"{begun}/file", f"{begun}/stage"):
        assert "budget" in garden.user.put(path, content=b"data", headers=data, expect=403).text, path
    # What runs may become cheaper.
    garden.user.post(f"/compute/v2.1/servers/{server_id}/action", {"shelve": None}, 202)
    admin.put(f"{V2}/budgets/{mine}", {"amount": "10", "action": "warn"}, 200)
    garden.user.post(volumes, {"volume": {"size": 1}}, 202)
    admin.put(f"{V2}/budgets/{mine}", {"amount": "10", "action": "refuse"}, 200)
    pass_(cloud, days=30)
    garden.user.post(volumes, {"volume": {"size": 1}}, 202)
    admin.delete(f"{V2}/budgets/{mine}")
    garden.user.get(f"{V2}/budgets/{mine}", 404)


def test_a_budget_is_the_administrators_to_give(cloud: ApiCloud, garden: Project) -> None:
    mine = garden.user.project_id
    garden.user.put(f"{V2}/budgets/{mine}", {"amount": "10"}, 403)
    garden.admin.put(f"{V2}/budgets/{mine}", {"amount": "0"}, 400)
    garden.admin.put(f"{V2}/budgets/{mine}", {"amount": "Infinity"}, 400)
    garden.admin.put(f"{V2}/budgets/{mine}", {"amount": "10"}, 200)
    cloud.new_user("bob", "shed").get(f"{V2}/budgets/{mine}", 403)


def test_stored_objects_are_counted_by_their_bytes(cloud: ApiCloud, garden: Project) -> None:
    price(garden.admin, "storage.objects.size", str(1 << 30))
    mine = Account(garden.user)
    mine.container("seeds")
    mine.put("/seeds/rose", b"x" * 7)
    facts.count_objects(cloud.core)
    pass_(cloud, hours=3)
    facts.count_objects(cloud.core)
    mine.call("DELETE", "/seeds/rose", 204)
    facts.count_objects(cloud.core)
    pass_(cloud, hours=3)
    [line] = [one for one in bill(garden.user, month(cloud))["lines"] if one["service"] == "storage.objects.size"]
    assert Decimal(line["amount"]) == 21


@pytest.mark.parametrize("how", ["older release", "forgotten events"])
def test_what_no_event_tells_any_more_is_counted_from_then_on(cloud: ApiCloud, garden: Project, how: str) -> None:
    price(garden.admin, "instance", "1")
    kept, gone = garden.server("kept"), garden.server("gone")
    pass_(cloud, hours=1)
    garden.user.delete(f"/compute/v2.1/servers/{gone}")
    garden.server("new")
    cloud.run_jobs()
    with cloud.core.db.write() as tx:
        if how == "older release":
            tx.execute(update(rating_position).values(stock=True))
            tx.execute(delete(rating_fact))
        else:
            last = tx.scalar(event.select().with_only_columns(event.c.id).order_by(event.c.id.desc()).limit(1))
            tx.execute(delete(event).where(event.c.id < last))
    pass_(cloud, hours=1)
    pass_(cloud, hours=2)
    lines = {line["name"]: line["hours"] for line in bill(garden.user, month(cloud))["lines"] if line["name"]}
    first = {"kept": "2", "new": "2"} if how == "older release" else {"kept": "4", "gone": "2", "new": "2"}
    assert {name: hours for name, hours in lines.items() if name in ("kept", "gone", "new")} == first
    assert kept


def test_who_changes_something_each_second_makes_no_fact_each_second(cloud: ApiCloud, garden: Project) -> None:
    price(garden.admin, "volume.size", "1", "user_id", garden.user.user_id)
    price(garden.admin, "volume.size", "0.5", "volume_type", "quick", type="rate")
    types = f"/volume/v3/{garden.admin.project_id}/types"
    quick = garden.admin.post(types, {"volume_type": {"name": "quick"}}, 200).json()["volume_type"]["id"]
    plain = next(one["id"] for one in garden.admin.get(types).json()["volume_types"] if one["id"] != quick)
    volumes = f"/volume/v3/{garden.user.project_id}/volumes"
    made = garden.user.post(volumes, {"volume": {"size": 36, "volume_type": plain}}, 202).json()["volume"]["id"]
    cloud.run_jobs()
    for number in range(200):
        with cloud.core.db.write() as tx:
            one = update(volume).where(volume.c.id == made)
            tx.execute(one.values(volume_type_id=quick if number % 2 else plain))
        cloud.advance(1.5)
        if number % 30 == 0:
            facts.follow(cloud.core)
    facts.follow(cloud.core)
    with cloud.core.db.read() as tx:
        assert len(tx.all(rating_fact.select().where(rating_fact.c.resource_id == made))) <= 4
    # Cut to whole seconds it is plain for one, quick for two.
    lines = [line for line in bill(garden.user, month(cloud))["lines"] if line["service"] == "volume.size"]
    assert sum(line["seconds"] for line in lines) == 300
    assert sum(Decimal(line["amount"]) for line in lines) == 2


def _bill(name: str = "web") -> dict[str, Any]:
    line = {"service": "instance", "resource_id": "1", "name": name, "what": "m1, active", "quantity": "1", "unit": ""}
    times = {"begin": "2026-11-01T00:00:00+00:00", "end": "2026-11-01T02:00:00+00:00", "seconds": 7200, "hours": "2"}
    line |= {**times, "price": "0.5", "amount": "1"}
    kept = {"month": "2026-11", "until": "2026-11-02T00:00:00+00:00", "closed_at": None, "currency": "EUR"}
    return {**kept, "lines": [line], "total": "1.00"}


def test_a_bill_is_printed_for_people_and_for_programs() -> None:
    text = printed.table(_bill(), "garden")
    assert "Bill of garden for 2026-11, counted until 2026-11-02T00:00:00, not closed" in text
    assert text.endswith("Total: 1.00 EUR\n") and "m1, active" in text
    rows = list(csv.DictReader(io.StringIO(printed.csv_(_bill(), "garden"))))
    assert rows[0]["hours"] == "2" and rows[-1]["sum"] == "1.00"
    assert "<strong>Total: 1.00 EUR</strong>" in printed.html_(_bill(), "garden")


def test_a_name_does_nothing_to_whom_reads_the_bill() -> None:
    assert "\x1b" not in printed.table(_bill("\x1b[2J\u202eweb"), "garden")
    assert "<script>" not in printed.html_(_bill("<script>x"), "garden")
    assert "'=cmd" in printed.csv_(_bill("=cmd|x"), "garden")
