"""Alarms as a user has them: evaluated when measures come, told once, seen by nobody else."""

from __future__ import annotations

import json
import uuid
from datetime import UTC
from typing import Any

import pytest

from tane import quota
from tane.services.alarm.domain import evaluation, happenings
from tane.web import outside
from tests.api import orchestration_support as orchestration
from tests.api.metric_support import V1, make_metric, make_resource
from tests.support import ApiCloud, Caller

V2 = "/alarm/v2"
HOOK = "https://hooks.example.com/in"


class Told:
    """Who listens at the other end of the web."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[dict[str, Any]] = []
        monkeypatch.setattr(outside, "post", self.post)

    def post(self, url: str, body: bytes, *more: Any) -> int:
        self.heard.append({"url": url, **json.loads(body)})
        return 200


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


def threshold(kind: str = "gnocchi_aggregation_by_metrics_threshold", **rule: Any) -> dict[str, Any]:
    usual = {"threshold": 50, "comparison_operator": "gt", "aggregation_method": "mean", "granularity": 60}
    return {"name": "busy", "type": kind, f"{kind}_rule": {**usual, **rule}, "alarm_actions": [HOOK]}


def make_alarm(caller: Caller, body: dict[str, Any], **more: Any) -> str:
    return str(caller.post(f"{V2}/alarms", {**body, **more}, 201).json()["alarm_id"])


def now(cloud: ApiCloud) -> float:
    return cloud.core.clock.now().replace(tzinfo=UTC).timestamp()


def feed(cloud: ApiCloud, caller: Caller, metric: str, *values: float) -> None:
    """One value a minute, the last of them now."""
    for value in values:
        cloud.advance(60)
        told = [{"timestamp": now(cloud) - 1, "value": value}]
        caller.post(f"{V1}/metric/{metric}/measures", told, 202)


def evaluate(cloud: ApiCloud, *, everything: bool = False) -> int:
    if everything:
        evaluation.watch(cloud.core).whole_round = 0.0
    turned = evaluation.evaluate(cloud.core)
    cloud.run_jobs()
    return turned


def state(caller: Caller, alarm: str) -> str:
    return str(caller.get(f"{V2}/alarms/{alarm}/state").json())


def test_an_alarm_goes_off_when_its_metric_passes_the_threshold_and_is_told_once(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    alarm = make_alarm(mia, threshold(metrics=[metric]), ok_actions=["https://hooks.example.com/ok"])
    evaluate(cloud)
    assert state(mia, alarm) == "insufficient data" and told.heard == []
    feed(cloud, mia, metric, 90)
    assert evaluate(cloud) == 1 and state(mia, alarm) == "alarm"
    [heard] = told.heard
    assert heard["url"] == HOOK and heard["previous"] == "insufficient data" and heard["current"] == "alarm"
    assert heard["reason"] == "Transition to alarm due to 1 samples outside threshold, most recent: 90.0"
    assert heard["reason_data"] == {"type": "threshold", "disposition": "outside", "count": 1, "most_recent": 90.0}
    feed(cloud, mia, metric, 95)
    assert evaluate(cloud) == 0 and len(told.heard) == 1
    feed(cloud, mia, metric, 10)
    assert evaluate(cloud) == 1 and state(mia, alarm) == "ok" and told.heard[-1]["url"].endswith("/ok")
    history = mia.get(f"{V2}/alarms/{alarm}/history").json()
    assert [one["type"] for one in history] == ["state transition", "state transition", "creation"]
    assert json.loads(history[0]["detail"])["state"] == "ok"


def test_an_alarm_without_news_is_not_evaluated_but_once_a_round(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    metric, other = make_metric(mia), make_metric(mia)
    alarm = make_alarm(mia, threshold(metrics=[metric]))
    feed(cloud, mia, metric, 90)
    evaluate(cloud)
    cloud.advance(600)
    feed(cloud, mia, other, 1)
    assert evaluate(cloud) == 0 and state(mia, alarm) == "alarm"
    assert evaluate(cloud, everything=True) == 1 and state(mia, alarm) == "insufficient data"


def test_several_periods_must_all_be_outside(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    alarm = make_alarm(mia, threshold(metrics=[metric], evaluation_periods=3))
    feed(cloud, mia, metric, 90, 90)
    evaluate(cloud)
    assert state(mia, alarm) == "insufficient data"
    feed(cloud, mia, metric, 90)
    evaluate(cloud)
    assert state(mia, alarm) == "alarm"
    feed(cloud, mia, metric, 10)
    evaluate(cloud)
    # It wavers: what was said stands.
    assert state(mia, alarm) == "alarm" and len(told.heard) == 1


def test_an_alarm_that_repeats_is_told_at_each_evaluation(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    make_alarm(mia, threshold(metrics=[metric]), repeat_actions=True)
    for _ in range(3):
        feed(cloud, mia, metric, 90)
        evaluate(cloud)
    assert [one["previous"] for one in told.heard] == ["insufficient data", "alarm", "alarm"]


def test_alarms_over_a_resource_and_over_many_by_a_query(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    policy = {"cpu": {"archive_policy_name": "medium"}}
    one, two = (make_resource(mia, str(uuid.uuid4()), user_id="web", metrics=policy) for _ in range(2))
    single = threshold("gnocchi_resources_threshold", metric="cpu", resource_id=one["id"], resource_type="generic")
    query = json.dumps({"=": {"user_id": "web"}})
    many = threshold("gnocchi_aggregation_by_resources_threshold", metric="cpu", query=query, resource_type="generic")
    first, second = make_alarm(mia, single), make_alarm(mia, many)
    feed(cloud, mia, one["metrics"]["cpu"], 90)
    evaluate(cloud, everything=True)
    assert (state(mia, first), state(mia, second)) == ("alarm", "alarm")
    told_two = [{"timestamp": now(cloud) - 1, "value": 0}]
    mia.post(f"{V1}/metric/{two['metrics']['cpu']}/measures", told_two, 202)
    evaluate(cloud, everything=True)
    assert (state(mia, first), state(mia, second)) == ("alarm", "ok")


def test_an_alarm_sees_nothing_of_another_project(cloud: ApiCloud, told: Told) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    metric = make_metric(mia)
    alarm = make_alarm(bob, threshold(metrics=[metric]))
    feed(cloud, mia, metric, 90)
    evaluate(cloud, everything=True)
    assert state(bob, alarm) == "insufficient data" and told.heard == []
    own = make_alarm(mia, threshold(metrics=[metric]))
    for path in ("", "/state", "/history"):
        bob.get(f"{V2}/alarms/{own}{path}", 404)
    bob.put(f"{V2}/alarms/{own}/state", "ok", 404)
    bob.delete(f"{V2}/alarms/{own}", 404)
    assert [one["alarm_id"] for one in bob.get(f"{V2}/alarms").json()] == [alarm]
    assert [one["alarm_id"] for one in bob.post(f"{V2}/query/alarms", {}, 200).json()] == [alarm]
    assert {one["alarm_id"] for one in bob.post(f"{V2}/query/alarms/history", {}, 200).json()} == {alarm}
    bob.get(f"{V2}/alarms?q.field=all_projects&q.op=eq&q.value=true", 403)
    bob.get(f"{V2}/quotas?project_id={mia.project_id}", 403)
    assert len(cloud.admin.get(f"{V2}/alarms?q.field=all_projects&q.op=eq&q.value=true").json()) == 2


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("http://127.0.0.1/", 400),
        ("http://169.254.169.254/latest", 400),
        ("http://10.0.0.5/", 400),
        ("http://[::1]/", 400),
        ("http://[::ffff:127.0.0.1]/", 400),
        ("http://user:word@example.com/", 400),
        ("ftp://example.com/", 400),
        ("nonsense", 400),
        ("http://exa mple.com/", 400),
        ("log://", 401),
        ("trust+http://example.com/", 501),
        ("trust+zaqar://?queue_name=x", 501),
    ],
)
def test_where_no_alarm_may_be_told_is_refused(cloud: ApiCloud, action: str, status: int) -> None:
    mia = cloud.new_user("mia", "garden")
    mia.post(f"{V2}/alarms", {**threshold(metrics=[str(uuid.uuid4())]), "alarm_actions": [action]}, status)


def test_a_name_that_leads_inside_is_not_gone_to(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(2, 1, 6, "", ("10.1.2.3", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *a, **k: answer)
    with pytest.raises(outside.Refused, match="internal"):
        outside.post("http://rebind.example.com/", b"{}", (), (), 1.0)
    answer[0] = (2, 1, 6, "", ("8.8.8.8", 80))
    with pytest.raises(outside.Refused, match="internal"):
        outside.post("http://own.example.com/", b"{}", (), {"8.8.8.8"}, 1.0)


def test_events_set_alarms_off_in_their_own_project_only(cloud: ApiCloud, told: Told) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    rule = {
        "event_type": "network.*",
        "query": [{"field": "traits.name", "op": "eq", "value": "lan", "type": "string"}],
    }
    body = {"name": "new net", "type": "event", "event_rule": rule, "alarm_actions": [HOOK]}
    alarm, other = make_alarm(mia, body), make_alarm(bob, body)
    for name in ("wan", "lan"):
        mia.post("/network/v2.0/networks", {"network": {"name": name}}, 201)
    assert happenings.look(cloud.core) == 1
    cloud.run_jobs()
    assert state(mia, alarm) == "alarm" and state(bob, other) == "insufficient data"
    assert told.heard[0]["reason_data"]["event"]["traits"]["name"] == "lan"
    assert happenings.look(cloud.core) == 0


def test_composite_rules_are_put_together(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    one, two = make_metric(mia), make_metric(mia)
    kind = "gnocchi_aggregation_by_metrics_threshold"
    parts = [{**threshold(metrics=[metric])[f"{kind}_rule"], "type": kind} for metric in (one, two)]
    both = make_alarm(mia, {"name": "both", "type": "composite", "composite_rule": {"and": parts}})
    any_ = make_alarm(mia, {"name": "any", "type": "composite", "composite_rule": {"or": parts}})
    feed(cloud, mia, one, 90)
    evaluate(cloud, everything=True)
    assert (state(mia, both), state(mia, any_)) == ("insufficient data", "alarm")
    mia.post(f"{V1}/metric/{two}/measures", [{"timestamp": now(cloud) - 1, "value": 5}], 202)
    evaluate(cloud, everything=True)
    assert (state(mia, both), state(mia, any_)) == ("ok", "alarm")
    mia.post(f"{V2}/alarms", {"name": "x", "type": "composite", "composite_rule": {"xor": parts}}, 400)
    mia.post(f"{V2}/alarms", {"name": "x", "type": "composite", "composite_rule": {"and": [{"and": []}]}}, 400)


def test_outside_its_time_an_alarm_rests(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    hour = (cloud.core.clock.now().hour + 12) % 24
    constraint = {"name": "night", "start": f"0 {hour} * * *", "duration": 3600, "timezone": ""}
    alarm = make_alarm(mia, threshold(metrics=[metric]), time_constraints=[constraint])
    feed(cloud, mia, metric, 90)
    evaluate(cloud, everything=True)
    assert state(mia, alarm) == "insufficient data"
    for wrong in (
        {"start": "61 * * * *"},
        {"start": "often"},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
    ):
        body = {**threshold(metrics=[metric]), "time_constraints": [{**constraint, **wrong}]}
        mia.post(f"{V2}/alarms", body, 400)


def test_changing_querying_and_quotas(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    alarm = make_alarm(mia, threshold(metrics=[str(uuid.uuid4())]), severity="critical")
    shown = mia.get(f"{V2}/alarms/{alarm}").json()
    assert shown["severity"] == "critical" and shown["state_reason"] == "Not evaluated yet"
    changed = mia.put(f"{V2}/alarms/{alarm}", {**shown, "name": "calm", "enabled": False}, 200).json()
    assert changed["name"] == "calm" and changed["enabled"] is False
    assert mia.put(f"{V2}/alarms/{alarm}/state", "ok", 200).json() == "ok"
    mia.put(f"{V2}/alarms/{alarm}/state", "great", 400)
    query = {"filter": json.dumps({"and": [{"=": {"state": "ok"}}, {"not": {"=": {"severity": "low"}}}]})}
    assert [one["alarm_id"] for one in mia.post(f"{V2}/query/alarms", query, 200).json()] == [alarm]
    mia.post(f"{V2}/query/alarms", {"filter": "{"}, 400)
    mia.post(f"{V2}/query/alarms", {"filter": '{"=": {"secret": 1}}'}, 400)
    mia.get(f"{V2}/alarms?q.field=colour&q.op=eq&q.value=red", 400)
    mia.post(f"{V2}/alarms", {"name": "x", "type": "prometheus", "prometheus_rule": {"query": "up"}}, 501)
    with cloud.core.db.write() as tx:
        quota.set_limits(tx, "alarm", mia.project_id, {"alarms": 1})
    answer = mia.post(f"{V2}/alarms", threshold(metrics=["x"]), 403)
    assert "quota exceeded" in answer.json()["error_message"]["faultstring"]
    limit = {"project_id": mia.project_id, "quotas": [{"resource": "alarms", "limit": 5}]}
    mia.post(f"{V2}/quotas", limit, 403)
    assert cloud.admin.post(f"{V2}/quotas", limit, 201).json() == limit
    cloud.admin.delete(f"{V2}/quotas/{mia.project_id}")
    assert mia.get(f"{V2}/quotas").json()["quotas"][0]["limit"] == 1000
    mia.delete(f"{V2}/alarms/{alarm}")
    mia.get(f"{V2}/alarms/{alarm}", 404)


def test_a_stack_scales_out_and_in_by_alarms_and_not_when_nothing_is_known(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    group: dict[str, Any] = {
        "type": "OS::Heat::AutoScalingGroup",
        "properties": {"min_size": 1, "max_size": 3, "cooldown": 0, "resource": {"type": "OS::Heat::TestResource"}},
    }
    policy = {
        "auto_scaling_group_id": {"get_resource": "group"},
        "adjustment_type": "change_in_capacity",
        "cooldown": 0,
    }
    ways = {"out": 1, "in": -1}
    policies = {
        way: {"type": "OS::Heat::ScalingPolicy", "properties": {**policy, "scaling_adjustment": by}}
        for way, by in ways.items()
    }
    metric = make_metric(mia)
    alarms = {
        f"alarm_{way}": {
            "type": "OS::Aodh::GnocchiAggregationByMetricsAlarm",
            "properties": {
                "metrics": [metric],
                "threshold": 50,
                "aggregation_method": "mean",
                "granularity": 60,
                "comparison_operator": compared,
                "repeat_actions": False,
                "alarm_actions": [{"get_attr": [way, "alarm_url"]}],
            },
        }
        for way, compared in (("out", "gt"), ("in", "lt"))
    }
    template = orchestration.hot(
        {"group": group, **policies, **alarms}, outputs={"size": {"value": {"get_attr": ["group", "current_size"]}}}
    )
    shown = orchestration.stack(cloud, mia, template)
    assert shown["stack_status"] == "CREATE_COMPLETE", shown
    assert len(mia.get(f"{V2}/alarms").json()) == 2

    def size() -> int:
        return int(orchestration.outputs(orchestration.show(mia, "rose", shown["id"]))["size"])

    evaluate(cloud, everything=True)
    assert size() == 1
    feed(cloud, mia, metric, 90)
    evaluate(cloud)
    assert size() == 2
    feed(cloud, mia, metric, 10)
    evaluate(cloud)
    assert size() == 1
    cloud.advance(600)
    evaluate(cloud, everything=True)
    assert size() == 1
    alarms["alarm_out"]["properties"]["threshold"] = 70
    template["resources"] |= alarms
    assert orchestration.update(cloud, mia, shown, template)["stack_status"] == "UPDATE_COMPLETE"
    kind = "gnocchi_aggregation_by_metrics_threshold_rule"
    assert sorted(one[kind]["threshold"] for one in mia.get(f"{V2}/alarms").json()) == [50, 70]
    orchestration.delete(cloud, mia, shown)
    assert mia.get(f"{V2}/alarms").json() == []
