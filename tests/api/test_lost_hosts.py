"""Servers whose flavor says that another host makes them again when theirs is lost."""

from __future__ import annotations

import uuid
from collections.abc import Collection

import pytest

from tane.clock import ManualClock
from tane.for_hosts import ForHost, as_called
from tane.hosts import store
from tane.services.compute.domain import power
from tane.services.compute.reconcilers import lost
from tane.wire.errors import HostError, Refused
from tests.api.compute_support import Project, V, at, make_flavor, project
from tests.api.test_servers_moves import force_down, migrations
from tests.support import HOST_ID, OFFERED, ApiCloud, second_host

STEP = 10.0


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


@pytest.fixture
def kept(garden: Project) -> str:
    """A flavor whose servers are to be there whatever happens."""
    flavor_id = make_flavor(garden.admin, "kept")
    specs = {"extra_specs": {"ha:policy": "evacuate"}}
    garden.admin.post(f"{V}/flavors/{flavor_id}/os-extra_specs", specs, 200, headers=at("2.96"))
    return flavor_id


def passes(garden: Project, seconds: float, alive: Collection[str] = ()) -> str:
    """Let time pass as a cloud that is awake sees it; what it says meanwhile. ``alive``: hosts that speak to another
    process of it."""
    said = []
    while seconds > 0:
        garden.cloud.advance(min(seconds, STEP))
        with garden.cloud.core.db.write() as tx:
            store.seen(tx, [*alive, *(agent.host_id for agent in garden.cloud.core.hosts.reached())])
        seconds -= STEP
        said.append(garden.cloud.wait(lost.run(garden.cloud.core)))
    return "; ".join(filter(None, said))


def lease(garden: Project, *servers: str, host_id: str = HOST_ID) -> float:
    return float(garden.cloud.wait(ForHost(garden.cloud.core, host_id).lease(servers)))


def where(garden: Project, server_id: str) -> tuple[str, str]:
    garden.cloud.run_jobs()
    shown = garden.admin.get(f"{V}/servers/{server_id}").json()["server"]
    return shown["status"], shown["OS-EXT-SRV-ATTR:host"]


def silenced(garden: Project, *servers: str, alive: Collection[str] = ()) -> None:
    """The host leased the servers, another one is there, and then nobody hears of it again."""
    passes(garden, 90, alive)
    second_host(garden.cloud.core)
    lease(garden, *servers)
    garden.cloud.core.hosts.remove(HOST_ID)


def more_hosts(garden: Project, count: int) -> list[str]:
    ids = [str(uuid.uuid4()) for _ in range(count)]
    with garden.cloud.core.db.write() as tx:
        for number, host_id in enumerate(ids):
            store.register(tx, host_id, f"more-{number}", ["compute"], None, OFFERED)
    return ids


def test_a_server_of_a_lost_host_is_made_again_once_it_has_ended_there(garden: Project, kept: str) -> None:
    server_id, plain = garden.server(flavorRef=kept), garden.server("plain", networks="none")
    assert garden.host.guest(server_id).leased and not garden.host.guest(plain).leased
    silenced(garden, server_id)
    assert passes(garden, 60) == "" and where(garden, server_id) == ("ACTIVE", "host-1")
    assert passes(garden, 30) == f"{server_id} is made again: host-1 is lost"
    assert where(garden, server_id) == ("ACTIVE", "host-2")
    assert where(garden, plain) == ("ACTIVE", "host-1"), "it may still run there"
    [row] = migrations(garden)
    assert (row["migration_type"], row["status"], row["instance_uuid"]) == ("evacuation", "done", server_id)
    assert passes(garden, 60) == ""


def test_servers_of_a_group_that_is_to_be_together_go_elsewhere_together(garden: Project, kept: str) -> None:
    body = {"server_group": {"name": "together", "policy": "affinity"}}
    group = garden.user.post(f"{V}/os-server-groups", body, 200, headers=at("2.64")).json()["server_group"]["id"]
    hints = {"os:scheduler_hints": {"group": group}}
    made = []
    for name in ("one", "two"):
        asked = {**garden.body(name, flavorRef=kept, networks="none"), **hints}
        made.append(garden.user.post(f"{V}/servers", asked, 202, headers=at("2.37")).json()["server"]["id"])
        garden.cloud.run_jobs()
    silenced(garden, *made)
    passes(garden, 120)
    assert [where(garden, server_id) for server_id in made] == [("ACTIVE", "host-2")] * 2


def test_a_host_that_is_heard_of_again_keeps_its_servers(garden: Project, kept: str) -> None:
    server_id = garden.server(flavorRef=kept)
    silenced(garden, server_id)
    for _ in range(4):
        # It speaks to another process of the cloud.
        assert passes(garden, 60) == ""
        assert lease(garden, server_id) == 60
    assert where(garden, server_id) == ("ACTIVE", "host-1")


def test_only_what_the_host_promised_to_end_is_made_elsewhere(garden: Project, kept: str) -> None:
    """An older agent leases nothing; a guest of before the policy was set neither."""
    server_id = garden.server(flavorRef=kept)
    silenced(garden)
    assert passes(garden, 120) == "" and where(garden, server_id) == ("ACTIVE", "host-1")
    force_down(garden, "host-1")
    assert "is made again" in passes(garden, 10)
    assert where(garden, server_id) == ("ACTIVE", "host-2")


def test_a_cloud_that_stood_still_itself_waits_for_its_hosts(garden: Project, kept: str) -> None:
    server_id = garden.server(flavorRef=kept)
    silenced(garden, server_id)
    garden.cloud.advance(3600)
    assert passes(garden, 70) == ""
    assert "is made again" in passes(garden, 60)


def test_where_too_many_hosts_are_silent_at_once_nothing_is_replaced(garden: Project, kept: str) -> None:
    server_id = garden.server(flavorRef=kept)
    others = more_hosts(garden, 8)
    silenced(garden, server_id, alive=others)
    # Of the others one leases servers, and one does not.
    lease(garden, host_id=others[0])
    said = passes(garden, 120, others[2:])
    assert "3 of 10 hosts are silent" in said and "confirm-dead" in said and "is made again" not in said
    assert where(garden, server_id) == ("ACTIVE", "host-1")
    assert "is made again" in passes(garden, 30, others[1:]), "two of ten may be lost"


def test_hosts_that_are_cut_off_together_are_counted_before_the_first_lease_ends(garden: Project, kept: str) -> None:
    """They renew their leases one after the other."""
    server_id = garden.server(flavorRef=kept)
    others = more_hosts(garden, 8)
    silenced(garden, server_id, alive=others)
    for host_id in others[:4]:
        garden.cloud.advance(4)
        lease(garden, host_id=host_id)
    said = passes(garden, 150, others[4:])
    assert "5 of 10 hosts are silent" in said and "is made again" not in said


def test_one_that_was_called_dead_is_replaced_while_others_are_silent(garden: Project, kept: str) -> None:
    server_id = garden.server(flavorRef=kept)
    others = more_hosts(garden, 3)
    silenced(garden, server_id, alive=others)
    for host_id in others:
        lease(garden, host_id=host_id)
    assert "4 of 5 hosts are silent" in passes(garden, 120)
    force_down(garden, "host-1")
    assert "is made again" in passes(garden, 10)


def test_a_host_that_was_switched_off_long_ago_keeps_no_other_from_being_replaced(garden: Project, kept: str) -> None:
    server_id = garden.server(flavorRef=kept)
    [other] = more_hosts(garden, 1)
    lease(garden, host_id=other)
    passes(garden, 900)
    silenced(garden, server_id)
    assert "is made again" in passes(garden, 120)


def test_a_clock_that_is_put_forward_ends_no_lease(garden: Project, kept: str) -> None:
    server_id, clock = garden.server(flavorRef=kept), garden.cloud.core.clock
    silenced(garden, server_id)
    assert passes(garden, 30) == "" and isinstance(clock, ManualClock)
    clock.set(50)
    assert passes(garden, 60) == "" and where(garden, server_id) == ("ACTIVE", "host-1")
    assert "is made again" in passes(garden, 60)


def test_a_server_that_no_host_has_room_for_is_told_of_and_tried_again(garden: Project, kept: str) -> None:
    server_id = garden.server(flavorRef=kept)
    passes(garden, 90)
    lease(garden, server_id)
    garden.cloud.core.hosts.remove(HOST_ID)
    assert f"{server_id} stays on host-1, which is lost" in passes(garden, 90)
    assert where(garden, server_id) == ("ACTIVE", "host-1")
    second_host(garden.cloud.core)
    assert "is made again" in passes(garden, 30)
    assert where(garden, server_id) == ("ACTIVE", "host-2")


def test_a_host_that_was_called_dead_or_says_too_much_gets_no_lease(garden: Project) -> None:
    with pytest.raises(Refused, match="at most 4096"):
        lease(garden, *(str(uuid.uuid4()) for _ in range(4097)))
    with pytest.raises(HostError):
        garden.cloud.wait(as_called(ForHost(garden.cloud.core, HOST_ID)).lease(("no id/",)))
    force_down(garden, "host-1")
    with pytest.raises(Refused, match="called dead"):
        lease(garden)


def test_a_server_that_crashes_is_started_again_if_it_is_to_be_there(garden: Project, kept: str) -> None:
    server_id, plain = garden.server(flavorRef=kept), garden.server("plain")

    def crash(guest_id: str) -> str:
        with garden.cloud.core.db.write() as tx:
            power.note_state(tx, HOST_ID, guest_id, "crashed")
        return where(garden, guest_id)[0]

    garden.cloud.advance(120)
    assert crash(plain) == "SHUTOFF" and crash(server_id) == "ACTIVE"
    assert crash(server_id) == "SHUTOFF", "it crashes at once each time"


def test_a_policy_that_does_not_exist_is_refused(garden: Project) -> None:
    wrong = {"extra_specs": {"ha:policy": "resurrect"}}
    path = f"{V}/flavors/{garden.flavor_id}/os-extra_specs"
    assert "ha:policy" in garden.admin.post(path, wrong, 400, headers=at("2.86")).text
