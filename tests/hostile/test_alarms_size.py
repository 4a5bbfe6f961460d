"""Alarms of an enemy: texts inside texts, rules and histories that fill the disk, answers without an end."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tane.services.alarm.domain import alarms, queries, turning
from tane.services.metric import interface as metric
from tests.api.metric_support import V1, make_metric
from tests.api.test_alarms import HOOK, V2, Told, evaluate, make_alarm, state, threshold
from tests.support import ApiCloud

SURROGATE, NUL = r"\ud800", r"\u0000"


REFUSED = (
    f'{{"=": {{"name": "{SURROGATE}"}}}}',
    f'{{"=": {{"name": "{NUL}"}}}}',
    '{"<": {"enabled": true}}',
    '{">=": {"enabled": "false"}}',
    '{"=~": {"enabled": true}}',
    '{"<": {"name": null}}',
    '{"=~": {"timestamp": "2026-01-01T00:00:00"}}',
    '{"=~": {"name": null}}',
    '{"=~": {"name": "' + "%" * 256 + '"}}',
    "[" * 4000,
)


def test_a_filter_that_no_database_answers_is_refused(cloud: ApiCloud) -> None:
    eve = cloud.new_user("eve", "shed", role="reader")
    for told in REFUSED:
        eve.post(f"{V2}/query/alarms", {"filter": told}, 400)
        eve.post(f"{V2}/query/alarms/history", {"filter": told}, 400)


def test_a_query_of_resources_is_read_by_the_rules_of_bodies(cloud: ApiCloud) -> None:
    eve = cloud.new_user("eve", "shed")
    kind = "gnocchi_aggregation_by_resources_threshold"
    for text in (SURROGATE, NUL):
        query = f'{{"=": {{"user_id": "{text}"}}}}'
        eve.post(f"{V2}/alarms", threshold(kind, metric="cpu", resource_type="generic", query=query), 400)
    query = '{"=": {"user_id": "é\\u00e9"}}'
    make_alarm(eve, threshold(kind, metric="cpu", resource_type="generic", query=query))


def composite(parts: int, metrics: list[str]) -> dict[str, Any]:
    kind = "gnocchi_aggregation_by_metrics_threshold"
    part = {**threshold(metrics=metrics)[f"{kind}_rule"], "type": kind}
    return {"name": "all", "type": "composite", "composite_rule": {"or": [part] * parts}}


def test_a_rule_is_no_longer_than_a_book(cloud: ApiCloud) -> None:
    eve = cloud.new_user("eve", "shed")
    assert "65536 bytes" in eve.post(f"{V2}/alarms", composite(49, [str(uuid.uuid4())] * 200), 400).text
    make_alarm(eve, composite(7, [str(uuid.uuid4())] * 200))


def test_the_history_of_an_alarm_has_an_end_and_so_has_each_page(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = cloud.new_user("eve", "shed")
    made = [make_alarm(eve, threshold(metrics=[make_metric(eve)])) for _ in range(2)]
    for place in range(20):
        for alarm in made:
            eve.put(f"{V2}/alarms/{alarm}", {**threshold(metrics=["x"] * 60), "description": str(place)}, 200)
    assert len(eve.get(f"{V2}/alarms/{made[0]}/history").json()) == 21
    monkeypatch.setattr(turning, "MOST_CHANGES", 12)
    eve.put(f"{V2}/alarms/{made[0]}", {**threshold(metrics=["x"]), "description": "new"}, 200)
    left = eve.get(f"{V2}/alarms/{made[0]}/history").json()
    # The newest stay.
    assert 6 <= len(left) <= 12 and json.loads(left[0]["detail"])["description"] == "new"
    assert len(eve.get(f"{V2}/alarms/{made[1]}/history").json()) == 21
    monkeypatch.setattr(turning, "MOST_CHANGES", 1000)
    monkeypatch.setattr(turning, "MOST_CHANGE_BYTES", 2000)
    eve.put(f"{V2}/alarms/{made[1]}", {**threshold(metrics=["y"] * 200), "description": "long"}, 200)
    left = eve.get(f"{V2}/alarms/{made[1]}/history").json()
    assert sum(len(one["detail"]) for one in left) <= 2000 and json.loads(left[0]["detail"])["description"] == "long"
    whole = eve.post(f"{V2}/query/alarms/history", {}, 200).json()
    monkeypatch.setattr(alarms, "MOST_PAGE_BYTES", 1500)
    page = eve.post(f"{V2}/query/alarms/history", {}, 200).json()
    assert sum(len(one["detail"]) for one in page) <= 1500 and page == whole[: len(page)] != whole
    monkeypatch.setattr(alarms, "MOST_PAGE_BYTES", 1)
    assert len(eve.post(f"{V2}/query/alarms/history", {}, 200).json()) == 1


def test_what_actions_are_told_of_the_causes_is_bounded(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each action of each change is a job, which keeps what it tells."""
    eve, told = cloud.new_user("eve", "shed"), Told(monkeypatch)
    metrics = [make_metric(eve) for _ in range(2)]
    alarm = make_alarm(eve, composite(7, [*metrics, *["x" * 64] * 100]), state="ok", insufficient_data_actions=[HOOK])
    evaluate(cloud, everything=True)
    assert state(eve, alarm) == "insufficient data"
    [heard] = told.heard
    assert 1 <= len(heard["reason_data"]["causative_rules"]) < 7 and len(json.dumps(heard)) < 12 << 10


def test_a_list_is_sorted_by_each_key_once_and_by_few(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a page begins is a condition for each key and all before it."""
    eve = cloud.new_user("eve", "shed")
    made = sorted(make_alarm(eve, {**threshold(metrics=["x"]), "name": name}) for name in "ab")
    keys: list[int] = []
    ordered = metric.ordered
    monkeypatch.setattr(metric, "ordered", lambda columns, told: keys.append(len(told)) or ordered(columns, told))
    again = "&".join(["sort=type:asc"] * 40)
    shown = eve.get(f"{V2}/alarms?{again}&marker={made[0]}").json()
    assert [one["alarm_id"] for one in shown] == made[1:]
    changes = eve.get(f"{V2}/alarms/{made[0]}/history?{again}").json()
    eve.get(f"{V2}/alarms/{made[0]}/history?{again}&marker={changes[0]['event_id']}")
    assert keys == [2, 2, 2]
    fields = list(queries.ALARMS)[: queries.MOST_KEYS + 1]
    eve.get(f"{V2}/alarms?" + "&".join(f"sort={field}" for field in fields), 400)
    attributes = {f"a{number}": {"type": "string", "required": False} for number in range(12)}
    cloud.admin.post(f"{V1}/resource_type", {"name": "wide", "attributes": attributes}, 201)
    eve.get(f"{V1}/resource/wide?" + "&".join(f"sort={name}:asc" for name in [*attributes][:10]))
    eve.get(f"{V1}/resource/wide?" + "&".join(f"sort={name}:asc" for name in attributes), 400)
