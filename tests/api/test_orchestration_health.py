"""Groups that replace members which fail: cattle are counted, not nursed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tane.agent.network.fake import FakeNetwork
from tane.for_hosts import ForHost
from tane.hosts import store
from tane.services.orchestration.domain.health import Question, Turns
from tane.services.orchestration.reconcilers import health
from tane.services.orchestration.store import stacks
from tane.wire.asking import Door
from tane.wire.documents import GuestState
from tests.api import orchestration_support as orchestration
from tests.api.compute_support import Project, V, make_image, project
from tests.api.orchestration_support import hot, outputs, show, update
from tests.support import HOST_ID, second_host

ROUND = 10.0


@pytest.fixture
def garden(cloud: Any) -> Project:
    return project(cloud)


class Herd:
    """A stack with a group of servers."""

    def __init__(self, garden: Project, size: int = 3, terms: Any = True, **member: Any) -> None:
        self.garden, self.cloud = garden, garden.cloud
        lan = {"networks": [{"network": garden.network_id}]}
        self.server = {
            "type": "OS::Nova::Server",
            "properties": {"flavor": garden.flavor_id, "image": garden.image_id, **lan, **member},
        }
        self.size = size
        self.template = self.of(terms)
        self.stack = orchestration.stack(self.cloud, garden.user, self.template)
        assert self.stack["stack_status"] == "CREATE_COMPLETE", self.stack
        # Nobody is replaced more slowly for being young.
        self.cloud.advance(700)

    def of(self, terms: Any, size: int | None = None) -> dict[str, Any]:
        size = self.size if size is None else size
        group: dict[str, Any] = {
            "type": "OS::Heat::AutoScalingGroup",
            "properties": {"min_size": 0, "max_size": 5, "desired_capacity": size, "resource": self.server},
        }
        if terms is not None:
            group["metadata"] = {"replace_failed": terms}
        return hot({"herd": group}, outputs={"ids": {"value": {"get_attr": ["herd", "refs"]}}})

    def servers(self) -> list[str]:
        """Ids of the members' servers, in their order."""
        return list(outputs(show(self.garden.user, "rose", self.stack["id"]))["ids"])

    def rounds(self, count: int = 1) -> str:
        """Let time pass as a cloud that is awake sees it; what it says meanwhile."""
        said = []
        for _ in range(count):
            self.cloud.advance(ROUND)
            with self.cloud.core.db.write() as tx:
                store.seen(tx, [agent.host_id for agent in self.cloud.core.hosts.reached()])
            told = self.cloud.wait(health.run(self.cloud.core))
            said.append(told)
            if told:
                self.cloud.run_jobs()
        return "; ".join(filter(None, said))

    def there(self) -> set[str]:
        """Servers that the project has, whatever made them."""
        return {one["id"] for one in self.garden.user.get(f"{V}/servers").json()["servers"]}


def fall(garden: Project, server_id: str, state: GuestState) -> None:
    """The guest ends by itself, which its host tells."""
    if state == "crashed":
        garden.host.crash(server_id)
    else:
        garden.host.power_off(server_id)
    garden.cloud.wait(ForHost(garden.cloud.core, HOST_ID).guest_changed(server_id, state))


def network(garden: Project) -> FakeNetwork:
    duty = garden.cloud.core.hosts.agent(HOST_ID).network
    assert isinstance(duty, FakeNetwork)
    return duty


def act(garden: Project, server_id: str, action: dict[str, Any]) -> None:
    garden.user.post(f"{V}/servers/{server_id}/action", action, 202)
    garden.cloud.run_jobs()


def test_a_member_whose_guest_is_killed_is_replaced_and_the_others_stay(garden: Project) -> None:
    herd = Herd(garden)
    first, second, third = herd.servers()
    assert herd.rounds() == ""
    fall(garden, second, "crashed")
    assert f"server {second}: its guest ended all at once" in herd.rounds()
    after = herd.servers()
    assert (after[0], after[2]) == (first, third) and after[1] not in (first, second, third)
    assert herd.there() == set(after)
    assert herd.rounds(3) == ""


def test_a_member_that_was_deleted_or_is_in_error_is_replaced(garden: Project) -> None:
    herd = Herd(garden)
    first, second, third = herd.servers()
    garden.user.delete(f"{V}/servers/{first}")
    garden.cloud.run_jobs()
    garden.admin.post(f"{V}/servers/{second}/action", {"os-resetState": {"state": "error"}}, 202)
    assert "it was deleted" in herd.rounds()
    assert len(herd.there()) == 3, "one at a time"
    assert "it is in error" in herd.rounds()
    after = herd.servers()
    assert after[2] == third and not {first, second} & set(after) and herd.there() == set(after)


def test_without_a_word_of_the_template_nothing_is_replaced(garden: Project) -> None:
    herd = Herd(garden, terms=None)
    fall(garden, herd.servers()[0], "crashed")
    before = herd.servers()
    assert herd.rounds(5) == "" and herd.servers() == before
    # The next update of the template that says so is heard.
    update(garden.cloud, garden.user, herd.stack, herd.of({}))
    assert "its guest ended" in herd.rounds() and herd.servers()[0] != before[0]


def test_what_somebody_put_aside_is_left_alone(garden: Project) -> None:
    herd = Herd(garden)
    before = herd.servers()
    for server_id, action in zip(before, ("os-stop", "pause", "suspend"), strict=True):
        act(garden, server_id, {action: None})
    assert herd.rounds(3) == "" and herd.servers() == before
    act(garden, before[0], {"os-start": None})
    fall(garden, before[0], "stopped")
    assert "it has shut itself down" in herd.rounds()
    assert herd.servers()[1:] == before[1:] and herd.servers()[0] != before[0]


def test_a_member_that_somebody_stopped_stays_whatever_is_done_with_it_next(garden: Project) -> None:
    """Who stops one to save its disk, or to look into it, does not lose it."""
    herd = Herd(garden)
    before = herd.servers()
    for server_id in before:
        act(garden, server_id, {"os-stop": None})
    act(garden, before[0], {"createImage": {"name": "keep"}})
    act(garden, before[1], {"rebuild": {"imageRef": garden.image_id}})
    attached = {"interfaceAttachment": {"net_id": garden.network_id}}
    garden.user.post(f"{V}/servers/{before[2]}/os-interface", attached, 200)
    garden.cloud.run_jobs()
    assert herd.rounds(3) == "" and herd.servers() == before
    act(garden, before[1], {"os-start": None})
    fall(garden, before[1], "stopped")
    assert "it has shut itself down" in herd.rounds()


def test_members_of_a_lost_host_are_replaced_on_another(garden: Project) -> None:
    herd = Herd(garden, size=2, terms={"at_once": 2}, networks=[{"allocate_network": "none"}])
    before = herd.servers()
    herd.rounds(10)
    second_host(garden.cloud.core)
    garden.cloud.core.hosts.remove(HOST_ID)
    assert herd.rounds(6) == "" and herd.servers() == before, "it may come back"
    assert "its host is lost" in herd.rounds(3)
    after = herd.servers()
    assert not set(after) & set(before)
    for server_id in after:
        shown = garden.admin.get(f"{V}/servers/{server_id}").json()["server"]
        assert (shown["status"], shown["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "host-2"), shown.get("fault")


def test_the_only_host_is_not_lost_for_being_away(garden: Project) -> None:
    """There is no other that could take the servers: when it is back, they are there as before."""
    herd = Herd(garden, size=2, terms={"at_once": 2}, networks=[{"allocate_network": "none"}])
    before = herd.servers()
    herd.rounds(8)
    hosts = garden.cloud.core.hosts
    agent = hosts.agent(HOST_ID)
    hosts.remove(HOST_ID)
    assert herd.rounds(12) == ""
    hosts.add(agent)
    assert herd.rounds(3) == "" and herd.servers() == before and herd.there() == set(before)


def test_replacements_that_find_no_room_do_not_heap_up(garden: Project) -> None:
    """Each attempt makes a server that ends in error: the one before goes, and the quota is left for the one that
    works."""
    herd = Herd(garden, size=2, networks=[{"allocate_network": "none"}])
    first, second = herd.servers()
    host = {"binary": "nova-compute", "host": "host-1"}
    garden.admin.put(f"{V}/os-services/disable", host, 200)
    garden.user.delete(f"{V}/servers/{first}")
    garden.cloud.run_jobs()
    for _ in range(3):
        garden.cloud.advance(300)
        herd.rounds(2)
        assert second in herd.there() and len(herd.there()) <= 3
    garden.admin.put(f"{V}/os-services/enable", host, 200)
    garden.cloud.advance(300)
    assert "replaced" in herd.rounds(2)
    assert len(herd.servers()) == 2 and herd.there() == set(herd.servers()) and second in herd.there()


def test_a_cloud_that_was_away_itself_takes_no_host_for_lost(garden: Project) -> None:
    herd = Herd(garden, size=1)
    herd.rounds(10)
    second_host(garden.cloud.core)
    garden.cloud.core.hosts.remove(HOST_ID)
    garden.cloud.advance(3600)
    assert herd.rounds(6) == ""


def test_a_member_that_answers_no_more_at_its_port_is_replaced(garden: Project) -> None:
    herd = Herd(garden, terms={"port": 80, "grace_period": 60})
    first = herd.servers()[0]
    assert herd.rounds(8) == ""
    ports = garden.user.get("/network/v2.0/ports", params={"device_id": first}).json()["ports"]
    network(garden).closed = {ports[0]["id"]: "no answer"}
    assert herd.rounds(2) == "", "it may be busy"
    assert "no answer" in herd.rounds(1)
    assert herd.servers()[0] != first and herd.rounds(8) == ""


def test_a_member_whose_agent_answers_no_more_is_replaced(garden: Project) -> None:
    garden.image_id = make_image(garden.user, "spoken to", hw_qemu_guest_agent="yes")
    herd = Herd(garden, terms={"agent": True, "grace_period": 60})
    first, second, third = herd.servers()
    assert herd.rounds(8) == ""
    garden.host.silent[second] = "the guest's agent does not answer"
    assert herd.rounds(2) == "", "it may be busy"
    del garden.host.silent[second]
    assert herd.rounds(4) == "", "it is there again"
    garden.host.silent[second] = "the guest's agent does not answer"
    assert "agent does not answer" in herd.rounds(3)
    after = herd.servers()
    assert (after[0], after[2]) == (first, third) and after[1] != second and herd.rounds(8) == ""


def test_without_an_agent_in_the_image_no_member_is_judged_by_it(garden: Project) -> None:
    herd = Herd(garden, terms={"agent": True, "grace_period": 60})
    for server_id in herd.servers():
        garden.host.silent[server_id] = "nobody is there"
    assert herd.rounds(10) == ""


def test_a_group_has_no_servers_of_others_whatever_its_members_are_called(garden: Project) -> None:
    """A container may have another project's server's id as its name: nobody knocks at that for its group, its events
    tell nothing of it, and its owner's group replaces it as before."""
    herd = Herd(garden, size=1, terms={"port": 80, "grace_period": 0})
    [mine] = herd.servers()
    herd.rounds(1)
    eve = garden.cloud.new_user("eve", "shed")
    spy = {
        "type": "OS::Heat::AutoScalingGroup",
        "metadata": {"replace_failed": {"port": 22, "grace_period": 0}},
        "properties": {
            "min_size": 1,
            "max_size": 1,
            "resource": {"type": "OS::Swift::Container", "properties": {"name": mine}},
        },
    }
    hers = orchestration.stack(garden.cloud, eve, hot({"spy": spy}))
    assert hers["stack_status"] == "CREATE_COMPLETE", hers
    garden.cloud.advance(700)
    ports = garden.user.get("/network/v2.0/ports", params={"device_id": mine}).json()["ports"]
    network(garden).closed = {ports[0]["id"]: "no answer"}
    assert "no answer" in herd.rounds(3)
    assert herd.servers() != [mine]
    events = eve.get(orchestration.path(eve, hers, "/events?nested_depth=2")).json()["events"]
    assert not [one for one in events if one["resource_status"].startswith("CHECK")]


def test_a_host_that_takes_its_time_keeps_no_failed_member_alive(garden: Project, monkeypatch: Any) -> None:
    """What it told before its time was up counts, and a look that takes long is no standstill of the cloud."""
    herd = Herd(garden, size=2, terms={"port": 80, "grace_period": 0})
    first, second = herd.servers()
    herd.rounds(1)
    duty = network(garden)
    knock = duty.knock
    ports = {one["device_id"]: one["id"] for one in garden.user.get("/network/v2.0/ports").json()["ports"]}

    async def slow(doors: list[Door]) -> dict[str, str]:
        if any(door.port_id == ports[second] for door in doors):
            garden.cloud.advance(health.ASK_SECONDS)
            raise TimeoutError
        return await knock(doors)

    monkeypatch.setattr(duty, "knock", slow)
    monkeypatch.setattr(health, "KNOCKS", 1)
    duty.closed = {ports[first]: "no answer"}
    said = herd.rounds(6)
    assert "no answer" in said and second in herd.servers() and first not in herd.servers()


def test_the_silent_guests_of_one_project_delay_nobody_else() -> None:
    """Whom there was no time for comes first the next time; of a card that is asked two things each has its answer."""
    many = [Question("eve", HOST_ID, f"eve-{number:03}", 22) for number in range(130)]
    few = [Question("mia", HOST_ID, f"mia-{number}", 80) for number in range(3)]
    both = [*few, Question("mia", HOST_ID, "mia-0", 8080)]
    turns = Turns()
    parts = list(turns.parts([*many, *both], 64))
    assert set(few) < set(parts[0]) and sorted(one for part in parts for one in part) == sorted([*many, *both])
    assert all(len({one.asked for one in part}) == len(part) for part in parts)
    turns.note([*many, *both], dict.fromkeys(many, "no answer") | dict.fromkeys(both, ""))
    assert set(next(turns.parts([*many, *both], 64))) == set(few)
    waiting = Turns()
    for _ in range(3):
        next(waiting.parts(many, 50))
    assert set(waiting.tried) == set(many)


def test_a_check_that_nobody_ever_passed_replaces_nobody(garden: Project) -> None:
    """A port that no member opens is a mistake of the template, and so is one that no group lets in."""
    herd = Herd(garden, size=1, terms={"port": 80, "grace_period": 0})
    ports = garden.user.get("/network/v2.0/ports").json()["ports"]
    network(garden).closed = {one["id"]: "connection refused" for one in ports}
    before = herd.servers()
    assert herd.rounds(12) == "" and herd.servers() == before


def test_an_earlier_check_proves_nothing_of_another(garden: Project) -> None:
    """Who mistypes the port in an update loses no member, nor who asks an image for an agent that it has not."""
    herd = Herd(garden, size=2, terms={"port": 80, "grace_period": 0}, networks=[{"network": garden.network_id}])
    herd.rounds(1)
    before = herd.servers()
    update(garden.cloud, garden.user, herd.stack, herd.of({"port": 8080, "agent": True, "grace_period": 0}))
    duty = network(garden)
    duty.closed = {one["id"]: "refused" for one in garden.user.get("/network/v2.0/ports").json()["ports"]}
    assert herd.rounds(5) == "" and herd.servers() == before
    duty.closed = {}
    herd.rounds(1)
    duty.closed = {one["id"]: "refused" for one in garden.user.get("/network/v2.0/ports").json()["ports"]}
    assert "refused" in herd.rounds(3)


def test_a_host_or_cloud_that_stands_still_counts_against_no_member(garden: Project) -> None:
    herd = Herd(garden, size=1, terms={"port": 80, "grace_period": 0})
    herd.rounds(2)
    ports = garden.user.get("/network/v2.0/ports", params={"device_id": herd.servers()[0]}).json()["ports"]
    network(garden).closed = {ports[0]["id"]: "no answer"}
    assert herd.rounds(2) == ""
    garden.cloud.advance(300)
    assert herd.rounds(2) == "", "it is asked anew"
    assert "no answer" in herd.rounds(1)


def test_members_that_fail_again_and_again_are_replaced_ever_more_slowly(garden: Project) -> None:
    herd = Herd(garden, size=1)
    replaced = 0
    for _ in range(35):
        [now] = herd.servers()
        if garden.cloud.wait(garden.host.states()).get(now) == "running":
            fall(garden, now, "crashed")
        replaced += "its guest ended" in herd.rounds()
    assert 5 <= replaced <= 6, replaced


def test_a_replacement_that_fails_is_tried_again_and_the_count_comes_back(garden: Project) -> None:
    herd = Herd(garden, size=2)
    first, second = herd.servers()
    garden.user.delete(f"{V}/servers/{first}")
    garden.cloud.run_jobs()
    limit = {"quota_set": {"instances": 1}}
    garden.admin.put(f"{V}/os-quota-sets/{garden.user.project_id}", limit, 200)
    assert "it was deleted" in herd.rounds()
    assert herd.there() == {second}
    herd.rounds(2)
    garden.admin.put(f"{V}/os-quota-sets/{garden.user.project_id}", {"quota_set": {"instances": 10}}, 200)
    herd.rounds(30)
    assert len(herd.there()) == 2 and second in herd.there() and herd.there() == set(herd.servers())


def events(herd: Herd) -> list[str]:
    """What the stack's events say of its group."""
    found = herd.garden.user.get(orchestration.path(herd.garden.user, herd.stack, "/events")).json()["events"]
    return [one["resource_status_reason"] for one in found if one["resource_name"] == "herd"]


def test_why_a_member_cannot_be_replaced_stands_in_the_events_once(garden: Project) -> None:
    herd = Herd(garden, size=1)
    quota = f"{V}/os-quota-sets/{garden.user.project_id}"
    garden.user.delete(f"{V}/servers/{herd.servers()[0]}")
    garden.cloud.run_jobs()
    garden.admin.put(quota, {"quota_set": {"instances": 0}}, 200)
    herd.rounds(12)
    [why] = [one for one in events(herd) if "Failed members" in one]
    assert why.startswith("Failed members are not replaced: Resource UPDATE failed") and "Quota exceeded" in why
    garden.admin.put(quota, {"quota_set": {"instances": 10}}, 200)
    herd.rounds(30)
    assert len(herd.there()) == 1 and sum("Failed members" in one for one in events(herd)) == 1


def test_that_the_author_has_no_rights_any_more_stands_in_the_events_once(garden: Project) -> None:
    herd = Herd(garden, size=1)
    garden.user.delete(f"{V}/servers/{herd.servers()[0]}")
    garden.cloud.run_jobs()
    other = garden.cloud.new_user("ray", "garden")
    garden.admin.patch(f"/identity/v3/users/{garden.user.user_id}", {"user": {"enabled": False}}, 200)
    assert "are not replaced" in herd.rounds(2)
    garden.user = other
    [why] = [one for one in events(herd) if "Failed members" in one]
    assert "no rights in the project any more" in why


def test_a_signal_that_comes_while_failed_members_are_replaced_is_refused_and_not_lost(garden: Project) -> None:
    herd = Herd(garden, size=1)
    template = herd.of(True)
    policy = {
        "auto_scaling_group_id": {"get_resource": "herd"},
        "adjustment_type": "change_in_capacity",
        "scaling_adjustment": 1,
    }
    template["resources"]["more"] = {"type": "OS::Heat::ScalingPolicy", "properties": policy}
    herd.stack = update(garden.cloud, garden.user, herd.stack, template)
    garden.user.delete(f"{V}/servers/{herd.servers()[0]}")
    garden.cloud.run_jobs()
    garden.cloud.advance(ROUND)
    assert "replaced" in str(garden.cloud.wait(health.run(garden.cloud.core)))
    signal = orchestration.path(garden.user, herd.stack, "/resources/more/signal")
    refused = garden.user.post(signal, {}, 409).json()["error"]
    assert refused["type"] == "ActionInProgress" and "being replaced: signal again" in refused["message"]
    garden.cloud.run_jobs()
    garden.user.post(signal, {}, 200)
    garden.cloud.run_jobs()
    assert len(herd.there()) == 2


def test_a_suspended_stack_is_left_alone(garden: Project) -> None:
    herd = Herd(garden, size=1)
    garden.user.post(orchestration.path(garden.user, herd.stack, "/actions"), {"suspend": None}, 200)
    garden.cloud.run_jobs()
    before = herd.servers()
    garden.user.delete(f"{V}/servers/{before[0]}")
    garden.cloud.run_jobs()
    assert herd.rounds(3) == ""


def test_a_group_in_a_stack_is_left_alone_while_the_one_around_it_is_suspended_or_failed(garden: Project) -> None:
    herd = Herd(garden, size=1, terms=None)
    [before] = herd.servers()
    herd.rounds(1)
    files = {"inner.yaml": json.dumps(herd.of(True, 1))}
    around = orchestration.stack(garden.cloud, garden.user, hot({"inner": {"type": "inner.yaml"}}), "tree", files=files)
    assert around["stack_status"] == "CREATE_COMPLETE", around
    [mine] = herd.there() - {before}
    garden.user.delete(f"{V}/servers/{mine}")
    garden.cloud.run_jobs()

    def root_is(**values: str) -> None:
        with garden.cloud.core.db.write() as tx:
            stacks.change(tx, around["id"], **values)

    root_is(action="SUSPEND", status="IN_PROGRESS")
    assert herd.rounds(2) == ""
    root_is(action="UPDATE", status="FAILED")
    assert herd.rounds(1) == ""
    root_is(action="UPDATE", status="COMPLETE")
    assert "it was deleted" in herd.rounds(1) and len(herd.there()) == 2


@pytest.mark.parametrize(
    ("terms", "word"),
    [({"at_once": 0}, "at_once"), ({"port": 70000}, "port"), ({"grace": 1}, "grace"), ("yes", "object")],
)
def test_terms_that_cannot_be_read_are_refused(garden: Project, terms: Any, word: str) -> None:
    bed = {"type": "OS::Heat::None"}
    group = {
        "type": "OS::Heat::AutoScalingGroup",
        "metadata": {"replace_failed": terms},
        "properties": {"min_size": 1, "max_size": 1, "resource": bed},
    }
    shown = orchestration.stack(garden.cloud, garden.user, hot({"herd": group}))
    assert shown["stack_status"] == "CREATE_FAILED"
    assert "replace_failed" in shown["stack_status_reason"] and word in shown["stack_status_reason"]


def test_marking_a_member_unhealthy_replaces_it_with_the_next_update(garden: Project) -> None:
    herd = Herd(garden, terms=None)
    first, second, third = herd.servers()
    found = orchestration.resources(garden.user, herd.stack, nested_depth=1)
    name = next(key for key, one in found.items() if one["physical_resource_id"] == second)
    inner = next(link["href"] for link in found[name]["links"] if link["rel"] == "stack")
    path = inner[inner.index("/orchestration") :] + f"/resources/{name}"
    garden.user.patch(path, {"mark_unhealthy": True, "resource_status_reason": "it smells"}, 200)
    assert herd.servers() == [first, second, third]
    garden.user.patch(orchestration.path(garden.user, herd.stack), {}, 202)
    garden.cloud.run_jobs()
    after = herd.servers()
    assert (after[0], after[2]) == (first, third) and after[1] != second


def test_a_restarter_puts_another_server_in_the_place_of_one(garden: Project) -> None:
    """OS::Heat::HARestarter, which Heat hides as deprecated."""
    server = {
        "type": "OS::Nova::Server",
        "properties": {
            "flavor": garden.flavor_id,
            "image": garden.image_id,
            "networks": [{"network": garden.network_id}],
        },
    }
    restarter = {"type": "OS::Heat::HARestarter", "properties": {"InstanceID": {"get_resource": "web"}}}
    told = {
        "url": {"value": {"get_attr": ["again", "AlarmUrl"]}},
        "id": {"value": {"get_resource": "web"}},
    }
    shown = orchestration.stack(garden.cloud, garden.user, hot({"web": server, "again": restarter}, outputs=told))
    before = outputs(shown)
    path = before["url"][before["url"].index("/orchestration") :]
    assert garden.cloud.call("POST", path, json={"state": "ok"}).status_code == 200
    garden.cloud.run_jobs()
    assert outputs(show(garden.user, "rose", shown["id"]))["id"] == before["id"]
    assert garden.cloud.call("POST", path, json={}).status_code == 200
    garden.cloud.run_jobs()
    found = show(garden.user, "rose", shown["id"])
    assert found["stack_status"] == "UPDATE_COMPLETE", found
    assert outputs(found)["id"] != before["id"] and len(garden.user.get(f"{V}/servers").json()["servers"]) == 1
    assert (
        "OS::Heat::HARestarter"
        not in garden.user.get(orchestration.at(garden.user, "/resource_types")).json()["resource_types"]
    )
