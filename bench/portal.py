"""``bench/run portal [--horizon]``: the server's CPU for a page of the portal and its bytes with 50 servers in the
project, beside that of a Horizon which shows the same cloud; how soon a page is painted with 500, a list of 10,000 by
its marker, and 50 sessions at once."""

from __future__ import annotations

import argparse
import asyncio
import gzip
import re
import statistics
import time
from contextlib import nullcontext

import httpx

from bench.cloud import tree_cpu
from bench.horizon import beside
from conformance.chromium import Desk, chromium
from conformance.cloud import Cloud, own_cloud

SERVERS, MANY_SERVERS, ROUNDS = 50, 500, 40
PORTS, AT_ONCE = 10_000, 500
SESSIONS, ROUNDS_OF_EACH = 50, 4
FIRST_PAINT = """() => new Promise(done => { const said = () => {
  const [found] = performance.getEntriesByName("first-contentful-paint");
  found ? done(found.startTime) : setTimeout(said, 5); }; said(); })"""
PAGES = (
    "",
    "/servers",
    "/servers/{server}",
    "/new/servers",
    "/networks",
    "/topology",
    "/images",
    "/projects",
    "/search?q=web",
)
FIRST = "/login"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/run portal", description=__doc__)
    parser.add_argument("--horizon", action="store_true", help="install Horizon, and measure its pages too")
    asked = parser.parse_args()
    with own_cloud(simulated=True, keep=False) as cloud:
        server = furnish(cloud)
        pid = int((cloud.state.folder / "run" / "tane.pid").read_text().split()[0])
        with httpx.Client(base_url=f"{cloud.url}/dashboard", headers={"Accept": "text/html"}, timeout=60) as browser:
            print(f"the first page with all its files: {first(browser) / 1024:.0f} KiB, as packed")
            enter(browser, cloud)
            print(f"{'page':<20}{'CPU, ms':>10}{'wall, ms':>10}{'KiB':>8}{'Horizon, CPU':>14}{'Horizon / it':>14}")
            with beside(cloud, pid, server) if asked.horizon else nullcontext() as other:
                usual = other and other.usual()
                for path in PAGES:
                    theirs = other and (other.cost(path) or usual)
                    measure(browser, path, path.replace("{server}", server), pid, theirs)
            if usual:
                print(f"what Horizon has not is beside the median of its pages, {usual:.0f} ms")
            launch(cloud, MANY_SERVERS)
            print(f"with {MANY_SERVERS} servers")
            for path in ("", "/servers"):
                measure(browser, path, path, pid)
            last = many_ports(cloud)
            print(f"{PORTS} ports, by the marker")
            for name, path in (("/ports", "/ports"), ("/ports, the last", f"/ports?marker={last}")):
                measure(browser, name, path, pid)
        painted(cloud)
        asyncio.run(crowd(cloud, pid))


def furnish(cloud: Cloud) -> str:
    """A network, an image, a flavor, servers; returns the id of one."""
    call = cloud.admin.call
    network = call("POST", "/network/v2.0/networks", {"network": {"name": "bed"}})["network"]["id"]
    subnet = {"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/16"}
    call("POST", "/network/v2.0/subnets", {"subnet": subnet})
    quota = {"instances": -1, "cores": -1, "ram": -1}
    call("PUT", f"/compute/v2.1/os-quota-sets/{cloud.admin.project_id}", {"quota_set": quota})
    call("PUT", f"/network/v2.0/quotas/{cloud.admin.project_id}", {"quota": {"port": -1}})
    call("POST", "/compute/v2.1/flavors", {"flavor": {"name": "small", "vcpus": 1, "ram": 64, "disk": 0}})
    volume = {"volume": {"size": 1, "name": "data"}}
    call("POST", f"/volume/v3/{cloud.admin.project_id}/volumes", volume)
    image = call("POST", "/image/v2/images", {"name": "seed", "disk_format": "raw", "container_format": "bare"})["id"]
    # Horizon's dialogue for servers fails where no namespace is associated with them.
    associated = [{"name": "OS::Nova::Server"}]
    namespace = {"namespace": "OS::Bench", "visibility": "public", "resource_type_associations": associated}
    call("POST", "/image/v2/metadefs/namespaces", namespace)
    file = cloud.state.folder / "seed.raw"
    file.write_bytes(b"disk" * 1024)
    cloud.admin.upload(f"/image/v2/images/{image}/file", file)
    return launch(cloud, SERVERS)


def launch(cloud: Cloud, upto: int) -> str:
    """Servers until the project has so many; returns the id of one."""
    call = cloud.admin.call
    [image], [flavor] = call("GET", "/image/v2/images")["images"], call("GET", "/compute/v2.1/flavors")["flavors"]
    [network] = call("GET", "/network/v2.0/networks?name=bed")["networks"]
    body = {"flavorRef": flavor["id"], "imageRef": image["id"], "networks": [{"uuid": network["id"]}]}
    for number in range(len(call("GET", "/compute/v2.1/servers")["servers"]), upto):
        call("POST", "/compute/v2.1/servers", {"server": {**body, "name": f"web-{number}"}})
    while call("GET", "/compute/v2.1/servers?status=BUILD&limit=1")["servers"]:
        time.sleep(0.5)
    return str(call("GET", "/compute/v2.1/servers?limit=1")["servers"][0]["id"])


def many_ports(cloud: Cloud) -> str:
    """Ports until the project has so many; returns a marker near the end of their list."""
    call = cloud.admin.call
    [network] = call("GET", "/network/v2.0/networks?name=bed")["networks"]
    for begun in range(0, PORTS, AT_ONCE):
        some = [{"network_id": network["id"], "name": f"door-{begun + number}"} for number in range(AT_ONCE)]
        call("POST", "/network/v2.0/ports", {"ports": some})
    return str(call("GET", "/network/v2.0/ports?fields=id")["ports"][-100]["id"])


def painted(cloud: Cloud) -> None:
    """How soon a browser paints the list of servers, the first time and after."""
    with chromium() as browser:
        desk = Desk(browser, cloud.url)
        desk.login("admin", cloud.state.admin_password())
        times = []
        for _ in range(8):
            desk.open("/servers")
            times.append(float(desk.page.evaluate(FIRST_PAINT)))
        desk.context.close()
    print(f"first paint of /servers with {MANY_SERVERS}: {statistics.median(times):.0f} ms, at most {max(times):.0f}")


async def crowd(cloud: Cloud, pid: int) -> None:
    """So many sessions, each with a browser of its own, all asking at once."""
    clients = [
        httpx.AsyncClient(base_url=f"{cloud.url}/dashboard", headers={"Accept": "text/html"}, timeout=120)
        for _ in range(SESSIONS)
    ]
    password = cloud.state.admin_password()
    for client in clients:
        answer = await client.post(FIRST, data={**hidden((await client.get(FIRST)).text), **_who(password)})
        assert answer.status_code == 303, answer.text
    walls: list[float] = []

    async def work(client: httpx.AsyncClient) -> None:
        for path in ("", "/servers", "/networks", "/new/servers") * ROUNDS_OF_EACH:
            begun = time.perf_counter()
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text[:500]
            walls.append((time.perf_counter() - begun) * 1000)

    begun, cpu = time.perf_counter(), tree_cpu(pid)
    await asyncio.gather(*map(work, clients))
    took, used = time.perf_counter() - begun, tree_cpu(pid) - cpu
    for client in clients:
        await client.aclose()
    walls.sort()
    print(
        f"{SESSIONS} sessions at once: {len(walls)} pages in {took:.1f} s ({len(walls) / took:.0f} a second), "
        f"half within {statistics.median(walls):.0f} ms, 95 % within {walls[int(len(walls) * 0.95)]:.0f} ms, "
        f"none refused; {used / len(walls) * 1000:.1f} ms of CPU each"
    )


def first(browser: httpx.Client) -> int:
    """Bytes of the login with its styles and scripts, as a browser asks for them."""
    text = browser.get(FIRST).text
    files = set(re.findall(r'(?:src|href)="(/dashboard/static/[^"]+)"', text))
    parts = (browser.get(str(browser.base_url.join(file))).content for file in files)
    return len(text.encode()) + sum(len(gzip.compress(part)) for part in parts)


def enter(browser: httpx.Client, cloud: Cloud) -> None:
    password = (cloud.state.folder / "admin-password").read_text().strip()
    answer = browser.post(FIRST, data={**hidden(browser.get(FIRST).text), **_who(password)})
    assert answer.status_code == 303, answer.text


def hidden(text: str) -> dict[str, str]:
    """The hidden fields of the login's form."""
    page = text.partition("</form>\n<details")[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


def _who(password: str) -> dict[str, str]:
    return {"user": "admin", "password": password}


def measure(browser: httpx.Client, name: str, path: str, pid: int, theirs: float | None = None) -> None:
    """One line: the CPU of the cloud's processes for a page, how long it takes, its bytes. ``theirs``: Horizon's
    CPU milliseconds."""
    for _ in range(3):
        answer = browser.get(path)
        assert answer.status_code == 200, answer.text[:500]
    walls, cpu = [], tree_cpu(pid)
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        browser.get(path)
        walls.append(time.perf_counter() - begun)
    each, wall = (tree_cpu(pid) - cpu) / ROUNDS * 1000, statistics.median(walls) * 1000
    size = len(answer.content) / 1024
    compared = f"{theirs:>14.0f}{theirs / each:>14.0f}" if theirs else ""
    print(f"{name or '(overview)':<20}{each:>10.1f}{wall:>10.1f}{size:>8.1f}{compared}")


if __name__ == "__main__":
    main()
