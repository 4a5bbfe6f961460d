"""The questions asked of a cloud. Each makes what it needs, measures, and cleans up."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

from bench.cloud import Cloud, Failed, Figure, pss_mb
from bench.objects import objects
from bench.stacks import large_and_many, servers_of_stacks

Question = Callable[[Cloud], AsyncIterator[Figure]]
MB = 1 << 20


async def tokens(cloud: Cloud) -> AsyncIterator[Figure]:
    """Tokens: by a password seen for the first time and again, by token, validation."""
    url = f"{cloud.auth_url}/auth/tokens"
    users = [await new_user(cloud) for _ in range(24)]

    async def first_login(number: int) -> None:
        (await cloud.http.post(url, json={"auth": {"identity": users[number]}})).raise_for_status()

    async def by_password(_: int) -> None:
        (await cloud.http.post(url, json=cloud.password_body())).raise_for_status()

    async def by_token(_: int) -> None:
        identity = {"methods": ["token"], "token": {"id": cloud.token}}
        body = {"auth": {"identity": identity, "scope": {"project": {"id": cloud.project_id}}}}
        (await cloud.http.post(url, json=body)).raise_for_status()

    async def validate(_: int) -> None:
        await cloud.call("GET", url, headers={"X-Subject-Token": cloud.token})

    yield await cloud.measure("token by password, first login, 8 at once", first_login, count=len(users), at_once=8)
    yield await cloud.measure("token by password, again, 8 at once", by_password, count=400, at_once=8, warm_up=2)
    yield await cloud.measure("token by token, 8 at once", by_token, count=400, at_once=8, warm_up=10)
    yield await cloud.measure("token validate", validate, count=400, warm_up=10)
    yield await cloud.measure("token validate, 8 at once", validate, count=800, at_once=8, warm_up=10)
    for user in users:
        await cloud.call("DELETE", f"{cloud.auth_url}/users/{user['password']['user']['id']}")


async def new_user(cloud: Cloud) -> dict[str, Any]:
    """Make a user; returns what it logs in with."""
    password = secrets.token_urlsafe(12)
    body = {"user": {"name": f"bench-{secrets.token_hex(4)}", "password": password}}
    made = (await cloud.call("POST", f"{cloud.auth_url}/users", body)).json()["user"]
    return {"methods": ["password"], "password": {"user": {"id": made["id"], "password": password}}}


async def images(cloud: Cloud) -> AsyncIterator[Figure]:
    """One image of 256 MB up and down."""
    url = cloud.url("image", suffix="/v2")
    chunk = os.urandom(MB)
    size = 256
    body = {"name": "bench", "disk_format": "raw", "container_format": "bare"}
    image_id = (await cloud.call("POST", f"{url}/images", body)).json()["id"]

    async def content() -> AsyncIterator[bytes]:
        for _ in range(size):
            yield chunk

    async def upload(_: int) -> None:
        headers = {"X-Auth-Token": cloud.token, "Content-Type": "application/octet-stream"}
        (await cloud.http.put(f"{url}/images/{image_id}/file", content=content(), headers=headers)).raise_for_status()

    async def download(_: int) -> None:
        headers = {"X-Auth-Token": cloud.token}
        async with cloud.http.stream("GET", f"{url}/images/{image_id}/file", headers=headers) as response:
            async for _part in response.aiter_raw(MB):
                pass

    for name, work in ((f"image upload {size} MB", upload), (f"image download {size} MB", download)):
        figure = await cloud.measure(name, work, count=1)
        figure.megabytes = size
        yield figure
    await cloud.call("DELETE", f"{url}/images/{image_id}")


async def ports(cloud: Cloud) -> AsyncIterator[Figure]:
    """Ports: one by one, in bulks of 50, and a list of 500."""
    url = cloud.url("network", suffix="/v2.0")
    await lift_quotas(cloud)
    network = (await cloud.call("POST", f"{url}/networks", {"network": {"name": "bench"}})).json()["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.9.0.0/16"}
    await cloud.call("POST", f"{url}/subnets", {"subnet": subnet})

    async def create(_: int) -> None:
        await cloud.call("POST", f"{url}/ports", {"port": {"network_id": network["id"]}})

    async def bulk(_: int) -> None:
        await cloud.call("POST", f"{url}/ports", {"ports": [{"network_id": network["id"]}] * 50})

    yield await cloud.measure("port create", create, count=50, warm_up=5)
    figure = await cloud.measure("500 ports in bulks of 50 (per port)", bulk, count=10)
    figure.operations = 500
    yield figure

    async def listing(_: int) -> None:
        await cloud.call("GET", f"{url}/ports?limit=500&network_id={network['id']}")

    yield await cloud.measure("list 500 ports", listing, count=10, warm_up=1)
    found = (await cloud.call("GET", f"{url}/ports?network_id={network['id']}")).json()["ports"]
    for port in found:
        if port["device_owner"] == "":
            await cloud.call("DELETE", f"{url}/ports/{port['id']}")
    await cloud.call("DELETE", f"{url}/networks/{network['id']}")


async def servers(cloud: Cloud) -> AsyncIterator[Figure]:
    """Servers on simulated hosts: 100 to ACTIVE, then 500 in a list with detail."""
    compute, image = cloud.url("compute"), cloud.url("image", suffix="/v2")
    network = cloud.url("network", suffix="/v2.0")
    await lift_quotas(cloud)
    image_id, network_id, flavor_id = await server_needs(cloud, compute, image, network)

    async def create(number: int, count: int = 1) -> dict[str, Any]:
        server = {
            "name": f"bench-{number}",
            "imageRef": image_id,
            "flavorRef": flavor_id,
            "networks": [{"uuid": network_id}],
            "min_count": count,
        }
        found: dict[str, Any] = (await cloud.call("POST", f"{compute}/servers", {"server": server})).json()["server"]
        return found

    async def to_active(number: int) -> None:
        server = await create(number)
        await cloud.until(f"{compute}/servers/{server['id']}", lambda body: body["server"]["status"] == "ACTIVE")

    yield await cloud.measure("one server to ACTIVE", to_active, count=10, warm_up=2)
    yield await cloud.measure("100 servers to ACTIVE, 8 at once", to_active, count=100, at_once=8)
    for number in range(4):
        await create(1000 + number, 100)
    await cloud.until(f"{compute}/servers?limit=1000&status=BUILD", lambda body: not body["servers"])
    await refuse_errors(cloud, compute)

    async def detail(_: int) -> None:
        await cloud.call("GET", f"{compute}/servers/detail?limit=500")

    async def brief(_: int) -> None:
        await cloud.call("GET", f"{compute}/servers?limit=500")

    yield await cloud.measure("GET /servers/detail with 500 servers", detail, count=10, warm_up=1)
    yield await cloud.measure("GET /servers with 500 servers", brief, count=10, warm_up=1)
    found = (await cloud.call("GET", f"{compute}/servers?limit=1000")).json()["servers"]
    for server in found:
        await cloud.call("DELETE", f"{compute}/servers/{server['id']}")
    await cloud.until(f"{compute}/servers?limit=1000", lambda body: not body["servers"])


async def steps(cloud: Cloud) -> AsyncIterator[Figure]:
    """Where the time of one server create goes: the answer, then each step as the server's actions tell it."""
    compute, image = cloud.url("compute"), cloud.url("image", suffix="/v2")
    await lift_quotas(cloud)
    image_id, network_id, flavor_id = await server_needs(cloud, compute, image, cloud.url("network", suffix="/v2.0"))
    times: dict[str, list[float]] = {}
    made: list[str] = []
    for number in range(-2, 20):
        server = {
            "name": f"s{number}",
            "imageRef": image_id,
            "flavorRef": flavor_id,
            "networks": [{"uuid": network_id}],
        }
        begun = time.perf_counter()
        made.append((await cloud.call("POST", f"{compute}/servers", {"server": server})).json()["server"]["id"])
        answered = time.perf_counter()
        path = f"{compute}/servers/{made[-1]}"
        await cloud.until(path, lambda body: body["server"]["status"] == "ACTIVE", every=0.002)
        active = time.perf_counter()
        if number < 0:
            continue
        times.setdefault("create, request to answer", []).append(answered - begun)
        [action] = (await cloud.call("GET", f"{path}/os-instance-actions")).json()["instanceActions"]
        details = await cloud.call("GET", f"{path}/os-instance-actions/{action['request_id']}")
        for event in details.json()["instanceAction"]["events"]:
            times.setdefault(f"create, step {event['event']}", []).append(_seconds(event))
        times.setdefault("create, request to ACTIVE", []).append(active - begun)
    for name, taken in times.items():
        yield Figure(name, taken, sum(taken), None)
    await delete_servers(cloud, compute, made)


def _seconds(event: dict[str, str]) -> float:
    begun, ended = (datetime.fromisoformat(event[name]) for name in ("start_time", "finish_time"))
    return (ended - begun).total_seconds()


GROWTH = (100, 1000, 10000)


async def growth(cloud: Cloud) -> AsyncIterator[Figure]:
    """Lists, one server and the cloud's memory, as the servers become many. Takes minutes; not asked by default."""
    compute, image = cloud.url("compute"), cloud.url("image", suffix="/v2")
    await lift_quotas(cloud)
    image_id, network_id, flavor_id = await server_needs(cloud, compute, image, cloud.url("network", suffix="/v2.0"))
    server = {"name": "many", "imageRef": image_id, "flavorRef": flavor_id, "networks": [{"uuid": network_id}]}
    count = 0
    for level in GROWTH:
        while count < level:
            body = {"server": {**server, "min_count": 100, "return_reservation_id": False}}
            await cloud.call("POST", f"{compute}/servers", body)
            building = f"{compute}/servers?limit=1&status=BUILD"
            await cloud.until(building, lambda body: not body["servers"], every=0.2)
            count += 100
        await refuse_errors(cloud, compute)
        one = (await cloud.call("GET", f"{compute}/servers?limit=1")).json()["servers"][0]["id"]
        for what, path in (
            ("GET /servers/detail?limit=100", "servers/detail?limit=100"),
            ("GET /servers?limit=1000", "servers?limit=1000"),
            ("GET /servers?name=nobody", "servers?name=nobody"),
            ("GET one server", f"servers/{one}"),
        ):

            async def ask(_: int, path: str = path) -> None:
                await cloud.call("GET", f"{compute}/{path}")

            yield await cloud.measure(f"{what}, of {level} servers", ask, count=20, warm_up=2)
        if cloud.pid:
            figure = Figure(f"memory with {level} servers, MB PSS", [], 1.0, None)
            figure.operations = round(pss_mb([cloud.pid]))
            yield figure
    await delete_servers(cloud, compute, await all_servers(cloud, compute))


async def refuse_errors(cloud: Cloud, compute: str) -> None:
    """A figure of servers that failed would be a figure of nothing. :raises Failed: there are some."""
    failed = (await cloud.call("GET", f"{compute}/servers/detail?status=ERROR&limit=1")).json()["servers"]
    if failed:
        raise Failed(f"server {failed[0]['id']}: {failed[0].get('fault')}")


async def all_servers(cloud: Cloud, compute: str) -> list[str]:
    """The servers of :func:`growth`, page by page."""
    found: list[dict[str, str]] = []
    while page := (await cloud.call("GET", f"{compute}/servers?limit=1000{_after(found)}")).json()["servers"]:
        found += page
    return [server["id"] for server in found if server["name"].startswith("many")]


def _after(found: list[dict[str, str]]) -> str:
    return f"&marker={found[-1]['id']}" if found else ""


async def delete_servers(cloud: Cloud, compute: str, server_ids: list[str]) -> None:
    if cloud.disposable:
        return
    for server_id in server_ids:
        await cloud.call("DELETE", f"{compute}/servers/{server_id}")
    wanted = set(server_ids)
    gone = f"{compute}/servers?limit=1000"
    await cloud.until(gone, lambda body: not {s["id"] for s in body["servers"]} & wanted, every=0.5)


async def volumes(cloud: Cloud) -> AsyncIterator[Figure]:
    """One volume to available, then 50."""
    url = cloud.url("block-storage", "volumev3")
    await lift_quotas(cloud)
    made: list[str] = []

    async def create(number: int) -> None:
        volume = (await cloud.call("POST", f"{url}/volumes", {"volume": {"name": f"bench-{number}", "size": 1}})).json()
        made.append(volume["volume"]["id"])
        await cloud.until(f"{url}/volumes/{made[-1]}", lambda body: body["volume"]["status"] == "available")

    yield await cloud.measure("one volume to available", create, count=10, warm_up=1)
    yield await cloud.measure("50 volumes, 8 at once", create, count=50, at_once=8)
    for volume_id in made:
        await cloud.call("DELETE", f"{url}/volumes/{volume_id}")
    await cloud.until(f"{url}/volumes?limit=1000", lambda body: not {v["id"] for v in body["volumes"]} & set(made))


async def stacks(cloud: Cloud) -> AsyncIterator[Figure]:
    """Stacks of servers; of a cloud of ours a large one, and many."""
    compute, image = cloud.url("compute"), cloud.url("image", suffix="/v2")
    await lift_quotas(cloud)
    image_id, _, flavor_id = await server_needs(cloud, compute, image, cloud.url("network", suffix="/v2.0"))
    async for figure in servers_of_stacks(cloud, image_id, flavor_id):
        yield figure
    if cloud.disposable:
        async for figure in large_and_many(cloud):
            yield figure


async def server_needs(cloud: Cloud, compute: str, image: str, network: str) -> tuple[str, str, str]:
    """An image, a network with a subnet, a flavor."""
    body = {"name": "bench", "disk_format": "raw", "container_format": "bare"}
    image_id = (await cloud.call("POST", f"{image}/images", body)).json()["id"]
    headers = {"X-Auth-Token": cloud.token, "Content-Type": "application/octet-stream"}
    (await cloud.http.put(f"{image}/images/{image_id}/file", content=bytes(MB), headers=headers)).raise_for_status()
    made = (await cloud.call("POST", f"{network}/networks", {"network": {"name": "bench"}})).json()["network"]
    subnet = {"network_id": made["id"], "ip_version": 4, "cidr": "10.8.0.0/16"}
    await cloud.call("POST", f"{network}/subnets", {"subnet": subnet})
    flavor = {"flavor": {"name": f"bench-{secrets.token_hex(3)}", "ram": 64, "vcpus": 1, "disk": 0}}
    flavor_id = (await cloud.call("POST", f"{compute}/flavors", flavor)).json()["flavor"]["id"]
    return image_id, made["id"], flavor_id


async def lift_quotas(cloud: Cloud) -> None:
    """The questions are about speed, not about limits."""
    compute, network = cloud.url("compute"), cloud.url("network", suffix="/v2.0")
    volume = cloud.url("block-storage", "volumev3")
    limits = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    await cloud.call("PUT", f"{compute}/os-quota-sets/{cloud.project_id}", limits)
    await cloud.call(
        "PUT",
        f"{network}/quotas/{cloud.project_id}",
        {"quota": {"port": -1, "network": -1, "subnet": -1, "security_group": -1, "security_group_rule": -1}},
    )
    body = {"quota_set": {"volumes": -1, "gigabytes": -1}}
    await cloud.call("PUT", f"{volume}/os-quota-sets/{cloud.project_id}", body)


QUESTIONS: dict[str, Question] = {
    "tokens": tokens,
    "images": images,
    "ports": ports,
    "servers": servers,
    "steps": steps,
    "volumes": volumes,
    "objects": objects,
}
LONG: dict[str, Question] = {"growth": growth, "stacks": stacks}
"""Asked only by name: they take minutes."""
