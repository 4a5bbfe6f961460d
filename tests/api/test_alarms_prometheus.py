"""Alarms on what the operator's Prometheus says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from tane.config import PrometheusSettings
from tane.services.alarm.domain import asking, evaluation
from tests.api.prometheus_support import Receiver, receiver
from tests.support import ApiCloud, Caller

V2 = "/alarm/v2"


@pytest.fixture
def there(cloud: ApiCloud) -> Iterator[Receiver]:
    with receiver() as found:
        cloud.core.config.prometheus = PrometheusSettings(query_url=f"{found.url}/prom/", seconds=2.0)
        yield found


def vector(*values: str) -> bytes:
    found = [{"metric": {}, "value": [1_800_000_000.1, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": found}}).encode()


HISTOGRAMS = b"""{"status": "success", "data": {"resultType": "vector", "result":
    [{"metric": {}, "histogram": [1800000000.1, {"count": "1", "sum": "2", "buckets": []}]}]}}"""
ELSEWHERE = b"""{"status": "error", "errorType": "execution", "error":
    "expanding series: receive series from Addr: 10.3.0.7:10901 LabelSets: {cluster=\\"prod\\"}: unavailable"}"""


def make(mia: Caller, query: str = "ceilometer_cpu", status: int = 201, **more: Any) -> Any:
    rule = {"query": query, "threshold": 5, "comparison_operator": "gt", **more}
    return mia.post(f"{V2}/alarms", {"name": "x", "type": "prometheus", "prometheus_rule": rule}, status).json()


def state(cloud: ApiCloud, mia: Caller, alarm: Any) -> tuple[str, str]:
    cloud.advance(61)
    asking.evaluate(cloud.core)
    shown = mia.get(f"{V2}/alarms/{alarm['alarm_id']}").json()
    return shown["state"], shown["state_reason"]


def test_an_alarm_follows_what_prometheus_says_of_the_projects_own_series(cloud: ApiCloud, there: Receiver) -> None:
    mia = cloud.new_user("mia", "garden")
    made = make(mia)
    assert made["prometheus_rule"]["query"] == "ceilometer_cpu", "it is shown as it was written"
    there.answer = lambda path, body: (200, vector("7", "9"))
    assert state(cloud, mia, made) == (
        "alarm",
        "Transition to alarm due to 2 samples outside threshold, most recent: 9.0",
    )
    [(path, _, body)] = there.asked
    assert path == "/prom/api/v1/query"
    assert parse_qs(body.decode()) == {
        "query": [f'ceilometer_cpu {{project="{mia.project_id}"}}'],
        "timeout": ["1600ms"],
    }
    there.answer = lambda path, body: (200, vector("1"))
    assert state(cloud, mia, made)[0] == "ok"
    history = mia.get(f"{V2}/alarms/{made['alarm_id']}/history").json()
    assert [json.loads(one["detail"])["state"] for one in history][:2] == ["ok", "alarm"]
    asked = len(there.asked)
    cloud.advance(10)
    evaluation.evaluate(cloud.core)
    asking.evaluate(cloud.core)
    assert len(there.asked) == asked, "it is asked once an interval"


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, vector(), "The query has no values of this project"),
        (200, vector("NaN", "NaN"), "The query has no values of this project"),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "has a matrix"),
        (200, HISTOGRAMS, "the query has histograms, not values"),
        (200, vector("x"), "Prometheus does not answer"),
        (422, ELSEWHERE, "Prometheus cannot evaluate the query"),
        (400, b'{"status":"error","errorType":"bad_data","error":"parse error"}', "Prometheus: parse error"),
        (503, b'{"status":"error","errorType":"timeout","error":"query timed out"}', "Prometheus does not answer"),
        (200, b"<html>", "Prometheus does not answer"),
        (302, b"", "Prometheus does not answer"),
        (200, b'"' + b"x" * (1 << 20) + b'"', "Prometheus does not answer"),
    ],
)
def test_without_values_there_is_too_little_data_and_the_reason_names_no_address(
    cloud: ApiCloud, there: Receiver, status: int, body: bytes, why: str
) -> None:
    mia = cloud.new_user("mia", "garden")
    made = make(mia)
    there.answer = lambda path, asked: (200, vector("7"))
    assert state(cloud, mia, made)[0] == "alarm"
    there.answer = lambda path, asked: (status, body)
    found, reason = state(cloud, mia, made)
    assert found == "insufficient data" and why in reason
    assert "127.0.0.1" not in reason and "10.3.0.7" not in reason and "prod" not in reason


def test_a_new_alarm_whose_query_prometheus_refuses_says_so(cloud: ApiCloud, there: Receiver) -> None:
    mia = cloud.new_user("mia", "garden")
    made = make(mia, "rate(a)")
    there.answer = lambda path, asked: (400, b'{"status":"error","errorType":"bad_data","error":"expected a range"}')
    assert state(cloud, mia, made) == ("insufficient data", "Prometheus: expected a range")
    history = mia.get(f"{V2}/alarms/{made['alarm_id']}/history").json()
    assert [one["type"] for one in history] == ["creation"], "its state is what it was"


def test_a_value_without_end_is_compared_as_any_other(cloud: ApiCloud, there: Receiver) -> None:
    mia = cloud.new_user("mia", "garden")
    made = make(mia)
    there.answer = lambda path, asked: (200, vector("NaN", "+Inf"))
    assert state(cloud, mia, made) == (
        "alarm",
        "Transition to alarm due to 1 samples outside threshold, most recent: +Inf",
    )
    there.answer = lambda path, asked: (200, vector("-Inf"))
    assert state(cloud, mia, made)[0] == "ok"


def test_nobody_at_the_other_end_is_too_little_data(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    with receiver() as gone:
        cloud.core.config.prometheus = PrometheusSettings(query_url=gone.url)
        made = make(mia)
        gone.answer = lambda path, asked: (200, vector("7"))
        assert state(cloud, mia, made)[0] == "alarm"
    assert state(cloud, mia, made) == ("insufficient data", "Prometheus does not answer")
    cloud.core.config.prometheus = PrometheusSettings()
    assert state(cloud, mia, made)[0] == "insufficient data"


def test_who_asks_for_much_keeps_nobody_waiting(
    cloud: ApiCloud, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia, eve = cloud.new_user("mia", "garden"), cloud.new_user("eve", "shed")
    for _ in range(12):
        make(eve)
    mine = make(mia)
    monkeypatch.setattr(asking, "OF_ONE", 0.0)
    there.answer = lambda path, asked: (200, vector("7"))
    assert state(cloud, mia, mine)[0] == "alarm"
    assert len(there.asked) == 2, "one of each project: this one's time is over"


def test_who_has_more_alarms_than_a_pass_reads_keeps_nobody_waiting(
    cloud: ApiCloud, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia, eve = cloud.new_user("mia", "garden"), cloud.new_user("eve", "shed")
    for _ in range(12):
        make(eve)
    mine = make(mia)
    monkeypatch.setattr(asking, "AT_ONCE", 4)
    monkeypatch.setattr(asking, "OF_ONE", 0.0)
    there.answer = lambda path, asked: (200, vector("7"))
    assert state(cloud, mia, mine)[0] == "alarm"


def test_projects_whose_alarms_take_long_have_turns_though_they_make_them_anew(
    cloud: ApiCloud, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = cloud.new_user("mia", "garden")
    others = [cloud.new_user(f"eve{number}", f"shed{number}") for number in range(3)]
    mine, theirs = make(mia), [(eve, [make(eve), make(eve)]) for eve in others]
    monkeypatch.setattr(asking, "AT_A_TIME", 1)
    monkeypatch.setattr(asking, "OF_ONE", 0.0)
    first: list[bytes] = []

    def answer(path: str, asked: bytes) -> tuple[int, bytes]:
        first.append(asked)
        return 200, vector("7")

    class Once(asking._Turns):
        """Whose time is over with one query."""

        def take(self) -> Any:
            return None if self.seen else super().take()

    monkeypatch.setattr(asking, "_Turns", Once)
    there.answer = answer
    for _ in range(8):
        cloud.advance(61)
        for eve, alarms in theirs:
            eve.delete(f"{V2}/alarms/{alarms.pop()['alarm_id']}")
            alarms.append(make(eve))
        asking.evaluate(cloud.core)
    assert mia.get(f"{V2}/alarms/{mine['alarm_id']}").json()["state"] == "alarm"
    counted = [sum(eve.project_id.encode() in asked for asked in first) for eve in (mia, *others)]
    assert counted == [2, 2, 2, 2]


def test_a_query_that_is_none_or_a_rule_with_more_is_refused(cloud: ApiCloud, there: Receiver) -> None:
    mia = cloud.new_user("mia", "garden")
    assert "info" in str(make(mia, "info(x)", 400))
    make(mia, "a", 400, granularity=60)
    make(mia, "a", 400, comparison_operator="like")
    make(mia, "a", 400, threshold="x")
    rule = {"threshold": 5}
    mia.post(f"{V2}/alarms", {"name": "x", "type": "prometheus", "prometheus_rule": rule}, 400)
    assert there.asked == []
