"""Hosts that join: what an administrator and an agent see, and whom the cloud does not let in."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
import struct
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tane.agent import cloud as agent_cloud
from tane.agent.images import ImageCache
from tane.hosts import HostUnreachable, listener, registry
from tane.hosts import store as host_store
from tane.services.compute.reconcilers import power
from tane.wire import frames, lines
from tane.wire.documents import ImageRef
from tane.wire.errors import HostError, Refused
from tane.wire.frames import HELLO
from tane.wire.joining import JoinToken, greeting
from tane.wire.joining import token as parse
from tests.api.compute_support import Project, V, project
from tests.joined import Agent, api, listening, new_token
from tests.services.network.following import until
from tests.support import HOST_ID, ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


@pytest.fixture
def beta(tmp_path: Path) -> Agent:
    return Agent(tmp_path / "beta", "beta")


def test_servers_run_on_a_host_that_joined(garden: Project, beta: Agent) -> None:
    cloud = garden.cloud

    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud, name="beta"))
            async with beta.connected():
                await api(cloud, "PUT", "/hosts/host-1", json={"host": {"enabled": False}})
                await _server(garden, "far")
                shown = (await api(cloud, "GET", f"{V}/servers/detail?all_tenants=1")).json()["servers"]
                assert [(found["name"], found["status"]) for found in shown] == [("far", "ACTIVE")]
                assert shown[0]["OS-EXT-SRV-ATTR:host"] == "beta"
                assert await beta.compute.states() == {shown[0]["id"]: "running"}
                assert cloud.core.hosts.agent(beta.host_id).distant
                # What it says of others takes no turn at what is written, and it says one thing at a time.
                written, before = [], cloud.core.db.before_write
                cloud.core.db.before_write = lambda: written.append(1)
                await asyncio.gather(*(beta.cloud.guest_changed(str(uuid.uuid4()), "crashed") for _ in range(5)))
                cloud.core.db.before_write = before
                assert written == []
                # What the host says by itself is believed of its own guests.
                await beta.cloud.guest_changed(shown[0]["id"], "stopped")
                await _until(cloud, f"{V}/servers/{shown[0]['id']}", "server", "status", "SHUTOFF")
            with pytest.raises(HostUnreachable):
                cloud.core.hosts.agent(beta.host_id)
            async with beta.connected():
                assert cloud.core.hosts.agent(beta.host_id).name == "beta"

    cloud.wait(work())


async def _server(garden: Project, name: str) -> None:
    headers = {"X-Auth-Token": garden.user.token}
    made = await garden.cloud._client.post(f"{V}/servers", json=garden.body(name), headers=headers)
    assert made.status_code == 202, made.text
    await garden.cloud._run_jobs()


async def _until(cloud: ApiCloud, path: str, kind: str, field: str, wanted: str) -> None:
    end = time.monotonic() + 60
    while (await api(cloud, "GET", path)).json()[kind][field] != wanted:
        assert time.monotonic() < end, f"{field} is never {wanted}"
        await asyncio.sleep(0.01)


def test_a_host_gets_images_and_metadata_of_its_own_servers_alone(garden: Project, beta: Agent, tmp_path: Path) -> None:
    cloud = garden.cloud
    near = garden.server("near")
    port = garden.user.get(f"/network/v2.0/ports?device_id={near}").json()["ports"][0]["id"]
    shown = garden.user.get(f"/image/v2/images/{garden.image_id}").json()

    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            async with beta.connected():
                image = ImageRef(
                    id=garden.image_id, digest=shown["os_hash_value"], disk_format="raw", size_bytes=shown["size"]
                )
                fetched = b"".join([data async for data in beta.images.stream(image)])
                assert len(fetched) == shown["size"]
                gone = ImageRef(id="no-such-image", digest="0" * 64, disk_format="raw", size_bytes=1)
                with pytest.raises(HostError):
                    await ImageCache(tmp_path / "cache", beta.images).file(gone)
                status, _, _ = await beta.cloud.metadata(port, "/openstack/latest/meta_data.json", {})
                assert status == 404
                await beta.cloud.guest_changed(near, "stopped")

    cloud.wait(work())
    assert garden.show(near)["status"] == "ACTIVE"
    status, _, _ = cloud.wait(_metadata(cloud, port))
    assert status == 200


async def _metadata(cloud: ApiCloud, port: str) -> Any:
    from tane.services.compute import interface

    return await interface.metadata(cloud.core, HOST_ID, port, "/openstack/latest/meta_data.json", {})


def test_what_streams_from_a_host_comes_over_connections_of_its_own(garden: Project, beta: Agent) -> None:
    cloud = garden.cloud

    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            async with beta.connected():
                here, absent = str(uuid.uuid4()), str(uuid.uuid4())
                await beta.volume.create(here, 1 << 20)
                volume = cloud.core.hosts.volume(beta.host_id)
                content = b"".join([data async for data in volume.upload(here, "raw")])
                assert here.encode() in content
                with pytest.raises(HostError, match=absent):
                    async for _ in volume.upload(absent, "raw"):
                        pass
                with pytest.raises(HostError):
                    await cloud.core.hosts.compute(beta.host_id).screen(absent)

    cloud.wait(work())


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("a name the token is not for", {"name": "alpha"}, {}, "named alpha"),
    ("a role the token is not for", {"roles": ["network"]}, {}, "not for the role compute, volume"),
    ("a name that is taken", {}, {"name": "host-1"}, "a host named host-1 already"),
    ("of another kind", {}, {"simulated": False}, "a real host does not join"),
]


@pytest.mark.parametrize(("wanted", "agent", "reason"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_a_host_is_refused_with_the_reason(
    cloud: ApiCloud, tmp_path: Path, wanted: dict[str, Any], agent: dict[str, Any], reason: str
) -> None:
    async def work() -> None:
        async with listening(cloud):
            asking = Agent(tmp_path / "asking", **{"name": "beta", **agent})
            with pytest.raises(Refused, match=reason):
                await asking.join(await new_token(cloud, **wanted))
            assert asking.files.read() is None
            assert len((await api(cloud, "GET", "/hosts")).json()["hosts"]) == 1

    cloud.wait(work())


def test_a_token_is_good_for_one_host_and_for_its_time(cloud: ApiCloud, tmp_path: Path) -> None:
    one, two = Agent(tmp_path / "one", "one"), Agent(tmp_path / "two", "two")

    async def work() -> None:
        async with listening(cloud):
            token = await new_token(cloud, hours=1)
            await one.join(token)
            # Its answer may have been lost: the same key asks again.
            key = one.files.shown.read_bytes().partition(b"-----END CERTIFICATE-----\n")[2]
            (one.folder / "tls" / "joining.pem").write_bytes(key)
            await one.join(token)
            for other in (two, Agent(tmp_path / "thief", "one", one.host_id)):
                with pytest.raises(Refused, match="used by another host"):
                    await other.join(token)
            late = await new_token(cloud, hours=1)
            cloud.advance(3601)
            with pytest.raises(Refused, match="unknown or expired"):
                await two.join(late)
            back = await new_token(cloud)
            listed = (await api(cloud, "GET", "/hosts/tokens")).json()["tokens"]
            assert len(listed) == 1
            assert "secret" not in str(listed)
            assert (await api(cloud, "DELETE", f"/hosts/tokens/{listed[0]['id']}")).status_code == 204
            with pytest.raises(Refused, match="unknown or expired"):
                await two.join(back)
            with pytest.raises(Refused, match="unknown or expired"):
                await two.join(_altered(await new_token(cloud), secret="0" * 64))

    cloud.wait(work())


def _altered(text: str, **values: Any) -> str:
    known = parse(text)
    fields = {name: getattr(known, name) for name in known.__struct_fields__}
    return JoinToken(**{**fields, **values}).text()


def test_an_agent_tells_its_secret_to_no_other_cloud(cloud: ApiCloud, beta: Agent) -> None:
    async def work() -> None:
        async with listening(cloud):
            token = await new_token(cloud)
            with pytest.raises(Refused, match="not the cloud the token is of"):
                await beta.join(_altered(token, pin="0" * 64))
            # Nothing was used.
            await beta.join(token)

    cloud.wait(work())


def test_a_clock_that_is_wrong_is_told_before_anything_is_done(
    cloud: ApiCloud, beta: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_cloud, "time", SimpleNamespace(time=lambda: time.time() - 3600))

    async def work() -> None:
        async with listening(cloud):
            with pytest.raises(Refused, match=r"clock is 3[56]..? s behind the cloud's"):
                await beta.join(await new_token(cloud))

    cloud.wait(work())


def test_a_removed_host_is_cut_off_and_not_let_in_again(cloud: ApiCloud, beta: Agent) -> None:
    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            async with beta.connected() as line:
                assert (await api(cloud, "GET", "/hosts/beta")).json()["host"]["connected"]
                assert (await api(cloud, "DELETE", "/hosts/beta")).status_code == 204
                end = time.monotonic() + 30
                while line.connected.is_set():
                    assert time.monotonic() < end, "the line of a removed host stays"
                    await asyncio.sleep(0.01)
            with pytest.raises(Refused, match="was removed"):
                async with beta.connected():
                    pass
            assert (await api(cloud, "GET", "/hosts/beta")).status_code == 404
            assert (await api(cloud, "DELETE", "/hosts/host-1")).status_code == 409

    cloud.wait(work())


def test_a_host_with_servers_is_not_removed_and_does_not_leave(garden: Project, beta: Agent) -> None:
    cloud = garden.cloud

    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            async with beta.connected():
                await api(cloud, "PUT", "/hosts/host-1", json={"host": {"enabled": False}})
                await _server(garden, "far")
                answer = await api(cloud, "DELETE", "/hosts/beta")
                assert answer.status_code == 409
                assert "has 1 servers and 0 volumes" in answer.text
            member = beta.files.read()
            assert member is not None
            with pytest.raises(Refused, match="has 1 servers"):
                await agent_cloud.leave(beta.files, member)

    cloud.wait(work())


def test_a_host_without_servers_leaves(cloud: ApiCloud, beta: Agent) -> None:
    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            async with beta.connected():
                member = beta.files.read()
                assert member is not None
                await agent_cloud.leave(beta.files, member)
            assert (await api(cloud, "GET", "/hosts/beta")).status_code == 404

    cloud.wait(work())


def test_a_copied_host_does_not_take_the_others_place(cloud: ApiCloud, beta: Agent) -> None:
    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            async with beta.connected():
                copy = Agent(beta.folder, "beta", beta.host_id)
                with pytest.raises(Refused, match="copy of another host"):
                    async with copy.connected():
                        pass
                assert await cloud.core.hosts.compute(beta.host_id).states() == {}

    cloud.wait(work())


def test_a_host_that_hangs_makes_room_for_itself(cloud: ApiCloud, beta: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "ALIVE_SECONDS", 0.2)

    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            member = beta.files.read()
            assert member is not None
            silent = await agent_cloud.dial(beta.files, member, "line", facts=beta.facts())
            await frames.read(silent.reader)
            async with beta.connected():
                assert await cloud.core.hosts.compute(beta.host_id).states() == {}
            silent.writer.transport.abort()

    cloud.wait(work())


def test_calls_on_the_way_fail_when_the_line_breaks(cloud: ApiCloud, beta: Agent) -> None:
    hanging = asyncio.Event()

    async def states() -> dict[str, Any]:
        hanging.set()
        await asyncio.Event().wait()
        return {}

    beta.compute.states = states  # type: ignore[method-assign]

    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            async with beta.connected():
                asked = asyncio.create_task(_states(cloud, beta.host_id))
                await hanging.wait()
            with pytest.raises(HostError) as broken:
                await asked
            assert broken.value.transient

    cloud.wait(work())


def test_a_host_that_stays_away_is_told_of_in_seconds(
    cloud: ApiCloud, beta: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "LOST_SECONDS", 0.05)

    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            with cloud.core.db.signals.subscribe(registry.LOST) as wake:
                async with beta.connected():
                    assert not await wake.wait(0.1)
                assert await wake.wait(10)

    cloud.wait(work())


async def _states(cloud: ApiCloud, host_id: str) -> Any:
    return await cloud.core.hosts.compute(host_id).states()


STRANGERS: list[tuple[str, bytes]] = [
    ("a line without a certificate", greeting("line")),
    ("a call without a certificate", greeting("call")),
    ("a connection nobody asked for", greeting("opened", key="0" * 32)),
    ("leaving without a certificate", greeting("leave")),
    ("a join without a token", greeting("join")),
    ("no greeting", b"GET / HTTP/1.1\r\n"),
    ("an unknown purpose", b'{"protocol":1,"purpose":"root"}'),
    ("another protocol", b'{"protocol":7,"purpose":"authority"}'),
]


@pytest.mark.parametrize("said", [case[1] for case in STRANGERS], ids=[case[0] for case in STRANGERS])
def test_a_stranger_gets_nothing_but_a_reason(cloud: ApiCloud, said: bytes) -> None:
    async def work() -> None:
        async with listening(cloud) as door:
            await door.open()
            async with _stranger(door.port) as (reader, writer):
                await frames.write(writer, HELLO, said)
                frame = await frames.read(reader)
                assert frame.kind == frames.FAILURE
                assert await reader.read() == b""

    cloud.wait(work())


@contextlib.asynccontextmanager
async def _stranger(port: int) -> Any:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def test_a_stranger_who_says_too_much_is_cut_off(cloud: ApiCloud) -> None:
    async def work() -> None:
        async with listening(cloud) as door:
            await door.open()
            async with _stranger(door.port) as (reader, writer):
                writer.write(b"\xff\xff\xff\xff\x00")
                assert await reader.read() == b""

    cloud.wait(work())


def test_a_stranger_who_says_nothing_is_cut_off_and_keeps_no_host_away(
    cloud: ApiCloud, beta: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "STRANGERS_OF_ADDRESS", 4)

    async def work() -> None:
        async with listening(cloud) as door:
            await beta.join(await new_token(cloud))
            async with contextlib.AsyncExitStack() as held:
                silent = [await held.enter_async_context(_stranger(door.port)) for _ in range(4)]
                async with beta.connected():
                    assert await cloud.core.hosts.compute(beta.host_id).states() == {}
                    # The oldest made room for the host, until that had shown its certificate.
                    assert await silent[0][0].read() == b""
                assert door._strangers.count == 3
            await until(lambda: not door._strangers.count, "they are forgotten when they are gone")
            monkeypatch.setattr(listener, "HELLO_SECONDS", 0.1)
            async with _stranger(door.port) as (reader, _):
                assert await reader.read() == b""

    cloud.wait(work())


def test_a_removed_host_does_not_come_back_by_its_token(cloud: ApiCloud, beta: Agent) -> None:
    async def work() -> None:
        async with listening(cloud):
            token = await new_token(cloud)
            await beta.join(token)
            await api(cloud, "DELETE", "/hosts/beta")
            with pytest.raises(Refused, match="unknown or expired"):
                await beta.join(token)

    cloud.wait(work())


def test_a_host_whose_certificate_ended_joins_anew_and_is_the_same(
    cloud: ApiCloud, beta: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            cloud.advance(31 * 86400)
            monkeypatch.setattr(agent_cloud, "_ended", lambda shown: True)
            member = beta.files.read()
            assert member is not None
            with pytest.raises(HostError, match="join --again"):
                await agent_cloud.dial(beta.files, member, "line", facts=beta.facts())
            monkeypatch.setattr(agent_cloud, "_ended", lambda shown: False)
            with pytest.raises(Refused, match="tane host token --name beta"):
                await beta.join(await new_token(cloud))
            await beta.join(await new_token(cloud, name="beta"))
            async with beta.connected():
                assert cloud.core.hosts.agent(beta.host_id).name == "beta"

    cloud.wait(work())


@pytest.mark.parametrize("local_ip", ["::::", "127.0.0.1", "224.0.0.1", "0.0.0.0", "fe80::1"])
def test_an_address_that_no_other_host_reaches_is_refused(cloud: ApiCloud, beta: Agent, local_ip: str) -> None:
    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            beta.local_ip = local_ip
            with pytest.raises(Refused, match="local_ip"):
                async with beta.connected():
                    pass

    cloud.wait(work())


def ranges_kept(cloud: ApiCloud, host: Agent, *ranges: str) -> list[str]:
    """What the cloud keeps of the ranges that a host says it has."""
    host.ranges = ranges

    async def work() -> list[str]:
        async with listening(cloud):
            await host.join(await new_token(cloud))
            async with host.connected():
                with cloud.core.db.read() as tx:
                    row = host_store.get(tx, host.host_id)
                assert row is not None
                return [taken["cidr"] for taken in row.capabilities["ranges"]]

    found: list[str] = cloud.wait(work())
    return found


def test_ranges_that_no_machine_has_are_left_out(cloud: ApiCloud, beta: Agent) -> None:
    assert ranges_kept(cloud, beta, "1:2/999", "0.0.0.0/0", "192.0.2.0/24") == ["192.0.2.0/24"]


def test_the_whole_internet_in_pieces_is_no_range_of_a_machine_either(cloud: ApiCloud, beta: Agent) -> None:
    pieces = [f"{number}.0.0.0/8" for number in range(1, 224)]
    kept = ranges_kept(cloud, beta, *pieces, "192.0.2.0/24", "10.1.0.0/16", "172.17.0.0/16")
    public = [one for one in map(ipaddress.ip_network, kept) if one.is_global]
    assert sum(one.num_addresses for one in public) <= 1 << 24
    assert {"192.0.2.0/24", "10.0.0.0/8", "10.1.0.0/16", "172.17.0.0/16"} <= {*kept}


@pytest.mark.parametrize("name", ["", "tokens", "a b", HOST_ID, "x" * 300])
def test_a_name_that_could_be_taken_for_something_else_is_refused(cloud: ApiCloud, tmp_path: Path, name: str) -> None:
    async def work() -> None:
        async with listening(cloud):
            with pytest.raises(HostError, match="no greeting"):
                await Agent(tmp_path / "odd", name).join(await new_token(cloud))

    cloud.wait(work())


def test_what_one_host_makes_of_a_question_concerns_no_other(cloud: ApiCloud, beta: Agent) -> None:
    async def states() -> Any:
        return {"not an id": 7}

    beta.compute.states = states  # type: ignore[method-assign]

    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            async with beta.connected():
                told = await power.run(cloud.core)
                assert told is not None and "beta: what the host answered cannot be read" in told
                assert "host-1:" not in told

    cloud.wait(work())


def test_a_frame_that_is_too_large_for_a_host_ends_its_line(cloud: ApiCloud, beta: Agent) -> None:
    async def work() -> None:
        async with listening(cloud):
            await beta.join(await new_token(cloud))
            member = beta.files.read()
            assert member is not None
            connection = await agent_cloud.dial(beta.files, member, "line", facts=beta.facts())
            await frames.expect(connection.reader, frames.REPLY)
            connection.writer.write(struct.pack(">IB", lines.MOST_OF_HOST + 1, frames.CALL))
            with pytest.raises(HostError):
                while True:
                    await frames.read(connection.reader)
            connection.writer.transport.abort()

    cloud.wait(work())


def test_only_administrators_see_and_change_hosts(garden: Project) -> None:
    user = garden.user
    for method, path in (("GET", ""), ("GET", "/host-1"), ("DELETE", "/host-1"), ("GET", "/tokens")):
        user.request(method, f"/hosts{path}", expect=403)
    user.post("/hosts/tokens", {"token": {}}, 403)
    user.put("/hosts/host-1", {"host": {"enabled": False}}, 403)


def test_a_cloud_that_no_host_can_join_says_so(cloud: ApiCloud) -> None:
    answer = cloud.admin.post("/hosts/tokens", {"token": {}}, 501)
    assert "without root" in answer.text


def test_a_port_for_hosts_that_is_taken_is_told(cloud: ApiCloud) -> None:
    async def work() -> None:
        async with listening(cloud) as door:
            taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", door.port)
            answer = await api(cloud, "POST", "/hosts/tokens", json={"token": {}})
            assert answer.status_code == 409
            assert "agents_port" in answer.text
            taken.close()
            await taken.wait_closed()

    cloud.wait(work())


@pytest.mark.parametrize("text", ["", "tane-join-1-", "tane-join-1-AAAA", "tane-join-2-WyJ4Il0", "x" * 5000])
def test_what_is_no_join_token_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="join token"):
        parse(text)


def test_a_tenant_is_told_why_no_host_fits_but_no_names_and_no_words_of_administrators(garden: Project) -> None:
    garden.admin.put("/hosts/host-1", {"host": {"enabled": False, "disabled_reason": "the disk of rack 7"}}, 200)
    server_id = garden.create()
    garden.cloud.run_jobs()
    message = garden.show(server_id)["fault"]["message"]
    assert message.endswith("There are not enough hosts available. 1 host disabled.")


def test_new_volumes_stay_away_from_a_host_that_is_disabled(garden: Project) -> None:
    garden.admin.put("/hosts/host-1", {"host": {"enabled": False}}, 200)
    path = f"/volume/v3/{garden.user.project_id}/volumes"
    made = garden.user.post(path, {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    garden.cloud.run_jobs()
    assert garden.user.get(f"{path}/{made}").json()["volume"]["status"] == "error"
    garden.admin.put("/hosts/host-1", {"host": {"enabled": True}}, 200)
    made = garden.user.post(path, {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    garden.cloud.run_jobs()
    assert garden.user.get(f"{path}/{made}").json()["volume"]["status"] == "available"
