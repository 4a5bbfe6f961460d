"""Requests of an enemy that cost more to answer than they are long: conditions, names, groups, searches of metrics."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tane.services.alarm.domain import evaluation
from tane.services.metric.domain import aggregates, batches, conditions, operations, resources
from tane.web.errors import BadRequest
from tests.api.metric_support import V1, make_metric, make_resource, send
from tests.api.test_alarms import evaluate, make_alarm, state
from tests.support import ApiCloud


@pytest.mark.parametrize(
    "told",
    [
        {"=": [{"**": [9, 9]}, 1]},
        {"=": [{"^": 9}, 1]},
        {">": [{"*": [9, {"*": [9, True]}]}, 1]},
        {"<": 9},
    ],
)
def test_a_condition_counts_with_numbers_of_a_fixed_size_only(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole numbers of Python's grow without bound: two operators on them stop the whole cloud."""
    seen: list[Any] = []
    for name, function in operations.BINARY.items():

        def counted(*given: float, function: Any = function) -> float:
            seen.extend(given)
            return float(function(*given))

        monkeypatch.setitem(operations.BINARY, name, counted)
    conditions.parse(told).meets(2.0)
    assert seen and all(type(number) is float for number in seen)


def test_a_number_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(BadRequest, match="too large"):
        conditions.parse({"=": [{"*": [10**400, 2]}, 1]})


def test_a_search_by_value_reads_each_metric_once_and_pays_for_all_comparisons(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = cloud.new_user("eve", "shed")
    metric = make_metric(eve)
    send(eve, metric, *range(10))
    read: list[Any] = []
    series = aggregates.Reading.series
    monkeypatch.setattr(aggregates.Reading, "series", lambda *told: read.append(told) or series(*told))
    asked = f"{V1}/search/metric?granularity=60" + f"&metric_id={metric}" * 40
    found = eve.post(asked, {">": 7}, 200).json()
    assert [value for *_, value in found[metric]] == [8, 9] and len(read) == 1
    monkeypatch.setattr(operations, "MOST_STEPS", 1500)
    eve.post(asked, {">": 7}, 200)
    assert "values to look at" in eve.post(asked, {"and": [{">": 0}] * 198}, 400).text


def test_what_takes_long_is_done_where_only_such_work_waits(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    eve = cloud.new_user("eve", "shed")
    metric = make_metric(eve)
    send(eve, metric, *range(10))
    threads: list[str] = []
    evaluate = operations.evaluate

    def seen(*told: Any) -> Any:
        threads.append(threading.current_thread().name)
        return evaluate(*told)

    monkeypatch.setattr(operations, "evaluate", seen)
    body = {"operations": ["abs", ["metric", metric, "mean"]]}
    shown = eve.post(f"{V1}/aggregates?granularity=60", body, 200).json()
    assert "tane-long" not in threads[-1]
    monkeypatch.setattr(operations, "FEW_STEPS", 60)
    assert eve.post(f"{V1}/aggregates?granularity=60", body, 200).json() == shown
    assert threads[-1].startswith("tane-long") and len(threads) == 2


def test_groups_share_what_a_request_may_cost_and_each_resource_is_looked_at_once(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = cloud.new_user("eve", "shed")
    for place in range(12):
        make_resource(eve, f"box-{place}", user_id=f"u{place % 6}", metrics={"cpu": {"archive_policy_name": "medium"}})
    looked: list[str] = []
    attribute = aggregates.attribute
    monkeypatch.setattr(aggregates, "attribute", lambda row, name: looked.append(name) or attribute(row, name))
    body = {"resource_type": "generic", "search": {}, "operations": "(metric cpu mean)"}
    asked = f"{V1}/aggregates?granularity=60&groupby=user_id&details=true"
    groups = eve.post(asked, body, 200).json()
    assert [len(group["measures"]["references"]) for group in groups] == [2] * 6 and len(looked) == 12
    for group in groups:
        assert {one["user_id"] for one in group["measures"]["references"]} == {group["group"]["user_id"]}
    monkeypatch.setattr(operations, "MOST_STEPS", 300)
    assert "resources" in eve.post(asked, body, 400).text
    monkeypatch.setattr(operations, "MOST_STEPS", 100_000)
    monkeypatch.setattr(aggregates, "MOST_SERIES", 11)
    assert "More than 11 metrics" in eve.post(asked, body, 400).text
    older = f"{V1}/aggregation/resource/generic/metric/cpu?groupby=user_id&needed_overlap=0"
    assert "More than 11 metrics" in eve.post(older, {}, 400).text


def test_a_pattern_of_names_is_no_longer_than_a_name(cloud: ApiCloud) -> None:
    """What a pattern means is found in the square of its length."""
    eve = cloud.new_user("eve", "shed")
    name = "[" * 256
    for told in (["metric", name, "mean"], ["metric", ["cpu", "mean"], [name, "mean"]], f"(metric {name} mean)"):
        body = {"resource_type": "generic", "search": {}, "operations": told}
        assert "at most 255" in eve.post(f"{V1}/aggregates", body, 400).text
    kind = "gnocchi_aggregation_by_resources_threshold"
    rule = {"threshold": 1, "aggregation_method": "mean", "metric": name, "resource_type": "generic", "query": "{}"}
    alarm = {"name": "long", "type": kind, f"{kind}_rule": rule}
    assert "at most 255" in eve.post("/alarm/v2/alarms", alarm, 400).text


def test_a_search_pays_for_each_comparison_whether_it_finds_anything_or_not(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = cloud.new_user("eve", "shed")
    for place in range(20):
        make_resource(eve, f"box-{place}")
    monkeypatch.setattr(operations, "MOST_STEPS", 1000)
    few, many = ({"or": [{"=": {"user_id": "nobody"}}] * number} for number in (10, 60))
    assert eve.post(f"{V1}/search/resource/generic", few, 200).json() == []
    assert "values to look at" in eve.post(f"{V1}/search/resource/generic", many, 400).text
    body = {"resource_type": "generic", "operations": "(metric cpu mean)"}
    eve.post(f"{V1}/aggregates", {**body, "search": few}, 404)
    assert "values to look at" in eve.post(f"{V1}/aggregates", {**body, "search": many}, 400).text
    eve.request("DELETE", f"{V1}/resource/generic", json=many, expect=400)
    # An alarm has one budget for all of its rules, and says why it knows nothing.
    kind = "gnocchi_aggregation_by_resources_threshold"
    rule = {"metric": "cpu", "resource_type": "generic", "query": json.dumps(few), "type": kind}
    rules = [{**rule, "threshold": place, "aggregation_method": "mean"} for place in range(6)]
    alarm = make_alarm(eve, {"name": "all", "type": "composite", "composite_rule": {"or": rules}})
    reasons: list[str] = []
    of_rule = evaluation.of_rule

    def heard(*told: Any) -> Any:
        found = of_rule(*told)
        reasons.append(found.reason)
        return found

    monkeypatch.setattr(evaluation, "of_rule", heard)
    evaluate(cloud, everything=True)
    assert state(eve, alarm) == "insufficient data"
    assert "does not exist" in reasons[0] and "values to look at" in reasons[-1]


def test_no_more_metrics_are_made_by_their_samples_than_a_resource_may_have(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = cloud.new_user("eve", "shed")
    one, two = (make_resource(eve, name, metrics={"cpu": {}})["id"] for name in ("one", "two"))
    monkeypatch.setattr(batches, "MOST_METRICS", 4)
    path = f"{V1}/batch/resources/metrics/measures?create_metrics=true"
    sample = [{"timestamp": 1_800_000_000, "value": 5}]
    assert "at most 4 metrics" in eve.post(path, {one: {f"m{n}": sample for n in range(4)}}, 400).text
    both = {resource: {f"m{n}": sample for n in range(3)} for resource in (one, two)}
    assert "at a time" in eve.post(path, both, 400).text
    eve.post(path, {one: both[one]}, 202)
    eve.post(path, {one: {"cpu": sample, "m0": sample}}, 202)
    assert "at most 4 metrics" in eve.post(path, {one: {"m9": sample}}, 400).text


def test_a_list_of_resources_pays_for_the_metrics_that_they_have(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = cloud.new_user("eve", "shed")
    for number in range(3):
        wanted = {f"m{one}": {"archive_policy_name": "low"} for one in range(20)}
        eve.post(f"{V1}/resource/generic", {"id": f"thing-{number}", "metrics": wanted}, 201)
    threads: list[str] = []
    by_resource = resources.by_resource

    def seen(*told: Any) -> Any:
        threads.append(threading.current_thread().name)
        return by_resource(*told)

    monkeypatch.setattr(resources, "by_resource", seen)
    monkeypatch.setattr(operations, "FEW_STEPS", 60 * operations.METRIC_STEPS - 1)
    shown = eve.get(f"{V1}/resource/generic").json()
    assert sum(len(one["metrics"]) for one in shown) == 60 and "tane-long" in threads[-1]
    monkeypatch.setattr(operations, "MOST_STEPS", 60 * operations.METRIC_STEPS - 1)
    eve.get(f"{V1}/resource/generic", 400)
