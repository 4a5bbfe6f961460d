"""Rating as an administrator and his customers have it: what was used costs what it cost then, to the second."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.api.compute_support import Project, make_flavor, project
from tests.api.rating_support import V1, V2, H, begin_month, bill, field_id, pass_, price, service_id, total
from tests.support import ApiCloud, Caller


@pytest.fixture(autouse=True)
def _third_of_a_month(cloud: ApiCloud) -> None:
    begin_month(cloud)


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def make_volume(who: Caller, size: int) -> str:
    body = {"volume": {"size": size, "name": "roots"}}
    return str(who.post(f"/volume/v3/{who.project_id}/volumes", body, 202).json()["volume"]["id"])


def flavor_name(garden: Project) -> str:
    return str(garden.admin.get(f"/compute/v2.1/flavors/{garden.flavor_id}").json()["flavor"]["name"])


def month(cloud: ApiCloud) -> str:
    now = cloud.core.clock.now()
    return f"{now.year}-{now.month:02}"


def test_a_server_costs_its_flavors_price_for_every_second(cloud: ApiCloud, garden: Project) -> None:
    price(garden.admin, "instance", "3.6", "flavor_id", garden.flavor_id)
    server = garden.server()
    pass_(cloud, hours=1, seconds=1)
    assert total(garden.user) == Decimal("3.601")
    garden.user.delete(f"/compute/v2.1/servers/{server}")
    cloud.run_jobs()
    pass_(cloud, days=1)
    assert total(garden.user) == Decimal("3.601")


def test_a_stopped_server_costs_what_its_state_costs(cloud: ApiCloud, garden: Project) -> None:
    for state, cost in (("active", "10"), ("stopped", "1")):
        price(garden.admin, "instance", cost, "state", state)
    server = garden.server()
    pass_(cloud, hours=2)
    garden.done(server, "os-stop")
    pass_(cloud, minutes=90)
    garden.done(server, "os-start")
    pass_(cloud, hours=1)
    assert total(garden.user) == Decimal("31.5")
    lines = bill(garden.user, month(cloud))["lines"]
    told = {
        (line["what"], line["hours"], line["price"], line["amount"]) for line in lines if line["service"] == "instance"
    }
    name = flavor_name(garden)
    assert told == {(f"{name}, active", "3", "10", "30"), (f"{name}, stopped", "1.5", "1", "1.5")}


def test_a_resized_server_costs_what_each_flavor_costs(cloud: ApiCloud, garden: Project) -> None:
    small = flavor_name(garden)
    large = make_flavor(garden.admin, name="large", vcpus=2)
    price(garden.admin, "instance", "1", "flavor_name", small)
    price(garden.admin, "instance", "5", "flavor_name", "large")
    server = garden.server()
    pass_(cloud, hours=1)
    garden.done(server, "resize", {"flavorRef": large})
    pass_(cloud, hours=1)
    assert total(garden.user) == Decimal(6)


def test_a_server_whose_flavor_is_deleted_and_that_gets_another_name_costs_the_same(
    cloud: ApiCloud, garden: Project
) -> None:
    price(garden.admin, "instance", "1", "flavor_name", flavor_name(garden))
    server = garden.server("before")
    pass_(cloud, hours=1)
    garden.admin.delete(f"/compute/v2.1/flavors/{garden.flavor_id}", 202)
    garden.user.put(f"/compute/v2.1/servers/{server}", {"server": {"name": "after"}}, 200)
    pass_(cloud, hours=1)
    garden.done(server, "os-stop")
    pass_(cloud, hours=1)
    assert total(garden.user) == Decimal(3)
    lines = [line for line in bill(garden.user, month(cloud))["lines"] if line["service"] == "instance"]
    assert [(line["name"], line["hours"]) for line in lines] == [("after", "2"), ("after", "1")]
    assert garden.user.get(f"{V2}/dataframes", params={"filters": "type:instance"}).json()["total"] == 5
    garden.user.get(f"{V2}/bill", 400, params={"month": "2020-01"})


def test_a_price_that_changes_in_mid_hour_counts_from_its_second(cloud: ApiCloud, garden: Project) -> None:
    first = price(garden.admin, "instance", "3600")
    garden.server()
    pass_(cloud, seconds=100)
    garden.admin.delete(f"{H}/mappings/{first['mapping_id']}")
    price(garden.admin, "instance", "7200")
    pass_(cloud, seconds=50)
    assert total(garden.user) == Decimal(200)
    assert [line["price"] for line in bill(garden.user, month(cloud))["lines"] if line["service"] == "instance"] == [
        "3600",
        "7200",
    ]


def test_a_volume_costs_by_size_and_type_until_it_is_deleted(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    types = cloud.admin.get(f"/volume/v3/{cloud.admin.project_id}/types").json()["volume_types"]
    price(cloud.admin, "volume.size", "0.01", "volume_type", types[0]["name"])
    volume = make_volume(mia, 5)
    cloud.run_jobs()
    pass_(cloud, hours=10)
    v3 = f"/volume/v3/{mia.project_id}/volumes/{volume}"
    mia.post(f"{v3}/action", {"os-extend": {"new_size": 20}}, 202)
    cloud.run_jobs()
    pass_(cloud, hours=10)
    mia.delete(v3, 202)
    cloud.run_jobs()
    pass_(cloud, hours=10)
    assert total(mia) == Decimal("2.5")


def test_a_volume_that_is_handed_over_costs_each_project_its_time(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    price(cloud.admin, "volume.size", "1")
    volume = make_volume(mia, 1)
    cloud.run_jobs()
    pass_(cloud, hours=2)
    offer = {"transfer": {"volume_id": volume, "name": "yours"}}
    given = mia.post(f"/volume/v3/{mia.project_id}/os-volume-transfer", offer, 202).json()["transfer"]
    accepted = {"accept": {"auth_key": given["auth_key"]}}
    bob.post(f"/volume/v3/{bob.project_id}/os-volume-transfer/{given['id']}/accept", accepted, 202)
    pass_(cloud, hours=3)
    assert (total(mia), total(bob)) == (2, 3)
    assert sorted(cloud.admin.get(f"{V1}/report/tenants").json()) == sorted((mia.project_id, bob.project_id))


def test_groups_add_up_rates_multiply_and_a_projects_own_price_goes_first(cloud: ApiCloud, garden: Project) -> None:
    admin, mine = garden.admin, garden.user.project_id
    group = admin.post(f"{H}/groups", {"name": "licences"}, 201).json()["group_id"]
    price(admin, "instance", "2")
    price(admin, "instance", "0.5", "state", "active", type="rate")
    price(admin, "instance", "1", group_id=group)
    garden.server()
    pass_(cloud, hours=1)
    assert total(garden.user) == Decimal(2)
    price(admin, "instance", "1.5", tenant_id=mine)
    pass_(cloud, hours=1)
    assert total(garden.user) == Decimal("3.75")


def test_a_threshold_counts_from_its_level_on(cloud: ApiCloud) -> None:
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    price(admin, "volume.size", "1")
    service = service_id(admin, "volume.size")
    body = {"service_id": service, "level": 10, "cost": "0.5", "type": "rate"}
    threshold = admin.post(f"{H}/thresholds", body, 201).json()
    make_volume(mia, 10), make_volume(mia, 9)
    cloud.run_jobs()
    pass_(cloud, hours=1)
    assert total(mia) == Decimal(14)
    admin.put(f"{H}/thresholds/{threshold['threshold_id']}", {**threshold, "cost": "0.1"}, 204)
    pass_(cloud, hours=1)
    assert total(mia) == Decimal(24)


def test_a_summary_is_grouped_and_filtered(cloud: ApiCloud, garden: Project) -> None:
    price(garden.admin, "instance", "2")
    server = garden.server()
    pass_(cloud, hours=30)
    query = {"groupby": "type,id,time-d", "filters": "type:instance", "response_format": "object"}
    found = garden.user.get(f"{V2}/summary", params=query).json()
    assert found["total"] == len(found["results"]) == 2
    assert sum(one["rate"] for one in found["results"]) == 60
    assert sum(one["qty"] for one in found["results"]) == 30
    assert {(one["type"], one["id"]) for one in found["results"]} == {("instance", server)}
    table = garden.user.get(f"{V2}/summary").json()
    assert table["columns"] == ["begin", "end", "qty", "rate"] and table["results"][0][3] == 60
    v1 = garden.user.get(f"{V1}/report/summary", params={"groupby": "res_type,tenant_id", "service": "instance"}).json()
    assert [(one["res_type"], one["rate"]) for one in v1["summary"]] == [("instance", "60")]


def test_dataframes_are_hours_of_resources_in_pages(cloud: ApiCloud, garden: Project) -> None:
    price(garden.admin, "instance", "2")
    garden.server()
    pass_(cloud, minutes=150)
    wanted = {"filters": "type:instance"}
    found = garden.user.get(f"{V2}/dataframes", params=wanted).json()
    assert found["total"] == 3
    points = [point for frame in found["dataframes"] for point in frame["usage"]["instance"]]
    assert sum(point["rating"]["price"] for point in points) == pytest.approx(5)
    assert sum(point["vol"]["qty"] for point in points) == pytest.approx(2.5)
    second = garden.user.get(f"{V2}/dataframes", params={**wanted, "offset": 1, "limit": 1}).json()
    assert second["dataframes"] == [found["dataframes"][1]] and second["total"] == found["total"]
    v1 = garden.user.get(f"{V1}/storage/dataframes", params={"resource_type": "instance"}).json()["dataframes"]
    assert sum(Decimal(one["rating"]) for frame in v1 for one in frame["resources"]) == Decimal(5)


def test_another_projects_use_is_not_seen(cloud: ApiCloud, garden: Project) -> None:
    price(garden.admin, "instance", "2")
    garden.server()
    pass_(cloud, hours=1)
    bob = cloud.new_user("bob", "shed")
    mine = garden.user.project_id
    assert total(bob) == 0 and total(garden.admin, tenant_id=mine) == total(garden.admin, all_tenants=True) == 2
    for query in ({"tenant_id": mine}, {"all_tenants": True}):
        bob.get(f"{V1}/report/total", 403, params=query)
        bob.get(f"{V1}/report/summary", 403, params=query)
    bob.get(f"{V1}/storage/dataframes", 403, params={"tenant_id": mine})
    bob.get(f"{V2}/bill", 403, params={"project_id": mine})
    bob.get(f"{V2}/dataframes", 404, params={"filters": f"project_id:{mine}"})
    assert bob.get(f"{V2}/summary", params={"filters": f"project_id:{mine}"}).json()["results"][0][2] == 0
    for path in ("/v1/report/tenants", "/v2/scope", "/v1/rating/modules", "/v2/closings", "/v2/budgets"):
        bob.get(f"/rating{path}", 403)
    bob.get(f"{H}/services", 403)


def test_rules_that_cannot_be_are_refused_with_the_reason(cloud: ApiCloud) -> None:
    admin = cloud.admin
    service = service_id(admin, "instance")
    field = field_id(admin, service, "flavor_id")
    made = price(admin, "instance", "1")

    def refused(status: int, **body: object) -> str:
        return str(admin.post(f"{H}/mappings", {"cost": 1, **body}, status).json()["faultstring"])

    assert refused(400) == "You must specify one parent."
    assert refused(400, service_id=service, field_id=field) == "You can only specify one parent."
    assert refused(400, field_id=field) == "You must specify a value for a field mapping."
    assert refused(400, service_id=service, value="x") == "You can't specify a value and a service_id."
    assert "already exists" in refused(409, service_id=service)
    assert "in the past" in refused(400, field_id=field, value="x", start="2020-01-01T00:00:00")
    assert "after end" in refused(400, field_id=field, value="x", start="2031-01-01", end="2030-01-01")
    assert "too great" in refused(400, field_id=field, value="x", cost="NaN")
    assert "only the attribute [end]" in str(
        admin.put(f"{H}/mappings/{made['mapping_id']}", {**made, "cost": 2}, 400).json()["faultstring"]
    )
    later = cloud.core.clock.now().replace(year=2040).isoformat()
    admin.put(f"{H}/mappings/{made['mapping_id']}", {**made, "end": later}, 204)
    assert admin.get(f"{H}/mappings/{made['mapping_id']}").json()["end"][:4] == "2040"
    assert "defined end date" in admin.put(f"{H}/mappings/{made['mapping_id']}", {**made, "end": later}, 400).text


def test_a_module_or_a_project_that_is_switched_off_costs_nothing_meanwhile(cloud: ApiCloud, garden: Project) -> None:
    admin, mine = garden.admin, garden.user.project_id
    price(admin, "instance", "1")
    garden.server()
    pass_(cloud, hours=1)
    admin.put(f"{V2}/rating/modules/hashmap", {"enabled": False}, 204)
    pass_(cloud, hours=1)
    admin.put(f"{V2}/rating/modules/hashmap", {"enabled": True}, 204)
    pass_(cloud, hours=1)
    admin.patch(f"{V2}/scope", {"scope_id": mine, "active": False}, 200)
    pass_(cloud, hours=1)
    assert total(garden.user) == 2
    assert not admin.get(f"{V2}/scope", params={"scope_id": mine}).json()["results"][0]["active"]
    assert admin.put(f"{V2}/rating/modules/pyscripts", {"enabled": True}, 501).json()["message"]


def test_what_it_would_cost_is_told_before(cloud: ApiCloud, garden: Project) -> None:
    price(garden.admin, "instance", "0.25", "flavor_name", "m1.tiny")
    price(garden.admin, "volume.size", "0.001")
    asked = [
        {"service": "instance", "desc": {"flavor_name": "m1.tiny"}, "volume": "2"},
        {"service": "volume.size", "volume": "100"},
    ]
    assert garden.user.post(f"{V1}/rating/quote", {"resources": asked}, 200).json() == 0.6
    each = garden.user.post(f"{V1}/rating/quote?details=1", {"resources": asked}, 200).json()
    assert each == {"total": 0.6, "prices": ["0.5", "0.1"]}


def test_images_addresses_and_routers_are_counted(cloud: ApiCloud, garden: Project) -> None:
    price(garden.admin, "router", "1")
    price(garden.admin, "image.size", "1048576")
    pass_(cloud, seconds=1)
    router = {"router": {"name": "door"}}
    made = garden.user.post("/network/v2.0/routers", router, 201).json()["router"]["id"]
    pass_(cloud, hours=2)
    garden.user.delete(f"/network/v2.0/routers/{made}")
    pass_(cloud, hours=2)
    lines = {line["service"]: line for line in bill(garden.user, month(cloud))["lines"]}
    assert lines["router"]["amount"] == "2" and lines["router"]["hours"] == "2"
    images = [line for line in bill(garden.admin, month(cloud))["lines"] if line["service"] == "image.size"]
    [image] = images or [lines["image.size"]]
    size = garden.admin.get(f"/image/v2/images/{garden.image_id}").json()["size"]
    assert Decimal(image["price"]) == size
