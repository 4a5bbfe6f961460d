"""What the cloud measures by itself: of guests, disks, cards, hosts, volumes, images; while it is away, too."""

from __future__ import annotations

from typing import Any

import pytest

from tane.agent import meters
from tane.agent.meters import Sampler, Shown, batch_of
from tane.for_hosts import ForHost, as_called
from tane.services.metric.domain import gathering, inventory, measures
from tane.services.metric.domain import measured as known_things
from tane.services.metric.store import resources as known
from tane.wire.calls import AgentFailed
from tane.wire.documents import GuestDiagnostics
from tane.wire.errors import HostError, Refused
from tane.wire.meters import Meters
from tests.api.compute_support import project
from tests.api.metric_support import V1, make_metric, measured, values
from tests.support import HOST_ID, OTHER_HOST_ID, ApiCloud, second_host


class Away:
    """The cloud, which may be away."""

    def __init__(self, cloud: ApiCloud) -> None:
        self.away, self.heard = False, 0
        self.failing: Exception | None = None
        self._cloud = as_called(ForHost(cloud.core, HOST_ID))

    async def measured(self, meters: Meters) -> None:
        if self.away:
            raise HostError("the cloud does not answer", transient=True)
        if self.failing is not None and meters.sequence == 0:
            raise self.failing
        self.heard += 1
        await self._cloud.measured(meters)


class Measuring:
    """The sampler of the simulated host, by a clock that goes with the cloud's."""

    def __init__(self, cloud: ApiCloud) -> None:
        self.api, self.clock = cloud, 0.0
        agent = cloud.core.hosts.agent(HOST_ID)
        self.compute: Any = agent.compute
        self.cloud = Away(cloud)
        way: Any = self.cloud
        self.sampler = Sampler(HOST_ID, agent.compute, agent.volume, way, 60.0, lambda: self.clock)

    def minute(self, cpu: float | None = None, server: str = "") -> None:
        self.api.advance(60)
        self.clock += 60
        if cpu is not None:
            self.compute.used[server] = GuestDiagnostics(uptime_seconds=1, hypervisor="fake", cpu_ns=(int(cpu),))
        self.api.wait(self.sampler.once())


@pytest.fixture
def measuring(cloud: ApiCloud) -> Measuring:
    return Measuring(cloud)


def test_a_servers_meters_have_ceilometers_names_and_belong_to_its_project(
    cloud: ApiCloud, measuring: Measuring
) -> None:
    garden, bob = project(cloud), cloud.new_user("bob", "shed")
    mia, server = garden.user, garden.server()
    measuring.minute()
    inventory.take(cloud.core)
    shown = mia.get(f"{V1}/resource/instance/{server}").json()
    assert shown["project_id"] == mia.project_id and shown["host"] == "host-1"
    assert {"cpu", "vcpus", "memory", "disk.root.size"} <= shown["metrics"].keys()
    cpu = mia.get(f"{V1}/resource/instance/{server}/metric/cpu").json()
    assert cpu["unit"] == "ns" and cpu["archive_policy"]["name"] == "ceilometer-low-rate"
    [disk] = measured(cloud, "instance_disk", instance_id=server)
    assert "disk.device.read.bytes" in disk["metrics"] and disk["original_resource_id"].startswith(server)
    [card] = measured(cloud, "instance_network_interface", instance_id=server)
    assert "network.incoming.bytes" in card["metrics"] and card["name"].startswith("tap")
    [host] = measured(cloud, "host")
    assert "hardware.memory.total" in host["metrics"]
    assert measured(cloud, "image")
    bob.get(f"{V1}/resource/instance/{server}", 404)
    mia.delete(f"{V1}/resource/instance/{server}", 403)
    assert mia.get(f"{V1}/resource/host").json() == []


def test_a_counter_that_begins_anew_at_a_restart_is_counted_on(cloud: ApiCloud, measuring: Measuring) -> None:
    garden = project(cloud)
    mia, server = garden.user, garden.server()
    for total in (100e9, 130e9, 5e9, 35e9):
        measuring.minute(total, server)
    metric = mia.get(f"{V1}/resource/instance/{server}").json()["metrics"]["cpu"]
    rates = values(mia, metric, aggregation="rate:mean")
    assert rates and all(rate >= 0 for rate in rates)


def test_what_is_measured_while_the_cloud_is_away_comes_later_once_and_at_its_time(
    cloud: ApiCloud, measuring: Measuring
) -> None:
    garden = project(cloud)
    mia, server = garden.user, garden.server()
    measuring.minute(1e9, server)
    measuring.cloud.away = True
    for minute in range(2, 42):
        measuring.minute(minute * 1e9, server)
    assert len(measuring.sampler.kept) == 40
    measuring.cloud.away = False
    measuring.minute(42e9, server)
    assert not measuring.sampler.kept and measuring.cloud.heard == 42
    metric = mia.get(f"{V1}/resource/instance/{server}").json()["metrics"]["cpu"]
    rates = values(mia, metric, aggregation="rate:mean")
    # Each minute used a second, whether it was told at once or later.
    assert len(rates) >= 8 and set(rates) == {1e9}


def test_a_batch_that_is_told_twice_counts_once(cloud: ApiCloud, measuring: Measuring) -> None:
    sent: list[Meters] = []
    told = measuring.cloud.measured

    async def keep(meters: Meters) -> None:
        sent.append(meters)
        await told(meters)

    measuring.cloud.measured = keep  # type: ignore[method-assign]
    measuring.minute()
    before = cloud.admin.get(f"{V1}/status").json()["storage"]["summary"]
    cloud.wait(told(sent[0]))
    assert cloud.admin.get(f"{V1}/status").json()["storage"]["summary"] == before


def test_a_host_is_not_believed_of_servers_that_are_not_on_it(cloud: ApiCloud, measuring: Measuring) -> None:
    server = project(cloud).server()
    second_host(cloud.core)
    batch = batch_of([Shown("guest", server, None, {"cpu": 1.0})], "r", 0)
    cloud.wait(as_called(ForHost(cloud.core, OTHER_HOST_ID)).measured(batch))
    assert measured(cloud, "instance") == []


def test_what_is_kept_for_the_cloud_is_bounded(cloud: ApiCloud, measuring: Measuring, monkeypatch: Any) -> None:
    monkeypatch.setattr("tane.agent.meters.KEPT_BYTES", 600)
    measuring.cloud.away = True
    for _ in range(20):
        measuring.minute()
    assert 1 <= len(measuring.sampler.kept) < 20 and measuring.sampler.dropped > 0


def test_a_server_that_is_deleted_ends_and_stays_to_be_looked_at(cloud: ApiCloud, measuring: Measuring) -> None:
    garden = project(cloud)
    mia, server = garden.user, garden.server()
    measuring.minute(1e9, server)
    mia.delete(f"/compute/v2.1/servers/{server}")
    cloud.run_jobs()
    inventory.take(cloud.core)
    shown = mia.get(f"{V1}/resource/instance/{server}").json()
    assert shown["ended_at"] is not None
    assert all(one["ended_at"] for one in measured(cloud, "instance_disk", instance_id=server))
    assert values(mia, shown["metrics"]["cpu"]) == [1e9]


def test_who_takes_the_id_of_a_server_loses_it_to_the_cloud(cloud: ApiCloud, measuring: Measuring) -> None:
    garden, bob = project(cloud), cloud.new_user("bob", "shed")
    mia, server = garden.user, garden.server()
    bob.post(f"{V1}/resource/generic", {"id": server, "metrics": {"cpu": {}}}, 201)
    measuring.minute(1e9, server)
    assert mia.get(f"{V1}/resource/instance/{server}").json()["project_id"] == mia.project_id
    bob.get(f"{V1}/resource/generic/{server}", 404)


@pytest.mark.parametrize(
    ("error", "rounds"),
    [
        (HostError("the host was told nonsense"), 1),
        (AgentFailed("KeyError: 'x'"), 3),
        (HostError("away", transient=True), None),
        (Refused("not let in"), None),
    ],
)
def test_what_the_cloud_refuses_for_good_holds_nothing_else_up(
    cloud: ApiCloud, measuring: Measuring, error: Exception, rounds: int | None
) -> None:
    measuring.cloud.failing = error
    for minute in range(1, 6):
        measuring.minute()
        gone = rounds is not None and minute >= rounds
        assert measuring.cloud.heard == (minute - 1 if gone else 0)
        assert len(measuring.sampler.kept) == (0 if gone else minute)


def test_one_thing_that_shows_nonsense_does_not_take_the_others_with_it(
    cloud: ApiCloud, measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Shown("host", HOST_ID, None, {"hardware.memory.total": 1.0})
    wrong = [Shown("disk", HOST_ID, "no/disk", {"disk.device.read.bytes": 1.0})]

    async def found() -> list[Shown]:
        return [host, *wrong]

    monkeypatch.setattr(measuring.sampler, "_measure", found)
    measuring.minute()
    assert not measuring.sampler.kept and measuring.cloud.heard == 1
    [shown] = measured(cloud, "host")
    assert "hardware.memory.total" in shown["metrics"]


def test_what_could_not_be_written_is_made_the_next_time(
    cloud: ApiCloud, measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    garden = project(cloud)
    server = garden.server()
    batch = batch_of([Shown("guest", server, None, {"cpu": 1e9})], "run", 0)

    def full(*what: Any, **more: Any) -> None:
        raise OSError("no space is left")

    with monkeypatch.context() as broken, pytest.raises(OSError):
        broken.setattr(measures, "append", full)
        gathering.take(cloud.core, HOST_ID, batch)
    # Somebody else's metric has the number now that the cloud's would have had.
    other = make_metric(garden.user)
    assert gathering.take(cloud.core, HOST_ID, batch) == 1
    metric = garden.user.get(f"{V1}/resource/instance/{server}").json()["metrics"]["cpu"]
    assert values(garden.user, other) == [] and values(garden.user, metric) == [1e9]


def test_what_ends_makes_nothing_else_be_looked_up_anew(
    cloud: ApiCloud, measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    garden = project(cloud)
    gone, there = garden.server(), garden.server()
    shown = [Shown("guest", there, None, {"power.state": 1.0})]
    gathering.take(cloud.core, HOST_ID, batch_of(shown, "run", 0))
    inventory.take(cloud.core)
    looked_up: list[str] = []
    ensure = known.of_ids

    def counted(tx: Any, ids: Any) -> Any:
        looked_up.extend(ids)
        return ensure(tx, ids)

    garden.user.delete(f"/compute/v2.1/servers/{gone}")
    cloud.run_jobs()
    inventory.take(cloud.core)
    monkeypatch.setattr(known, "of_ids", counted)
    assert gathering.take(cloud.core, HOST_ID, batch_of(shown, "run", 1)) == 1 and looked_up == []
    ended = garden.user.get(f"{V1}/resource/instance/{gone}").json()
    assert ended["ended_at"] is not None


def test_a_host_is_believed_of_no_disk_and_no_card_that_a_server_has_not(cloud: ApiCloud, measuring: Measuring) -> None:
    garden = project(cloud)
    server, other = garden.server(), garden.server()
    measuring.minute()
    kinds = ("instance_disk", "instance_network_interface")
    before = [len(measured(cloud, kind)) for kind in kinds]
    [card] = garden.user.get(f"/network/v2.0/ports?device_id={other}").json()["ports"]
    lies = [Shown("disk", server, f"p{number}", {"disk.device.read.bytes": 1.0}) for number in range(50)]
    lies += [Shown("nic", server, part, {"network.incoming.bytes": 1.0}) for part in (card["id"], "x" * 36)]
    assert gathering.take(cloud.core, HOST_ID, batch_of(lies, "liar", 0)) == 0
    # What is told again and again in one batch counts once.
    assert (
        gathering.take(cloud.core, HOST_ID, batch_of([Shown("guest", server, None, {"cpu": 1.0})] * 9, "liar", 1)) == 1
    )
    kinds = ("instance_disk", "instance_network_interface")
    assert before == [2, 2] == [len(measured(cloud, kind)) for kind in kinds]


def test_much_that_is_new_is_made_in_parts_between_which_others_write(
    cloud: ApiCloud, measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    garden = project(cloud)
    servers = [garden.server() for _ in range(5)]
    parts: list[int] = []
    ensure = known_things._ensure

    def counted(core: Any, tx: Any, known: Any, wanted: Any) -> Any:
        parts.append(len(wanted))
        return ensure(core, tx, known, wanted)

    monkeypatch.setattr(known_things, "AT_ONCE", 2)
    monkeypatch.setattr(known_things, "_ensure", counted)
    batch = batch_of([Shown("guest", server, None, {"cpu": 1e9}) for server in servers], "run", 0)
    assert gathering.take(cloud.core, HOST_ID, batch) == 5 and parts == [2, 2, 1]
    assert len(measured(cloud, "instance")) == 5


def test_a_host_tells_of_many_things_in_several_batches(
    cloud: ApiCloud, measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = project(cloud).server()
    monkeypatch.setattr(meters, "MOST_THINGS", 2)
    measuring.minute()
    # The host, the guest, its disk and its card.
    assert measuring.cloud.heard == 2 and not measuring.sampler.kept
    assert measured(cloud, "instance_network_interface", instance_id=server)
