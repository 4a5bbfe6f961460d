"""What is measured is sent on to the operator's Prometheus, and waits while it is away."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import Row, delete, update

from tane.config import PrometheusSettings
from tane.db import Tx
from tane.services.metric import checks
from tane.services.metric.domain import inventory, outgoing
from tane.services.metric.store import database
from tane.services.metric.store import outgoing as store
from tane.services.metric.tables import metric, sending_loss
from tests.api.compute_support import Project, project
from tests.api.prometheus_support import Receiver, receiver, series_of, unframed
from tests.support import ApiCloud


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def send_to(cloud: ApiCloud, url: str, **more: Any) -> None:
    cloud.core.config.prometheus = PrometheusSettings(remote_write_url=url, **more)


def again(cloud: ApiCloud) -> tuple[int, int]:
    """A pass, as if it were time for the next attempt."""
    if sender := cloud.core.memory.get(outgoing.MEMORY):
        sender.next_try = 0.0
    return outgoing.send(cloud.core)


def measured(garden: Project) -> None:
    inventory.take(garden.cloud.core)
    garden.cloud.advance(60)


def vcpus(there: Receiver, server_id: str) -> list[tuple[float, int]]:
    return [
        (value, at)
        for labels, value, at in there.series
        if labels["__name__"] == "ceilometer_vcpus" and labels["resource"] == server_id
    ]


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def test_samples_are_sent_with_the_names_and_labels_that_are_read(garden: Project, there: Receiver) -> None:
    cloud, mia = garden.cloud, garden.user
    (cloud.core.config.state_dir / "secret").write_text("s3cret\n")
    send_to(cloud, f"{there.url}/api/v1/write", labels={"cloud": "east"}, user="tane", password_file="secret")
    server_id = garden.server('we"b 1')
    mia.get("/metrics")
    measured(garden)
    assert again(cloud)[1] == 0
    (path, headers, _), *_ = there.asked
    assert path == "/api/v1/write" and headers["content-encoding"] == "snappy"
    assert headers["authorization"] == "Basic " + base64.b64encode(b"tane:s3cret").decode()
    [read] = [line for line in mia.get("/metrics").text.splitlines() if line.startswith("ceilometer_vcpus{")]
    [sent] = [labels for labels, _, _ in there.series if labels["__name__"] == "ceilometer_vcpus"]
    assert sent.pop("cloud") == "east" and sent.pop("__name__") == "ceilometer_vcpus"
    assert sent == {"resource": server_id, "resource_name": 'we"b 1', "project": mia.project_id} | {
        "type": "instance",
        "unit": "vcpu",
    }
    assert all(f'{name}="' in read for name in sent)
    up = [(labels, value) for labels, value, _ in there.series if labels["__name__"] == "tane_host_up"]
    assert up == [({"__name__": "tane_host_up", "host": "host-1", "cloud": "east"}, 0.0)], "not heard of for a minute"


def test_samples_wait_while_nobody_takes_them_and_come_later_with_their_own_times(
    garden: Project, there: Receiver
) -> None:
    cloud = garden.cloud
    send_to(cloud, there.url)
    there.answer = lambda path, body: (503, b"overloaded")
    server_id = garden.server("web")
    for _ in range(3):
        measured(garden)
    asked = len(there.asked)
    again(cloud)
    assert len(there.asked) == asked + 1
    outgoing.send(cloud.core)
    assert len(there.asked) == asked + 1, "it is left alone for a while"
    found = checks.state(cloud.core.config)
    assert found is not None and found.failing is not None and found.samples and "503: overloaded" in found.error
    assert "not taken since" in str(checks.sentence(cloud.core.config))
    assert [one.level for one in checks.findings(cloud.core.config)] == ["warning"]
    there.asked.clear()
    there.answer = lambda path, body: (204, b"")
    again(cloud)
    values = vcpus(there, server_id)
    assert len(values) == 3 and [at for _, at in values] == sorted({at for _, at in values})
    assert values[1][1] - values[0][1] == 60_000
    again(cloud)
    assert len(vcpus(there, server_id)) == 3, "each comes once"
    assert [*checks.findings(cloud.core.config)] == []


def test_nobody_at_the_other_end_holds_no_batch_up_and_the_queue_is_bounded(
    garden: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = garden.cloud
    with receiver() as gone:
        send_to(cloud, gone.url, queue_mb=1, seconds=1.0)
    garden.server("web")
    for _ in range(3):
        measured(garden)
    monkeypatch.setattr("tane.services.metric.domain.outgoing.MEBIBYTE", 64)
    monkeypatch.setattr(outgoing, "DROPPED_AT_ONCE", 1)
    sent, lost = again(cloud)
    monkeypatch.setattr("tane.services.metric.domain.outgoing.MEBIBYTE", 1 << 20)
    monkeypatch.setattr(store, "sizes", lambda tx, *count: pytest.fail("while there is room no row is looked at"))
    again(cloud)
    found = checks.state(cloud.core.config)
    assert sent == 0 and lost and found is not None and found.dropped is not None
    assert found.dropped.samples == lost
    assert any("had no room" in one.what for one in checks.findings(cloud.core.config))


def test_what_is_refused_for_good_is_told_and_not_sent_again(garden: Project, there: Receiver) -> None:
    cloud = garden.cloud
    send_to(cloud, there.url)
    there.answer = lambda path, body: (400, b"out of order sample")
    garden.server("web")
    measured(garden)
    _, lost = again(cloud)
    assert lost and again(cloud) == (0, 0)
    [finding] = checks.findings(cloud.core.config)
    assert "for good, the last 0 minutes ago: the answer is 400: out of order sample" in finding.what


def test_what_is_too_large_is_sent_in_parts(garden: Project, there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = garden.cloud
    send_to(cloud, there.url)
    server_id = garden.server("web")
    monkeypatch.setattr(outgoing, "LEAST", 2)
    taken: list[bytes] = []

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        if len([*series_of(unframed(body))]) > 4:
            return 413, b"too large"
        taken.append(body)
        return 204, b""

    there.answer = answer
    measured(garden)
    sent, lost = again(cloud)
    found = [one for body in taken for one in series_of(unframed(body))]
    names = {labels["__name__"] for labels, _, _ in found}
    assert (sent, lost) == (len(found), 0) and {"ceilometer_vcpus", "tane_host_up"} <= names
    assert [labels["resource"] for labels, _, _ in found if labels["__name__"] == "ceilometer_vcpus"] == [server_id]
    refused = len(there.asked) - len(taken)
    measured(garden)
    again(cloud)
    assert len(there.asked) - len(taken) == refused, "what was too large is not tried again so soon"
    assert [*checks.findings(cloud.core.config)] == []


def test_what_is_too_large_in_the_smallest_parts_is_refused_for_good(garden: Project, there: Receiver) -> None:
    cloud = garden.cloud
    send_to(cloud, there.url)
    garden.server("web")
    there.answer = lambda path, body: (413, b"too large")
    measured(garden)
    sent, lost = again(cloud)
    assert sent == 0 and lost
    [finding] = checks.findings(cloud.core.config)
    assert "413: too large" in finding.what


def test_samples_of_deleted_metrics_are_not_counted_as_sent(garden: Project, there: Receiver) -> None:
    cloud = garden.cloud
    send_to(cloud, there.url)
    garden.server("web")
    measured(garden)
    with database.of(cloud.core).write() as tx:
        tx.execute(delete(metric))
    sent, _ = again(cloud)
    assert sent == len(there.series)


def test_of_what_waits_only_that_is_read_which_a_request_takes(garden: Project) -> None:
    with database.of(garden.cloud.core).write() as tx:
        for samples in (7, 2, 2, 9):
            store.add(tx, at=0.0, samples=samples, size=0, moment=0, numbers=b"", data=b"")
    with database.of(garden.cloud.core).write() as tx:
        for most, count, wanted in ((5, 9, [7]), (9, 9, [7, 2]), (99, 3, [7, 2, 2]), (99, 9, [7, 2, 2, 9])):
            rows, more = store.first(tx, most, count)
            assert [row.samples for row in rows] == wanted and more == (len(wanted) < 4)


def test_labels_that_are_known_are_not_looked_up_again(
    garden: Project, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_to(garden.cloud, there.url)
    garden.server("web")
    looked_up: list[int] = []
    find = store.series

    def series(tx: Tx, numbers: Sequence[int]) -> list[Row[Any]]:
        looked_up.extend(numbers)
        return find(tx, numbers)

    monkeypatch.setattr(store, "series", series)
    measured(garden)
    again(garden.cloud)
    before = len(looked_up)
    monkeypatch.setattr(outgoing, "MOST_KNOWN", before)
    measured(garden)
    again(garden.cloud)
    assert before and len(looked_up) == before
    with database.of(garden.cloud.core).read() as tx:
        sender = garden.cloud.core.memory[outgoing.MEMORY]
        monkeypatch.setattr(outgoing, "MOST_KNOWN", 3)
        for wanted in (set(looked_up[:3]), set(looked_up[2:5])):
            outgoing._learn(garden.cloud.core, tx, sender, wanted)
            assert sender.known.keys() == wanted


def test_what_the_other_side_says_is_shown_without_what_governs_terminals(garden: Project, there: Receiver) -> None:
    send_to(garden.cloud, there.url)
    garden.server("web")
    there.answer = lambda path, body: (400, b"no\x00 \x1b[2J\xff")
    measured(garden)
    assert again(garden.cloud)[1]
    [finding] = checks.findings(garden.cloud.core.config)
    assert finding.what.isprintable() and "the answer is 400: no" in finding.what


def test_a_secret_that_cannot_be_read_is_told(garden: Project, there: Receiver) -> None:
    cloud = garden.cloud
    (cloud.core.config.state_dir / "secret").write_bytes(b"\xff\xfe")
    send_to(cloud, there.url, token_file="secret")
    garden.server("web")
    measured(garden)
    again(cloud)
    assert "takes no samples" in "".join(one.what for one in checks.findings(cloud.core.config))


def test_what_was_lost_is_told_with_its_own_reason_and_for_a_day(garden: Project, there: Receiver) -> None:
    cloud = garden.cloud
    send_to(cloud, there.url)
    garden.server("web")
    for status, told in ((400, b"out of order sample"), (503, b"overloaded"), (204, b"")):
        there.answer = lambda path, body, status=status, told=told: (status, told)  # type: ignore[misc]
        measured(garden)
        again(cloud)
    [finding] = checks.findings(cloud.core.config)
    assert "out of order sample" in finding.what and "overloaded" not in finding.what
    with database.of(cloud.core).write() as tx:
        tx.execute(update(sending_loss).values(at=sending_loss.c.at - 2 * checks.TOLD))
    assert [*checks.findings(cloud.core.config)] == []


def test_what_waited_goes_when_it_is_sent_nowhere_any_more(garden: Project) -> None:
    cloud = garden.cloud
    send_to(cloud, "http://127.0.0.1:9/write")
    garden.server("web")
    measured(garden)
    cloud.core.config.prometheus = PrometheusSettings()
    assert outgoing.send(cloud.core) == (0, 0) and checks.state(cloud.core.config) is None
    send_to(cloud, "http://127.0.0.1:9/write")
    found = checks.state(cloud.core.config)
    assert found is not None and found.samples == 0


@pytest.mark.parametrize("label", ["1a", "a-b", ""])
def test_labels_are_names_that_prometheus_takes(label: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"labels": {label: "x"}}, PrometheusSettings)
