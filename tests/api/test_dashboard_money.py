"""Alarms, prices, budgets and bills of the portal: each action ends in what the API then shows."""

from __future__ import annotations

import re

import pytest

from tests.api import rating_support
from tests.api.compute_support import make_image
from tests.api.dashboard_support import D, Scene, admin, make_scene
from tests.support import ApiCloud

XSS = "\"'><script>alert(1)</script>"
HOOK = "https://hooks.example.com/in"


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def test_alarms(scene: Scene) -> None:
    shown = scene.browser.get(f"{D}/new/alarms")
    assert "openstack alarm create" in shown
    asked = {"metric": "cpu", "comparison_operator": "gt", "severity": "critical"}
    alarm = scene.make("alarms", name=XSS, threshold="80", address=HOOK, back="true", **asked)
    found = scene.api.get(f"/alarm/v2/alarms/{alarm}").json()
    rule = found["gnocchi_aggregation_by_resources_threshold_rule"]
    assert (rule["threshold"], rule["aggregation_method"], rule["granularity"]) == (48e9, "rate:mean", 300)
    assert (found["severity"], found["alarm_actions"], found["ok_actions"]) == ("critical", *[[HOOK]] * 2)
    told = "Processor (percent of one) is more than 80, for 1 × 5 minutes"
    assert told in scene.browser.get(f"{D}/alarms/{alarm}")
    scene.do("alarms", alarm, "state", state="alarm")
    page = scene.browser.get(f"{D}/alarms/{alarm}")
    assert scene.api.get(f"/alarm/v2/alarms/{alarm}/state").json() == "alarm"
    assert "Change of its state" in page and "<script>alert" not in page + scene.browser.get(f"{D}/alarms")
    for action, enabled in (("disable", False), ("enable", True)):
        scene.browser.fill(f"{D}/alarms/{alarm}", f"/alarms/{alarm}/{action}")
        assert scene.api.get(f"/alarm/v2/alarms/{alarm}").json()["enabled"] is enabled
    for values, sentence in (
        ({"threshold": "much"}, "Threshold: &#39;much&#39; is not a number."),
        ({"threshold": "1", "address": "http://127.0.0.1/"}, "127.0.0.1"),
        ({"threshold": "1", "evaluation_periods": "0"}, "Value should be 1 to 100."),
    ):
        told = scene.browser.fill(f"{D}/new/alarms", name="bad", **values)
        assert told.status_code == 400 and sentence in told.text and 'value="bad"' in told.text
    scene.do("alarms", alarm, "delete")
    assert scene.api.get("/alarm/v2/alarms").json() == []


def test_prices_budgets_and_bills(scene: Scene) -> None:
    boss = Scene(scene.cloud, admin(scene.cloud), scene.cloud.admin)
    make, do, hashmap = boss.make, boss.do, "/rating/v1/rating/module_config/hashmap"
    group = make("price-groups", name=XSS)
    service = make("price-services", name="instance")
    make("price-fields", service, name="flavor_name")
    [field] = boss.api.get(f"{hashmap}/fields?service_id={service}").json()["fields"]
    make("field-prices", field["field_id"], value="small", cost="0.5", group_id=group)
    make("service-prices", service, cost="1.1", type="rate", group_id=group)
    make("service-thresholds", service, level="10", cost="0.9", type="rate")
    make("field-thresholds", field["field_id"], level="4", cost="0.1", type="flat")
    assert "small" in boss.browser.get(f"{D}/price-fields/{field['field_id']}")
    page = boss.browser.get(f"{D}/price-services/{service}")
    assert "flavor_name" in page and "<script>alert" not in page + boss.browser.get(f"{D}/price-groups")
    told = scene.browser.get(f"{D}/new/servers")
    assert "small costs about 401.50 EUR a month." in told
    image = make_image(scene.api, "seed")
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    scene.make("servers", name=XSS, image=image, flavor="small", networks=network)
    make("budgets", project_id=scene.api.project_id, amount="10", action="refuse")
    rating_support.pass_(scene.cloud, minutes=30)
    bill = scene.browser.get(f"{D}/bill")
    assert "0.28 EUR" in bill and "/ 10 EUR" in bill and "<script>alert" not in bill and "small, active" in bill
    assert "Servers" in bill and "summary get" in bill
    assert "have a value" not in scene.browser.get(f"{D}/bill?month=2020-01")
    for kind in ("budgets", "price-services", "price-groups"):
        assert scene.browser.send("GET", f"{D}/{kind}").status_code == 403 and kind not in scene.browser.get(D)
    path = f"{D}/budgets/{scene.api.project_id}/change"
    assert boss.browser.fill(path, amount="20", action="warn").status_code == 303
    found = scene.show(f"/rating/v2/budgets/{scene.api.project_id}")
    assert (found["amount"], found["action"]) == ("20", "warn")
    do("budgets", scene.api.project_id, "delete")
    for kind, parent, row in (
        ("field-prices", field["field_id"], "mapping"),
        ("service-prices", service, "mapping"),
        ("field-thresholds", field["field_id"], "threshold"),
        ("service-thresholds", service, "threshold"),
    ):
        query = f"{'field_id' if kind.startswith('field') else 'service_id'}={parent}"
        [one] = boss.api.get(f"{hashmap}/{row}s?{query}").json()[f"{row}s"]
        changed = {"end": "2090-01-01T00:00:00"} if row == "mapping" else {"cost": "0.25"}
        do(kind, one[f"{row}_id"], "change", parent, **changed)
        [now] = boss.api.get(f"{hashmap}/{row}s?{query}").json()[f"{row}s"]
        assert now["end"] if row == "mapping" else now["cost"] == "0.25"
        do(kind, now[f"{row}_id"], "delete", parent)
    refused = boss.browser.fill(f"{D}/new/service-prices?in={service}", f"{D}/new/service-prices", cost="dear")
    assert refused.status_code == 400
    do("price-fields", field["field_id"], "delete")
    do("price-services", service, "delete")
    do("price-groups", group, "delete")
    assert boss.api.get(f"{hashmap}/services").json()["services"] == []


def test_a_bill_has_a_row_for_each_flavor_that_a_server_had(scene: Scene) -> None:
    admin_api = scene.cloud.admin
    rating_support.price(admin_api, "instance", "1", "flavor_name", "small")
    image = make_image(scene.api, "seed")
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)
    rating_support.pass_(scene.cloud, minutes=12)
    scene.do("servers", server, "resize", flavorRef="large")
    scene.do("servers", server, "confirm")
    rating_support.pass_(scene.cloud, minutes=18)
    rows = re.findall(r"<tr><th[^>]*>web</th>(.*?)</tr>", scene.browser.get(f"{D}/bill"))
    cells = {told[1]: (told[2], float(told[3])) for row in rows if (told := re.findall(r"<td>(.*?)</td>", row))}
    assert cells["small, active"] == ("0.2", 0.2) and cells["large, active"] == ("0.3", 0.0), cells


def test_an_alarm_watches_a_server_and_its_parts(scene: Scene) -> None:
    image = make_image(scene.api, "seed")
    network = scene.make("networks", name="bed", cidr="10.1.0.0/24")
    server = scene.make("servers", name="web", image=image, flavor="small", networks=network)
    where = scene.browser.fill(f"{D}/servers/{server}", "/alarm").headers["location"]
    assert where == f"{D}/new/alarms?server={server}"
    for metric, kind, number in (
        ("memory.resident", "gnocchi_resources_threshold", 80),
        ("network.incoming.bytes", "gnocchi_aggregation_by_resources_threshold", 4800),
    ):
        answer = scene.browser.fill(where, "/new/alarms", name="a", metric=metric, threshold="80")
        assert answer.status_code == 303, answer.text
        alarm = answer.headers["location"].partition("?")[0].rpartition("/")[2]
        found = scene.api.get(f"/alarm/v2/alarms/{alarm}").json()
        rule = found[f"{kind}_rule"]
        assert found["type"] == kind and rule["threshold"] == number
        assert server in (rule.get("resource_id") or rule["query"])
