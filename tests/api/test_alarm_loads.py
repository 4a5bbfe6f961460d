"""What tenants' alarms may cost the others: nothing waits for them, and they do not set themselves off."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from tane.jobs.tables import job
from tane.services.alarm.domain import evaluation, happenings
from tane.services.alarm.store import alarms as store
from tests.api import orchestration_support as orchestration
from tests.api.metric_support import V1, make_metric
from tests.api.test_alarms import HOOK, V2, Told, evaluate, feed, make_alarm, now, state, threshold
from tests.support import ApiCloud


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


def on_event(kind: str, *actions: str, **more: Any) -> dict[str, Any]:
    rule = {"event_type": kind, "query": more.pop("query", [])}
    return {"name": "seen", "type": "event", "event_rule": rule, "alarm_actions": list(actions), **more}


def test_all_can_write_while_events_are_compared_with_alarms(
    cloud: ApiCloud, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = cloud.new_user("mia", "garden")
    make_alarm(mia, on_event("network.*", HOOK))
    mia.post("/network/v2.0/networks", {"network": {"name": "lan"}}, 201)
    written = threading.Event()

    def write() -> None:
        with cloud.core.db.write():
            written.set()

    compare = happenings.matches

    def matches(*what: Any) -> bool:
        threading.Thread(target=write, daemon=True).start()
        assert written.wait(2.0), "a writer waits for the comparison"
        return compare(*what)

    monkeypatch.setattr(happenings, "matches", matches)
    assert happenings.look(cloud.core) == 1 and written.is_set()


def test_alarms_on_events_are_read_again_only_when_one_changed(
    cloud: ApiCloud, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = cloud.new_user("mia", "garden")
    number = [{"field": "traits.name", "op": "gt", "value": "5", "type": "integer"}]
    alarm = make_alarm(mia, on_event("network.network.create", HOOK, query=number))
    reads: list[bool] = []
    enabled = store.enabled

    def counted(*what: Any, **more: Any) -> Any:
        reads.append(True)
        return enabled(*what, **more)

    monkeypatch.setattr(store, "enabled", counted)
    for name in ("none", "4", "7"):
        mia.post("/network/v2.0/networks", {"network": {"name": name}}, 201)
        gone_off = happenings.look(cloud.core)
        assert gone_off == (name == "7")
    assert len(reads) == 1 and state(mia, alarm) == "alarm"
    mia.delete(f"{V2}/alarms/{alarm}")
    assert happenings.look(cloud.core) == 0 and len(reads) == 2


def test_an_alarm_is_not_set_off_by_what_its_own_action_does(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    group = {
        "type": "OS::Heat::AutoScalingGroup",
        "properties": {"min_size": 1, "max_size": 3, "cooldown": 0, "resource": {"type": "OS::Heat::TestResource"}},
    }
    policy = {
        "type": "OS::Heat::ScalingPolicy",
        "properties": {
            "auto_scaling_group_id": {"get_resource": "group"},
            "adjustment_type": "change_in_capacity",
            "cooldown": 0,
            "scaling_adjustment": 1,
        },
    }
    outputs = {
        "url": {"value": {"get_attr": ["policy", "alarm_url"]}},
        "size": {"value": {"get_attr": ["group", "current_size"]}},
    }
    shown = orchestration.stack(cloud, mia, orchestration.hot({"group": group, "policy": policy}, outputs=outputs))
    url = orchestration.outputs(orchestration.show(mia, "rose", shown["id"]))["url"]
    make_alarm(mia, on_event("*", url, repeat_actions=True))
    mia.post("/network/v2.0/networks", {"network": {"name": "lan"}}, 201)
    assert happenings.look(cloud.core) == 1
    cloud.run_jobs()
    assert int(orchestration.outputs(orchestration.show(mia, "rose", shown["id"]))["size"]) == 2
    cloud.advance(600)
    assert happenings.look(cloud.core) == 0


def orders(cloud: ApiCloud) -> int:
    with cloud.core.db.read() as tx:
        return int(tx.scalar(select(func.count()).select_from(job)) or 0)


def test_an_alarm_that_repeats_is_told_once_an_interval_however_often_its_metric_has_news(
    cloud: ApiCloud, told: Told
) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    actions = [f"{HOOK}/{place}" for place in range(20)]
    make_alarm(mia, threshold(metrics=[metric]), alarm_actions=actions, repeat_actions=True)
    feed(cloud, mia, metric, 90)
    evaluate(cloud)
    assert len(told.heard) == 20
    for place in range(5):
        mia.post(f"{V1}/metric/{metric}/measures", [{"timestamp": now(cloud) - 1, "value": 91 + place}], 202)
        evaluate(cloud)
    assert len(told.heard) == 20
    feed(cloud, mia, metric, 90)
    evaluate(cloud)
    assert len(told.heard) == 40


def test_what_nobody_takes_does_not_heap_up_and_the_last_state_is_told(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    body = threshold(metrics=[metric])
    make_alarm(mia, body, ok_actions=[HOOK], repeat_actions=True)
    for place in range(8):
        # No job is done meanwhile: it repeats, and turns each second time.
        feed(cloud, mia, metric, 90 if place // 2 % 2 == 0 else 10)
        evaluation.evaluate(cloud.core)
    assert orders(cloud) == 2
    cloud.run_jobs()
    assert [one["current"] for one in told.heard] == ["alarm", "ok"]


def test_an_alarm_on_events_that_repeats_is_told_once_an_interval(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    make_alarm(mia, on_event("network.network.*", HOOK, repeat_actions=True))
    for wait in (0, 1, 1, 60):
        cloud.advance(wait)
        mia.post("/network/v2.0/networks", {"network": {"name": "lan"}}, 201)
        happenings.look(cloud.core)
        cloud.run_jobs()
    assert len(told.heard) == 2
