"""What tenants' alarms may cost the others: nothing waits for them, and they do not set themselves off."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select

from tane.jobs.tables import job
from tane.services.alarm.domain import evaluation, happenings, turning
from tane.services.alarm.store import alarms as store
from tests.api import orchestration_support as orchestration
from tests.api.metric_support import V1, make_metric
from tests.api.test_alarms import HOOK, V2, Told, evaluate, feed, make_alarm, now, state, threshold
from tests.support import ApiCloud

pytestmark = pytest.mark.nightly
"""Dozens of actions at once: on a busy machine one may be put off by the clock, which stands still in tests."""


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


def test_an_alarm_that_cannot_be_evaluated_holds_no_other_up(
    cloud: ApiCloud, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    ids = sorted(make_alarm(mia, threshold(metrics=[metric])) for _ in range(3))
    feed(cloud, mia, metric, 90)
    judge, turn = evaluation.verdict_of, turning.turn

    def verdict_of(core: Any, watching: Any, row: Any, *more: Any) -> Any:
        if row.id == ids[0]:
            raise RuntimeError("it cannot be read")
        return judge(core, watching, row, *more)

    def failing(core: Any, tx: Any, row: Any, *more: Any) -> bool:
        if row.id == ids[1]:
            raise RuntimeError("it cannot be written")
        return turn(core, tx, row, *more)

    monkeypatch.setattr(evaluation, "verdict_of", verdict_of)
    monkeypatch.setattr(turning, "turn", failing)
    assert evaluate(cloud, everything=True) == 1
    assert [state(mia, one) for one in ids] == ["insufficient data", "insufficient data", "alarm"]


def test_alarms_that_say_nothing_new_cost_one_write_together(
    cloud: ApiCloud, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    for _ in range(5):
        make_alarm(mia, threshold(metrics=[metric]))
    feed(cloud, mia, metric, 90)
    evaluation.evaluate(cloud.core)
    writes: list[int] = []
    monkeypatch.setattr(cloud.core.db, "before_write", lambda *what: writes.append(1))
    evaluation.watch(cloud.core).whole_round = 0.0
    evaluation.evaluate(cloud.core)
    assert len(writes) == 1


def test_alarms_outside_of_their_time_do_not_take_the_place_of_new_ones(
    cloud: ApiCloud, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    metric = make_metric(mia)
    evaluate(cloud)
    monkeypatch.setattr(evaluation, "AT_ONCE", 2)
    hour = (cloud.core.clock.now().hour + 12) % 24
    night = [{"name": "night", "start": f"0 {hour} * * *", "duration": 60}]
    for _ in range(3):
        make_alarm(mia, threshold(metrics=[metric]), time_constraints=night)
    evaluate(cloud)
    evaluate(cloud)
    own = make_metric(bob)
    feed(cloud, bob, own, 90)
    alarm = make_alarm(bob, threshold(metrics=[own]))
    evaluate(cloud)
    assert state(bob, alarm) == "alarm"


def test_one_alarm_looks_at_no_more_metrics_than_a_request_may(
    cloud: ApiCloud, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = cloud.new_user("mia", "garden")
    kind = "gnocchi_aggregation_by_metrics_threshold"
    metrics = [make_metric(mia) for _ in range(3)]
    parts = [{**threshold(metrics=[metric])[f"{kind}_rule"], "type": kind} for metric in metrics]
    alarm = make_alarm(mia, {"name": "all", "type": "composite", "composite_rule": {"and": parts}})
    for metric in metrics:
        mia.post(f"{V1}/metric/{metric}/measures", [{"timestamp": now(cloud) - 1, "value": 90}], 202)
    evaluate(cloud, everything=True)
    assert state(mia, alarm) == "alarm"
    monkeypatch.setattr(evaluation, "MOST_SERIES", 1)
    evaluate(cloud, everything=True)
    assert state(mia, alarm) == "insufficient data"


def test_whoever_edits_an_alarm_lends_it_no_rights_of_his_own(cloud: ApiCloud, told: Told) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    signal = f"trust+{cloud.core.config.url}/orchestration/v1/{mia.project_id}/stacks/rose/1/resources/policy/signal"
    alarm = make_alarm(mia, threshold(metrics=[metric]), alarm_actions=[signal])

    def behind() -> Any:
        with cloud.core.db.read() as tx:
            row = store.get(tx, alarm)
            assert row is not None
            return row.delegation

    before = behind()
    assert before["user_id"] == mia.user_id
    shown = cloud.admin.get(f"{V2}/alarms/{alarm}").json()
    cloud.admin.put(f"{V2}/alarms/{alarm}", {**shown, "severity": "critical"}, 200)
    assert behind() == before
    more = {**shown, "ok_actions": [signal.replace("rose", "tulip")]}
    cloud.admin.put(f"{V2}/alarms/{alarm}", more, 403)
    mia.put(f"{V2}/alarms/{alarm}", more, 200)
    assert behind()["user_id"] == mia.user_id
    cloud.admin.put(f"{V2}/alarms/{alarm}", {**shown, "alarm_actions": []}, 200)
    assert behind() is None


def test_a_project_whose_alarms_take_long_waits_for_itself(
    cloud: ApiCloud, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve, bob = cloud.new_user("eve", "shed"), cloud.new_user("bob", "garden")
    metric = make_metric(eve)
    slow = {make_alarm(eve, threshold(metrics=[metric])) for _ in range(7)}
    own = make_metric(bob)
    alarm = make_alarm(bob, threshold(metrics=[own]))
    clock, looked = 1.0, []
    judge = evaluation.verdict_of

    def verdict_of(core: Any, watching: Any, row: Any, *more: Any) -> Any:
        nonlocal clock
        clock += 2.0 if row.id in slow else 0.01
        looked.append(row.id)
        return judge(core, watching, row, *more)

    monkeypatch.setattr(evaluation, "verdict_of", verdict_of)
    monkeypatch.setattr(evaluation, "time", SimpleNamespace(monotonic=lambda: clock))
    feed(cloud, bob, own, 90)
    evaluate(cloud, everything=True)
    # One of hers at most comes before his, and a round has an end; the others go on where it ended.
    assert looked.index(alarm) <= 1 and len(looked) == 1 + 1 + 3 and state(bob, alarm) == "alarm"
    evaluate(cloud)
    assert slow <= set(looked) and len(looked) == 1 + 7
    looked.clear()
    evaluate(cloud, everything=True)
    assert looked[0] == alarm and len(looked) == 1 + 3
