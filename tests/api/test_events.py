"""What changes is told, in order, to those whose matter it is and to nobody else."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tane.app import SERVICES
from tane.db import metadata
from tane.db.recording import Part
from tane.services.event.domain import following
from tane.services.event.domain.following import Wish
from tane.services.event.store import events
from tane.shares import Full
from tane.web.context import Context
from tests.api.compute_support import make_flavor
from tests.api.network_support import public
from tests.resources import OLD_NAMES, one_of_each
from tests.support import ApiCloud, Caller
from tests.test_isolation import OWNED, ROUTES, ask

E = "/events"
N = "/network/v2.0/networks"

UNTOLD = {
    "alarm_change": "what the changes of alarms tell",
    "alarm_cursor": "up to which event alarms were looked at",
    "allocation": "what hosts give to servers: the server's own changes tell it",
    "allocation_total": "the sums of these",
    "audit_event": "identity's own record of what happened",
    "console_token": "a secret that is handed out",
    "dashboard_session": "who is logged in to the portal: a secret of the browser's",
    "event": "the events themselves",
    "host_authority": "keys of the cloud's own",
    "host_certificate": "what a host shows: its own changes tell of it",
    "host_token": "a secret that is handed out",
    "fernet_key": "keys, which the cloud turns over by itself",
    "identity_generation": "what processes learn from that others changed something",
    "image_cache": "copies that come and go by use",
    "image_former": "what a deleted image was",
    "job": "work in hand: its steps change resources",
    "job_event": "work in hand",
    "job_history": "work that is done",
    "lease": "which process does what",
    "network_change": "what hosts have still to apply",
    "network_gateway": "which host a router is on",
    "network_host": "what hosts have applied",
    "network_interest": "what hosts have to apply",
    "network_revision": "what hosts have to apply",
    "oauth_nonce": "numbers used once",
    "port_binding": "where a port will be: its own change tells it",
    "rating_fact": "what events tell, written down for bills",
    "rating_name": "what events tell, written down for bills",
    "rating_position": "up to which event that is written down",
    "provider": "what administrators say to the scheduler of hosts",
    "revoked_token": "tokens are no resources",
    "resource_class": "names of the administrators' own",
    "stack_event": "what the changes of stacks and their resources tell",
    "stack_files": "files of templates, kept once for all stacks of a project",
    "trait": "names of the administrators' own",
    "user_old_password": "digests that may not come again",
}
"""Tables whose changes are nobody's to follow, and why."""

SILENT = {
    "os-getConsoleOutput",
    "os-getVNCConsole",
    "os-getSPICEConsole",
    "remote-consoles",
    "os-instance_usage_audit_log",
    "os-initialize_connection",
    "os-terminate_connection",
    "os-show_image_metadata",
    "preview",
}
"""Calls that ask and change nothing, though they are no GET."""

ALREADY = {
    "os-roll_detaching",
    "os-complete",
    "/v2.1/images/{image_id}/metadata",
    "/v1/{project_id}/stacks/{stack_name}/{stack_id}/resources/{resource_name}",
}
"""Calls that find here what they would make: the volume is not being detached, is attached, has these metadata; the
resource of a stack is well."""


def feed(who: Caller, cursor: str = "0", **query: Any) -> tuple[list[dict[str, Any]], str]:
    """All events after ``cursor``, and the cursor after them."""
    told: list[dict[str, Any]] = []
    while True:
        answer = who.get(E, params={"cursor": cursor, **query}).json()
        told += answer["events"]
        if answer["cursor"] == cursor:
            return told, cursor
        cursor = answer["cursor"]


def test_every_table_is_told_of_or_is_nobodys_to_follow() -> None:
    recorded = [one for service in SERVICES for one in service.events]
    told = {one.table.name for one in recorded}
    assert told | set(UNTOLD) == set(metadata.tables) and not told & set(UNTOLD)
    types = [one.type for one in recorded if not isinstance(one, Part)]
    assert len(types) == len(set(types))


def test_no_event_carries_a_secret() -> None:
    shown = {
        (one.table.name, name)
        for service in SERVICES
        for one in service.events
        if not isinstance(one, Part)
        for name in one.shows
    }
    words = ("password", "secret", "hash", "blob", "token", "key", "verifier", "user_data", "admin_pass", "metadata")
    assert not [pair for pair in shown if any(word in pair[1] for word in words)]


@pytest.mark.postgresql_by_night
def test_every_change_of_a_projects_things_is_told_to_the_project_and_to_nobody_else(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    flavor_id, external_id = make_flavor(cloud.admin), public(cloud)
    (_, cursor), (_, bobs) = feed(mia), feed(bob)
    ids = one_of_each(cloud, mia, name="rose", flavor_id=flavor_id, external_id=external_id)
    told, cursor = feed(mia, cursor)
    made = {event["resource_id"] for event in told if event["type"].endswith(".create")}
    assert not {kind: ids[kind] for kind in OWNED if kind not in OLD_NAMES and ids[kind] not in made}
    untold, changed = [], 0
    # What deletes comes last.
    for service, route in sorted(ROUTES, key=lambda found: found[1].method == "DELETE"):
        if route.method in ("GET", "HEAD"):
            continue
        answer = ask(cloud, mia, service, route, {**ids, "v3": mia.project_id, "v1": mia.project_id})
        cloud.run_jobs()
        fresh, cursor = feed(mia, cursor)
        told += fresh
        silent = (SILENT | ALREADY) & {route.action, route.path, *route.path.split("/")}
        if answer.status_code < 300 and not silent:
            changed += 1
            if not fresh:
                untold.append(f"{route.method} {service.prefix}{route.path} {route.action or ''}: {answer.text[:100]}")
    assert not untold, "\n".join(untold)
    assert changed > 40
    numbers = [event["id"] for event in told]
    assert numbers == sorted(set(numbers))
    assert {event["project_id"] for event in told} <= {mia.project_id, None}
    others, _ = feed(bob, bobs)
    assert not [event for event in others if event["project_id"] != bob.project_id], others
    assert feed(mia, all_projects="0")[0][-len(told) :] == told


def test_who_asked_is_told_also_of_what_a_job_does_later(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    _, cursor = feed(mia)
    bob = cloud.new_user("bob", "shed")
    answer = mia.post(f"/volume/v3/{mia.project_id}/volumes", {"volume": {"size": 1, "name": "rose"}}, 202)
    bob.get(E)
    cloud.run_jobs()
    told, _ = feed(mia, cursor, type="volume.volume")
    assert told[0]["type"] == "volume.volume.create" and told[-1]["type"] == "volume.volume.update"
    shown = {"name": "rose", "status": "available", "size": 1, "user_id": mia.user_id}
    assert shown.items() <= told[-1]["data"].items() and "volume_type_id" in told[-1]["data"]
    request_id = answer.headers["x-openstack-request-id"]
    assert {(event["user_id"], event["request_id"]) for event in told} == {(mia.user_id, request_id)}


def test_what_is_known_by_a_number_or_a_name_is_told_by_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    number = admin.post("/compute/v2.1/os-aggregates", {"aggregate": {"name": "fast"}}, 200).json()["aggregate"]["id"]
    admin.post("/image/v2/metadefs/namespaces", {"namespace": "OS::Own"}, 201)
    admin.post("/image/v2/metadefs/namespaces/OS::Own/objects", {"name": "thing"}, 201)
    told, _ = feed(admin, all_projects="1", type=["compute.aggregate", "image.metadef_namespace"])
    assert [(event["type"], event["resource_id"]) for event in told] == [
        ("compute.aggregate.create", str(number)),
        ("image.metadef_namespace.create", "OS::Own"),
        ("image.metadef_namespace.update", "OS::Own"),
    ]


def test_several_rows_of_one_change_are_one_event(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    net = mia.post(N, {"network": {"name": "bed"}}, 201).json()["network"]["id"]
    subnet = {"network_id": net, "ip_version": 4, "cidr": "10.1.0.0/24"}
    mia.post("/network/v2.0/subnets", {"subnet": subnet}, 201)
    _, cursor = feed(mia)
    port = mia.post("/network/v2.0/ports", {"port": {"network_id": net}}, 201).json()["port"]
    told, cursor = feed(mia, cursor, resource_id=port["id"])
    assert [event["type"] for event in told] == ["network.port.create"]
    mia.put(f"/network/v2.0/ports/{port['id']}", {"port": {"security_groups": []}}, 200)
    assert [event["type"] for event in feed(mia, cursor, type="network.port")[0]] == ["network.port.update"]


def test_all_that_one_request_changes_of_a_port_is_one_event(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    network_id = mia.post(N, {"network": {"name": "beds"}}, 201).json()["network"]["id"]
    range_ = {"network_id": network_id, "ip_version": 4, "cidr": "10.9.0.0/24"}
    mia.post("/network/v2.0/subnets", {"subnet": range_}, 201)
    ports = "/network/v2.0/ports"
    port_id = mia.post(ports, {"port": {"network_id": network_id, "name": "p"}}, 201).json()["port"]["id"]
    _, cursor = feed(mia)
    change = {"name": "q", "security_groups": [], "fixed_ips": [{"ip_address": "10.9.0.77"}], "admin_state_up": False}
    mia.put(f"{ports}/{port_id}", {"port": change}, 200)
    told, _ = feed(mia, cursor)
    assert [(event["type"], event["data"]["name"]) for event in told] == [("network.port.update", "q")]


def test_a_refused_change_and_one_that_changes_nothing_are_not_told(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    net = mia.post(N, {"network": {"name": "bed"}}, 201).json()["network"]["id"]
    _, cursor = feed(mia)
    mia.put(f"{N}/{net}", {"network": {"mtu": 9}}, 400)
    mia.put(f"{N}/{net}", {"network": {"router:external": True}}, 403)
    assert feed(mia, cursor)[0] == []


def test_only_administrators_follow_the_whole_cloud(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    assert "event:index:all_projects" in mia.get(E, 403, params={"all_projects": "1"}).text
    net = mia.post(N, {"network": {"name": "bed"}}, 201).json()["network"]["id"]
    admin = cloud.admin
    assert net not in admin.get(E).text
    told, _ = feed(admin, all_projects="1")
    assert net in [event["resource_id"] for event in told]
    assert {"identity.user.create", "identity.role_assignment.create"} <= {event["type"] for event in told}


def test_what_a_user_made_for_itself_is_told_to_that_user_alone(cloud: ApiCloud) -> None:
    mia, ron = cloud.new_user("mia", "garden"), cloud.new_user("ron", "garden")
    mia.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "mias"}}, 200)
    assert "compute.keypair.create" in [event["type"] for event in feed(mia)[0]]
    assert "compute.keypair" not in ron.get(E).text


def test_a_delegation_does_not_tell_what_its_user_made_for_itself(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    path = f"/identity/v3/users/{mia.user_id}/application_credentials"
    made = mia.post(path, {"application_credential": {"name": "robot"}}, 201).json()["application_credential"]
    proof = {"id": made["id"], "secret": made["secret"]}
    identity = {"methods": ["application_credential"], "application_credential": proof}
    answer = cloud.call("POST", "/identity/v3/auth/tokens", json={"auth": {"identity": identity}})
    robot = Caller(cloud, answer.headers["x-subject-token"], mia.project_id, mia.user_id)
    net = mia.post(N, {"network": {"name": "bed"}}, 201).json()["network"]["id"]
    text = robot.get(E).text
    assert net in text and made["id"] not in text and made["id"] in mia.get(E).text


@pytest.mark.postgresql_by_night
@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "-1"},
        {"cursor": "one"},
        {"cursor": "9" * 30},
        {"limit": "0"},
        {"type": "compute"},
        {"type": "compute.server.update.more"},
        {"type": "compute.server'--"},
        {"type": ["compute.server"] * 21},
        {"all_projects": "perhaps"},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(cloud: ApiCloud, query: dict[str, Any]) -> None:
    cloud.new_user("mia", "garden").get(E, 400, params=query)


def test_without_a_token_nothing_is_told(cloud: ApiCloud) -> None:
    assert cloud.call("GET", E).status_code == 401


def test_old_events_are_forgotten_and_a_cursor_still_holds(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    mia.post(N, {"network": {"name": "old"}}, 201)
    _, cursor = feed(mia)
    cloud.advance(8 * 24 * 3600)
    assert following.forget_old(cloud.core) > 0
    mia = cloud.login("mia", "mia-secret", "garden")
    # The newest one stays, so that no number is given twice.
    assert len(feed(cloud.admin, all_projects="1")[0]) == 1
    new = mia.post(N, {"network": {"name": "new"}}, 201).json()["network"]["id"]
    assert new in [event["resource_id"] for event in feed(mia, cursor)[0]]


def test_what_matches_nothing_does_not_walk_through_everything(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOKED_AT", 3)
    mia = cloud.new_user("mia", "garden")
    ids = [mia.post(N, {"network": {"name": f"bed {n}"}}, 201).json()["network"]["id"] for n in range(10)]
    first = mia.get(E, params={"type": "volume.volume"}).json()
    assert first["events"] == [] and int(first["cursor"]) > 0
    told, _ = feed(mia, resource_id=ids[9])
    assert [event["type"] for event in told] == ["network.network.create"]
    assert [event["resource_id"] for event in feed(mia, type="network.network.create")[0]] == ids
    everything, _ = feed(cloud.admin, all_projects="1")
    assert set(ids) <= {event["resource_id"] for event in everything}


def test_one_project_does_not_push_out_what_is_kept_of_others(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "KEPT_OF_ONE", 5)
    monkeypatch.setattr(following, "AT_A_TIME", 2)
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    bobs = bob.post(N, {"network": {"name": "his"}}, 201).json()["network"]["id"]
    ids = [mia.post(N, {"network": {"name": f"bed {n}"}}, 201).json()["network"]["id"] for n in range(9)]
    assert following.forget_old(cloud.core) > 0
    assert [event["resource_id"] for event in feed(mia, type="network.network")[0]] == ids[-5:]
    assert bobs in bob.get(E).text


def context(who: Caller, *roles: str) -> Context:
    return Context("req-1", user_id=who.user_id, project_id=who.project_id, token=who.token, roles=roles)


def test_who_follows_is_told_as_it_happens_until_the_token_ends(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.05)
    mia = cloud.new_user("mia", "garden")
    wish = Wish(everything=False, types=("network.network",), resource_id="")

    async def listen() -> list[str]:
        heard: list[str] = []
        async for rows in following.follow(cloud.core, context(mia, "reader"), wish, following.newest(cloud.core)):
            heard += [f"{row.type}.{row.action}" for row in rows]
            if not heard:
                # From now on somebody listens.
                await asyncio.to_thread(change)
            elif "network.network.delete" in heard:
                await asyncio.to_thread(end)
        return heard

    def change() -> None:
        with cloud.core.db.write() as tx:
            tx.execute(networks.insert().values(**{**row, "id": "n1", "name": "bed"}))
        with cloud.core.db.write() as tx:
            tx.execute(networks.delete().where(networks.c.id == "n1"))

    def end() -> None:
        cloud.core.memory.clear()
        with cloud.core.db.write() as tx:
            users = metadata.tables["user"]
            tx.execute(users.update().where(users.c.id == mia.user_id).values(enabled=False, token_epoch=99))
            generation = metadata.tables["identity_generation"]
            tx.execute(generation.update().values(number=generation.c.number + 1))

    networks = metadata.tables["network"]
    net = mia.post(N, {"network": {"name": "like"}}, 201).json()["network"]["id"]
    with cloud.core.db.read() as tx:
        [like] = tx.all(networks.select().where(networks.c.id == net))
    row = {**like._mapping, "segment_id": 4000}

    heard = cloud.wait(asyncio.wait_for(listen(), 10))
    assert heard == ["network.network.create", "network.network.delete"]


def test_neither_a_project_nor_a_domain_takes_all_streams(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "STREAMS_OF_DOMAIN", following.STREAMS_OF_ONE + 1)
    admin = cloud.admin
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    wish = Wish(everything=False, types=(), resource_id="")

    async def crowd() -> None:
        async with contextlib.AsyncExitStack() as open_streams:
            for _ in range(following.STREAMS_OF_ONE):
                stream = following.follow(cloud.core, context(mia), wish, 0)
                await anext(stream)
                open_streams.push_async_callback(stream.aclose)
            with pytest.raises(Full):
                await anext(following.follow(cloud.core, context(mia), wish, 0))
            other = following.follow(cloud.core, context(bob), wish, 0)
            await anext(other)
            with pytest.raises(Full):
                await anext(following.follow(cloud.core, context(bob), wish, 0))
            admins = following.follow(cloud.core, context(admin, "admin"), wish, 0)
            await anext(admins)
            await admins.aclose()
            await other.aclose()
        again = following.follow(cloud.core, context(mia), wish, 0)
        await anext(again)
        await again.aclose()

    cloud.wait(crowd())
