"""Who may only read gets nothing by which he could act: no key of signed addresses, no address of a signal."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tane.app import SERVICES
from tane.services.identity import interface as identity
from tests.api.compute_support import make_flavor
from tests.api.network_support import public
from tests.resources import one_of_each
from tests.support import ApiCloud, Caller
from tests.test_isolation import ask

ADDRESS = re.compile(r"/signal/[0-9a-f-]{36}/[A-Za-z0-9_-]{16,}")
KEYS = {"X-Account-Meta-Temp-URL-Key": "accountsecret", "X-Account-Meta-Temp-URL-Key-2": "secondsecret"}
HIDDEN = "hidden-sunflower"
TEMPLATE = {
    "heat_template_version": "2021-04-16",
    "parameters": {"word": {"type": "string", "hidden": True}, "open": {"type": "string"}},
    "resources": {
        "group": {
            "type": "OS::Heat::AutoScalingGroup",
            "properties": {"min_size": 0, "max_size": 3, "resource": {"type": "OS::Heat::RandomString"}},
        },
        "policy": {
            "type": "OS::Heat::ScalingPolicy",
            "properties": {
                "adjustment_type": "change_in_capacity",
                "auto_scaling_group_id": {"get_resource": "group"},
                "scaling_adjustment": 1,
            },
        },
        "alarm": {
            "type": "OS::Aodh::EventAlarm",
            "properties": {"event_type": "never", "alarm_actions": [{"get_attr": ["policy", "signal_url"]}]},
        },
        "handle": {"type": "OS::Heat::WaitConditionHandle"},
    },
    "outputs": {"address": {"value": {"get_attr": ["policy", "signal_url"]}}},
}


@pytest.fixture
def people(cloud: ApiCloud) -> tuple[Caller, Caller]:
    """A member whose project has everything, and a reader of the same project."""
    mia, rita = cloud.new_user("mia", "garden"), cloud.new_user("rita", "garden", "reader")
    account = f"/object-store/v1/AUTH_{mia.project_id}"
    mia.request("POST", account, headers=KEYS, expect=204)
    lists = {"X-Container-Meta-Temp-URL-Key": "containersecret", "X-Container-Read": "otherproject:*"}
    mia.request("PUT", f"{account}/photos", headers=lists, expect=201)
    given = {"parameters": {"word": HIDDEN, "open": "sesame"}, "parameter_defaults": {"within": f"in {HIDDEN}"}}
    body = {"stack_name": "web", "template": TEMPLATE, "environment": given}
    made = mia.post(f"/orchestration/v1/{mia.project_id}/stacks", body, 201).json()["stack"]["id"]
    cloud.run_jobs()
    mia.post(f"/orchestration/v1/{mia.project_id}/stacks/web/{made}/snapshots", {"name": "before"}, 200)
    cloud.run_jobs()
    return mia, rita


def test_no_call_that_reads_tells_a_reader_a_secret(cloud: ApiCloud, people: tuple[Caller, Caller]) -> None:
    mia, rita = people
    ids = one_of_each(cloud, mia, name="rose", flavor_id=make_flavor(cloud.admin), external_id=public(cloud))
    alarm = next(one["alarm_id"] for one in mia.get("/alarm/v2/alarms").json() if ADDRESS.search(str(one)))
    assert ADDRESS.search(mia.get(f"/alarm/v2/alarms/{alarm}").text), "its owner is told"
    assert "accountsecret" in str(mia.get(f"/object-store/v1/AUTH_{mia.project_id}").headers)
    stack = mia.get(f"/orchestration/v1/{mia.project_id}/stacks?name=web").json()["stacks"][0]["id"]
    within = f"/orchestration/v1/{mia.project_id}/stacks/web/{stack}"
    [snapshot] = mia.get(f"{within}/snapshots").json()["snapshots"]
    for below in ("/environment", f"/snapshots/{snapshot['id']}"):
        assert HIDDEN in mia.get(within + below).text, "its owner is told"
        assert "sesame" in rita.get(within + below).text
        _nothing_of_it(below, rita.get(within + below))
    known = {**ids, "alarms": alarm, "stacks": "web", "web": stack, "AUTH": f"AUTH_{mia.project_id}"}
    for service in SERVICES:
        for route in service.routes:
            if route.method in ("GET", "HEAD") and not route.stream:
                answer = ask(cloud, rita, service, route, known)
                _nothing_of_it(f"{route.method} {route.path}", answer)
    account = f"/object-store/v1/AUTH_{mia.project_id}"
    for path in (account, f"{account}/photos", "/s3/photos?acl", f"{account}/photos?format=json"):
        for method in ("GET", "HEAD"):
            _nothing_of_it(path, rita.request(method, path))
    for path in ("/alarm/v2/query/alarms", "/alarm/v2/query/alarms/history"):
        _nothing_of_it(path, rita.post(path, {}))
    _nothing_of_it("history", rita.get(f"/alarm/v2/alarms/{alarm}/history"))
    _nothing_of_it("events", rita.get("/events?limit=1000"))


def _nothing_of_it(where: str, answer: Any) -> None:
    text = f"{answer.text}{dict(answer.headers)}"
    assert not ADDRESS.search(text), f"{where} tells an address of a signal"
    told = [secret for secret in (*KEYS.values(), "containersecret", "otherproject", HIDDEN) if secret in text]
    assert not told, f"{where} tells {told}"


def test_a_reader_does_not_guess_letter_by_letter_what_he_is_not_told(people: tuple[Caller, Caller]) -> None:
    mia, rita = people
    guess = {"filter": json.dumps({"=~": {"detail": "/signal/"}})}
    assert mia.post("/alarm/v2/query/alarms/history", guess, 200).json()
    rita.post("/alarm/v2/query/alarms/history", guess, 400)
    rita.post("/alarm/v2/query/alarms/history", {"orderby": '[{"detail": "asc"}]'}, 400)
    alarm = next(one["alarm_id"] for one in mia.get("/alarm/v2/alarms").json() if ADDRESS.search(str(one)))
    rita.get(f"/alarm/v2/alarms/{alarm}/history?q.field=detail&q.op=eq&q.value=x", 400)
    rita.get(f"/alarm/v2/alarms/{alarm}/history?sort=detail:asc", 400)


def test_what_a_project_opened_is_closed_with_it(
    cloud: ApiCloud, people: tuple[Caller, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    mia, _ = people
    monkeypatch.setattr(identity, "OPEN_SECONDS", 0.0)
    photos = f"/object-store/v1/AUTH_{mia.project_id}/photos"
    mia.request("POST", photos, headers={"X-Container-Read": ".r:*"}, expect=204)
    mia.request("PUT", f"{photos}/one", content=b"one", expect=201)
    assert cloud.call("GET", f"{photos}/one").content == b"one"
    cloud.admin.patch(f"/identity/v3/projects/{mia.project_id}", {"project": {"enabled": False}}, 200)
    assert cloud.call("GET", f"{photos}/one").status_code == 401
    cloud.admin.patch(f"/identity/v3/projects/{mia.project_id}", {"project": {"enabled": True}}, 200)
    assert cloud.call("GET", f"{photos}/one").content == b"one"
