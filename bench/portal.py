"""``bench/run portal``: the server's CPU for a page of the portal, and its bytes, with 50 servers in the project."""

from __future__ import annotations

import gzip
import re
import statistics
import time

import httpx

from bench.cloud import tree_cpu
from conformance.cloud import Cloud, own_cloud

SERVERS, ROUNDS = 50, 40
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
    with own_cloud(simulated=True, keep=False) as cloud:
        server = furnish(cloud)
        pid = int((cloud.state.folder / "run" / "tane.pid").read_text().split()[0])
        with httpx.Client(base_url=f"{cloud.url}/dashboard", headers={"Accept": "text/html"}, timeout=60) as browser:
            print(f"the first page with all its files: {first(browser) / 1024:.0f} KiB, as packed")
            enter(browser, cloud)
            print(f"{'page':<20}{'CPU, ms':>10}{'wall, ms':>10}{'KiB':>8}")
            for path in PAGES:
                measure(browser, path, path.replace("{server}", server), pid)


def furnish(cloud: Cloud) -> str:
    """A network, an image, a flavor, servers; returns the id of one."""
    call = cloud.admin.call
    network = call("POST", "/network/v2.0/networks", {"network": {"name": "bed"}})["network"]["id"]
    subnet = {"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/16"}
    call("POST", "/network/v2.0/subnets", {"subnet": subnet})
    quota = {"instances": -1, "cores": -1, "ram": -1}
    call("PUT", f"/compute/v2.1/os-quota-sets/{cloud.admin.project_id}", {"quota_set": quota})
    flavor = call("POST", "/compute/v2.1/flavors", {"flavor": {"name": "small", "vcpus": 1, "ram": 64, "disk": 0}})
    volume = {"volume": {"size": 1, "name": "data"}}
    call("POST", f"/volume/v3/{cloud.admin.project_id}/volumes", volume)
    image = call("POST", "/image/v2/images", {"name": "seed", "disk_format": "raw", "container_format": "bare"})["id"]
    file = cloud.state.folder / "seed.raw"
    file.write_bytes(b"disk" * 1024)
    cloud.admin.upload(f"/image/v2/images/{image}/file", file)
    body = {"name": "web", "flavorRef": flavor["flavor"]["id"], "imageRef": image, "networks": [{"uuid": network}]}
    ids = [
        call("POST", "/compute/v2.1/servers", {"server": {**body, "name": f"web-{number}"}})["server"]["id"]
        for number in range(SERVERS)
    ]
    while any(one["status"] == "BUILD" for one in call("GET", "/compute/v2.1/servers/detail")["servers"]):
        time.sleep(0.5)
    return str(ids[0])


def first(browser: httpx.Client) -> int:
    """Bytes of the login with its styles and scripts, as a browser asks for them."""
    text = browser.get(FIRST).text
    files = set(re.findall(r'(?:src|href)="(/dashboard/static/[^"]+)"', text))
    parts = (browser.get(str(browser.base_url.join(file))).content for file in files)
    return len(text.encode()) + sum(len(gzip.compress(part)) for part in parts)


def enter(browser: httpx.Client, cloud: Cloud) -> None:
    password = (cloud.state.folder / "admin-password").read_text().strip()
    page = browser.get(FIRST).text.partition("</form>\n<details")[0]
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    answer = browser.post(FIRST, data={**hidden, "user": "admin", "password": password})
    assert answer.status_code == 303, answer.text


def measure(browser: httpx.Client, name: str, path: str, pid: int) -> None:
    """One line: the CPU of the cloud's processes for a page, how long it takes, its bytes."""
    for _ in range(3):
        answer = browser.get(path)
        assert answer.status_code == 200, answer.text[:500]
    walls, cpu = [], tree_cpu(pid)
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        browser.get(path)
        walls.append(time.perf_counter() - begun)
    each, wall = (tree_cpu(pid) - cpu) / ROUNDS * 1000, statistics.median(walls) * 1000
    print(f"{name or '(overview)':<20}{each:>10.1f}{wall:>10.1f}{len(answer.content) / 1024:>8.1f}")


if __name__ == "__main__":
    main()
