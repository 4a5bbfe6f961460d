"""What a round of alarms asks the databases: as much of many alarms as of few, and what each would be told alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tane.services.alarm.domain import evaluation
from tane.services.metric import interface as metric
from tane.services.metric.domain import ends, measures
from tests.api import test_alarms
from tests.api.metric_support import V1, make_metric, make_resource
from tests.api.test_alarms import feed, make_alarm, now, state
from tests.support import ApiCloud

RESOURCE = "gnocchi_resources_threshold"


def threshold(*kind: str, **rule: Any) -> dict[str, Any]:
    return {**test_alarms.threshold(*kind, **rule), "alarm_actions": []}


def evaluate(cloud: ApiCloud) -> int:
    evaluation.watch(cloud.core).whole_round = 0.0
    return evaluation.evaluate(cloud.core)


@contextmanager
def statements() -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        heard.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def test_a_round_of_many_alarms_asks_as_often_as_one_of_few(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    rule = {"resource_type": "generic", "metric": "cpu"}
    few, many = 5, 50
    asked: dict[int, list[str]] = {}
    for number in range(many):
        made = make_resource(mia, f"box-{number}", metrics={"cpu": {"archive_policy_name": "medium"}})
        mia.post(f"{V1}/metric/{made['metrics']['cpu']}/measures", [{"timestamp": now(cloud) - 1, "value": 90}], 202)
        make_alarm(mia, threshold(RESOURCE, resource_id=f"box-{number}", **rule))
        if number % 2:
            make_alarm(mia, threshold(metrics=[make_metric(mia), made["metrics"]["cpu"]]))
        if number + 1 in (few, many):
            evaluate(cloud)
            with statements() as heard:
                assert evaluate(cloud) == 0
            asked[number + 1] = heard
    assert len(asked[many]) <= len(asked[few]), asked


@pytest.mark.parametrize("seed", range(3))
def test_alarms_are_told_together_what_each_would_be_told_alone(cloud: ApiCloud, seed: int) -> None:
    mia = cloud.new_user("mia", "garden")
    owner = metric.Owner(cloud.core, mia.project_id, mia.user_id)
    chance = random.Random(seed)
    ids = [make_metric(mia, policy) for policy in ("low", "medium", "high", "medium")]
    asked = [
        metric.Asked(method, seconds, periods, ids=(one,))
        for policy, one in zip(("low", "medium", "high", "medium"), ids, strict=True)
        for seconds in {"low": (300,), "medium": (60, 3600), "high": (1, 60)}[policy]
        for method in ("mean", "count", "max")
        for periods in (1, 3, 60)
    ]
    # Together, too, is what one asks who sees fewer of them.
    asked.append(metric.Asked("sum", 60, 5, ids=tuple(ids[1:])))
    for step in range(12):
        cloud.advance(chance.choice((5, 60, 280)))
        for one in ids:
            # Late ones, ones of the future, several of the same moment.
            told = [
                {"timestamp": now(cloud) - chance.choice((-90, 0, 1, 30, 400, 5000)), "value": chance.randrange(99)}
                for _ in range(chance.randrange(4) if step % 3 else 1)
            ]
            mia.post(f"{V1}/metric/{one}/measures", told, 202)
        if step % 4 == 3:
            measures.fold(cloud.core)
        with metric.Together(cloud.core, ((owner, one) for one in asked)) as together:
            found = [together.values_of(owner, one, metric.budget()) for one in asked]
        assert found == [metric.values_of(owner, one, metric.budget()) for one in asked]


def test_who_has_much_to_look_at_is_read_alone(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    small, large = make_metric(mia), make_metric(mia)
    alarms = [make_alarm(mia, threshold(metrics=[one])) for one in (small, large)]
    monkeypatch.setattr(ends, "FEW_SAMPLES", 3)
    told = [{"timestamp": now(cloud) - 30 + place, "value": 90} for place in range(20)]
    mia.post(f"{V1}/metric/{large}/measures", told, 202)
    feed(cloud, mia, small, 90)
    read, alone = measures.read, []

    def heard(tx: Any, one: Any, *more: Any, **others: Any) -> Any:
        alone.append(one.number)
        return read(tx, one, *more, **others)

    monkeypatch.setattr(measures, "read", heard)
    evaluate(cloud)
    assert len(alone) == 1 and [state(mia, one) for one in alarms] == ["alarm", "alarm"]


def test_what_cannot_be_looked_up_together_is_read_one_by_one(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    one = make_metric(mia)
    alarm = make_alarm(mia, threshold(metrics=[one]))
    feed(cloud, mia, one, 90)

    def broken(*what: Any) -> None:
        raise RuntimeError("it cannot be read")

    monkeypatch.setattr(ends.Shared, "look", broken)
    evaluate(cloud)
    assert state(mia, alarm) == "alarm"


def test_an_alarm_sees_no_metric_of_another_project_because_its_own_alarms_do(cloud: ApiCloud) -> None:
    mia, eve = cloud.new_user("mia", "garden"), cloud.new_user("eve", "shed")
    box = make_resource(mia, "11111111-2222-4333-8444-555555555555", metrics={"cpu": {"archive_policy_name": "medium"}})
    rule = {"resource_type": "generic", "metric": "cpu", "resource_id": box["id"]}
    bodies = [threshold(metrics=[box["metrics"]["cpu"]]), threshold(RESOURCE, **rule)]
    hers, foreign = ([make_alarm(who, body) for body in bodies] for who in (mia, eve))
    mia.post(f"{V1}/metric/{box['metrics']['cpu']}/measures", [{"timestamp": now(cloud) - 1, "value": 90}], 202)
    evaluate(cloud)
    assert [state(mia, one) for one in hers] == ["alarm"] * 2
    assert [state(eve, one) for one in foreign] == ["insufficient data"] * 2
