"""Metrics as a user has them: made, fed, read, looked for, and nobody else's."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from tane import quota
from tane.services.metric.domain import batches, expiry, measures, operations
from tane.services.metric.store import database, resources
from tane.services.metric.store import measures as store
from tests.api.metric_support import V1, make_metric, make_resource, send, values
from tests.support import ApiCloud

HOUR = 3600.0


def test_what_is_sent_is_read_at_once_and_the_same_after_it_was_folded(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    send(mia, metric, 1, 2, 3)
    before = mia.get(f"{V1}/metric/{metric}/measures").json()
    assert [point[2] for point in before if point[1] == 60] == [1, 2, 3]
    assert [point[2] for point in before if point[1] == HOUR] == [2]
    assert before[0][0].endswith("+00:00")
    assert measures.fold(cloud.core) == 3
    assert mia.get(f"{V1}/metric/{metric}/measures").json() == before
    send(mia, metric, 9, start=1_800_000_180)
    assert values(mia, metric, granularity="60") == [1, 2, 3, 9]
    assert values(mia, metric, granularity="1 minute", start=1_800_000_060, stop=1_800_000_180) == [2, 3]
    assert values(mia, metric, granularity=60, resample=120, aggregation="max") == [2, 9]


@pytest.mark.postgresql_by_night
@pytest.mark.parametrize(
    "told",
    [
        [{"timestamp": 1, "value": "nan"}],
        [{"timestamp": 1, "value": "inf"}],
        [{"timestamp": 1, "value": None}],
        [{"timestamp": "soon", "value": 1}],
        [{"timestamp": -5, "value": 1}],
        [{"value": 1}],
        [7],
        {"timestamp": 1, "value": 1},
    ],
)
def test_what_is_no_sample_is_refused(cloud: ApiCloud, told: Any) -> None:
    mia = cloud.new_user("mia", "garden")
    metric = make_metric(mia)
    answer = mia.post(f"{V1}/metric/{metric}/measures", told, 400).json()
    assert answer["title"] == "Bad Request" and answer["description"]["cause"] == "Invalid input"
    assert values(mia, metric) == []


def test_samples_are_read_before_the_metrics_wait_for_them(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    made = make_resource(mia, "box", metrics={"one": {"archive_policy_name": "medium"}})
    metric = made["metrics"]["one"]
    held: list[bool] = []
    read = batches.samples_of

    def samples_of(*what: Any) -> Any:
        # Whoever writes meanwhile has not to wait.
        def write() -> None:
            with database.of(cloud.core).write():
                written.set()

        written = threading.Event()
        threading.Thread(target=write, daemon=True).start()
        held.append(not written.wait(2.0))
        return read(*what)

    monkeypatch.setattr(batches, "samples_of", samples_of)
    told = [{"timestamp": 1_800_000_000, "value": 1}]
    mia.post(f"{V1}/metric/{metric}/measures", told, 202)
    mia.post(f"{V1}/batch/metrics/measures", {metric: told}, 202)
    mia.post(f"{V1}/batch/resources/metrics/measures", {"box": {"one": told}}, 202)
    assert held == [False, False, False]


def test_many_metrics_are_fed_by_one_call(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    one, two = make_metric(mia), make_metric(mia)
    sample = [{"timestamp": 1_800_000_000, "value": 5}]
    mia.post(f"{V1}/batch/metrics/measures", {one: sample, two: sample}, 202)
    assert values(mia, two, granularity=60) == [5]
    resource = make_resource(mia, str(uuid.uuid4()), metrics={"cpu": {"archive_policy_name": "low"}})
    path = f"{V1}/batch/resources/metrics/measures"
    mia.post(path, {resource["id"]: {"cpu": sample, "load": sample}}, 400)
    mia.post(f"{path}?create_metrics=true", {resource["id"]: {"cpu": sample, "load": sample}}, 202)
    shown = mia.get(f"{V1}/resource/generic/{resource['id']}").json()
    assert sorted(shown["metrics"]) == ["cpu", "load"]
    assert values(mia, shown["metrics"]["load"]) == [5]
    mia.post(f"{path}?create_metrics=true", {str(uuid.uuid4()): {"cpu": sample}}, 400)


def test_resources_are_found_by_their_attributes_as_json_and_as_text(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    cloud.admin.post(
        f"{V1}/resource_type",
        {"name": "rose", "attributes": {"colour": {"type": "string"}, "size": {"type": "number", "required": False}}},
        201,
    )
    for number, colour in enumerate(("red", "white", "red")):
        make_resource(mia, f"rose-{number}", "rose", colour=colour, size=number)
    search = f"{V1}/search/resource/rose"
    found = mia.post(search, {"and": [{"=": {"colour": "red"}}, {">": {"size": 1}}]}, 200).json()
    assert [one["original_resource_id"] for one in found] == ["rose-2"]
    assert [
        one["colour"]
        for one in mia.post(f"{search}?filter=colour%3Dwhite or size>=2&sort=size:desc", expect=200).json()
    ] == ["red", "white"]
    mia.post(search, {"=": {"weight": 1}}, 400)
    mia.post(search, {"near": {"colour": "red"}}, 400)
    mia.post(f"{search}?filter=colour%3D", expect=400)
    mia.post(f"{search}?filter={'[' * 2000}", expect=400)
    mia.post(f"{V1}/resource/rose", {"id": "rose-9"}, 400)
    mia.post(f"{V1}/resource/rose", {"id": "rose-9", "colour": 7}, 400)


def test_a_resource_remembers_what_it_was(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = make_resource(mia, str(uuid.uuid4()), user_id="a")
    cloud.advance(10)
    changed = mia.patch(f"{V1}/resource/generic/{made['id']}", {"user_id": "b"}, 200)
    assert changed.json()["revision_start"] != made["revision_start"]
    history = mia.get(f"{V1}/resource/generic/{made['id']}/history?sort=revision_start:asc").json()
    assert [(one["user_id"], one["revision_end"] is None) for one in history] == [("a", False), ("b", True)]
    stale = {"If-Match": "another"}
    mia.request("PATCH", f"{V1}/resource/generic/{made['id']}", expect=412, json={"user_id": "c"}, headers=stale)
    known = {"If-None-Match": changed.headers["etag"]}
    mia.request("GET", f"{V1}/resource/generic/{made['id']}", expect=304, headers=known)


def test_a_body_that_is_said_to_be_no_json_is_refused_though_it_is_empty(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    for content, status in ((b"", 415), (b"{}", 415)):
        mia.request("POST", f"{V1}/metric", expect=status, content=content, headers={"Content-Type": "text/plain"})
    mia.request("POST", f"{V1}/metric", expect=400, content=b"", headers={"Content-Type": "application/json"})
    for definition, said in (([], "length of value must be at least 1"), ("x", "expected a list")):
        told = cloud.admin.post(f"{V1}/archive_policy", {"name": "odd", "definition": definition}, 400).json()
        assert told["description"]["reason"] == f"{said} for dictionary value @ data['definition']"


def test_aggregates_over_resources_by_group(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    for number, owner in enumerate("aab"):
        made = make_resource(mia, str(uuid.uuid4()), user_id=owner, metrics={"cpu": {"archive_policy_name": "low"}})
        send(mia, made["metrics"]["cpu"], 10.0 * (number + 1))
    body = {
        "operations": "(aggregate sum (metric cpu mean))",
        "resource_type": "generic",
        "search": {"=": {"project_id": None}},
    }
    assert mia.post(f"{V1}/aggregates", body, 200).json()["measures"]["aggregated"][0][2] == 60
    groups = mia.post(f"{V1}/aggregates?groupby=user_id", body, 200).json()
    told = {one["group"]["user_id"]: one["measures"]["measures"]["aggregated"][0][2] for one in groups}
    assert told == {"a": 30, "b": 30}
    older = mia.post(f"{V1}/aggregation/resource/generic/metric/cpu?reaggregation=max", {"=": {"user_id": "a"}}, 200)
    assert older.json()[0][2] == 20
    mia.post(f"{V1}/aggregates", {**body, "operations": "(aggregate sum (metric gpu mean))"}, 404)


def test_what_would_hold_the_cloud_up_is_refused(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    told = {name: {"archive_policy_name": "medium"} for name in ("one", "two", "three")}
    for place in range(3):
        made = make_resource(mia, f"box-{place}", metrics=told)
        send(mia, made["metrics"]["one"], *range(20))
    monkeypatch.setattr(operations, "MOST_STEPS", 1000)
    body = {"resource_type": "generic", "search": {}, "operations": "(metric one mean)"}
    mia.post(f"{V1}/aggregates?granularity=60", body, 200)
    refused = ["(rolling median 10 (metric one mean))", "(abs " * 10 + "(metric one mean)" + ")" * 10]
    refused.append(f"(metric {' '.join(f'(x{n}* mean)' for n in range(100))})")
    for text in refused:
        answer = mia.post(f"{V1}/aggregates?granularity=60", {**body, "operations": text}, 400)
        assert "values to look at" in answer.text


def test_what_waits_is_read_once_whatever_the_number_of_metrics(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = cloud.new_user("mia", "garden")
    metrics = [make_metric(mia) for _ in range(5)]
    for at in range(3):
        told = [{"timestamp": 1_800_000_000 + 60 * at, "value": at}]
        mia.post(f"{V1}/batch/metrics/measures", dict.fromkeys(metrics, told), 202)
    read: list[int] = []
    between = store.pending_between

    def counted(*what: Any) -> Any:
        for row in between(*what):
            read.append(row.sequence)
            yield row

    monkeypatch.setattr(store, "pending_between", counted)
    body = {"operations": ["aggregate", "sum", ["metric", *([metric, "mean"] for metric in metrics)]]}
    shown = mia.post(f"{V1}/aggregates?granularity=60", body, 200).json()["measures"]["aggregated"]
    assert [value for _, _, value in shown] == [0, 5, 10] and len(read) == 3


def test_nobody_sees_or_feeds_what_is_another_projects(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    metric = make_metric(mia, name="cpu")
    resource = make_resource(mia, str(uuid.uuid4()), metrics={"load": {}})
    for path in (f"metric/{metric}", f"metric/{metric}/measures", f"resource/generic/{resource['id']}"):
        bob.get(f"{V1}/{path}", 404)
    assert bob.get(f"{V1}/metric").json() == [] and bob.get(f"{V1}/resource/generic").json() == []
    assert bob.post(f"{V1}/search/resource/generic", {}, 200).json() == []
    bob.post(f"{V1}/metric/{metric}/measures", [{"timestamp": 1, "value": 1}], 404)
    bob.post(f"{V1}/batch/metrics/measures", {metric: [{"timestamp": 1, "value": 1}]}, 400)
    bob.post(f"{V1}/aggregates", {"operations": ["metric", metric, "mean"]}, 404)
    bob.post(f"{V1}/resource/generic", {"id": str(uuid.uuid4()), "project_id": mia.project_id}, 403)
    bob.post(f"{V1}/resource/generic", {"id": "x", "metrics": {"cpu": metric}}, 400)
    bob.delete(f"{V1}/resource/generic/{resource['id']}", 404)
    assert bob.request("DELETE", f"{V1}/resource/generic?filter=id!%3Dx", expect=200).json() == {"deleted": 0}
    assert len(mia.get(f"{V1}/metric").json()) == 2


def test_readers_read_and_only_administrators_make_policies(cloud: ApiCloud) -> None:
    ria = cloud.new_user("ria", "garden", "reader")
    assert {"low", "medium", "high", "bool"} <= {one["name"] for one in ria.get(f"{V1}/archive_policy").json()}
    ria.post(f"{V1}/metric", {"archive_policy_name": "low"}, 403)
    mia = cloud.new_user("mia", "garden")
    policy = {"name": "mine", "definition": [{"granularity": "1s", "timespan": "1 hour"}]}
    mia.post(f"{V1}/archive_policy", policy, 403)
    made = cloud.admin.post(f"{V1}/archive_policy", policy, 201).json()
    assert made["definition"] == [{"granularity": "0:00:01", "points": 3600, "timespan": "1:00:00"}]
    metric = make_metric(mia, "mine")
    cloud.admin.delete(f"{V1}/archive_policy/mine", 400)
    mia.delete(f"{V1}/metric/{metric}")
    cloud.admin.delete(f"{V1}/archive_policy/mine")


def test_a_project_makes_no_more_metrics_than_its_quota(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    with cloud.core.db.write() as tx:
        quota.set_limits(tx, "metric", mia.project_id, {"metrics": 2})
    make_metric(mia)
    make_metric(mia)
    answer = mia.post(f"{V1}/metric", {"archive_policy_name": "low"}, 403)
    assert "Quota exceeded" in answer.text


def test_pages_lead_through_all_metrics(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    names = [f"m{number}" for number in range(5)]
    for name in names:
        make_metric(mia, name=name)
    seen, path = [], f"{V1}/metric?limit=2&sort=name:desc"
    while path:
        answer = mia.get(path)
        seen += [one["name"] for one in answer.json()]
        link = answer.headers.get("link", "")
        path = V1 + link.partition(V1)[2].partition(">")[0] if link else ""
    assert seen == names[::-1]
    mia.get(f"{V1}/metric?sort=colour", 400)
    mia.get(f"{V1}/metric?limit=none", 400)


def test_a_search_that_no_database_would_do_is_refused_before_it_is_made(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    types = {"name": "box", "attributes": {"open": {"type": "bool"}}}
    cloud.admin.post(f"{V1}/resource_type", types, 201)
    make_resource(mia, "one", "box", open=True)
    make_resource(mia, "two", "box", open=False)

    def search(query: Any, status: int = 200) -> Any:
        return mia.post(f"{V1}/search/resource/box", query, status).json()

    assert "at most 255" in str(search({"like": {"type": "%" * 256}}, 400))
    assert "at most 255" in str(search({"not": {"like": {"created_by_user_id": "%" * 256}}}, 400))
    assert len(search({"like": {"type": "%" * 255}})) == 2
    assert "at most 200" in str(search({"in": {"type": ["box"] * 201}}, 400))
    assert "at most 200" in str(search({"or": [{"in": {"type": ["box"] * 99}}] * 2 + [{"=": {"type": "box"}}]}, 400))
    assert len(search({"in": {"type": ["box"] * 190}})) == 2
    # Which of two truths is the larger one nobody knows.
    search({"<": {"open": True}}, 400)
    assert [one["original_resource_id"] for one in search({"=": {"open": True}})] == ["one"]
    assert [one["original_resource_id"] for one in search({"!=": {"open": True}})] == ["two"]


def test_what_a_resource_was_is_kept_in_number_and_in_time(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    made, other = make_resource(mia, "one", user_id="0"), make_resource(mia, "two", user_id="0")
    monkeypatch.setattr(resources, "MOST_REVISIONS", 4)

    def change(resource_id: str, *users: int) -> list[str]:
        for user in users:
            cloud.advance(10)
            mia.patch(f"{V1}/resource/generic/{resource_id}", {"user_id": str(user)}, 200)
        shown = mia.get(f"{V1}/resource/generic/{resource_id}/history?sort=revision_start:asc").json()
        return [one["user_id"] for one in shown]

    assert change(other["id"], 1, 2) == ["0", "1", "2"]
    # As it is now, and the four before.
    assert change(made["id"], *range(1, 8)) == ["3", "4", "5", "6", "7"]
    cloud.advance(cloud.core.config.history_days * 86400.0 + 1)
    mia = cloud.login("mia", "mia-secret", "garden")
    assert change(other["id"], 3) == ["0", "1", "2", "3"]
    expiry.forget(cloud.core)
    assert change(made["id"]) == ["7"] and change(other["id"]) == ["2", "3"]
