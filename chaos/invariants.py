"""What must hold once the dust has settled: nothing lost, nothing orphaned, nothing stuck."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chaos import stacks
from chaos.caller import Caller, Refused
from chaos.faults import processes
from chaos.workload import COMPUTE, NETWORK, Load
from tests.e2e.real import RealCloud

PLACEMENT = "/placement"

SETTLED = {"ACTIVE", "SHUTOFF", "ERROR", "PAUSED", "SUSPENDED"}
QUIET_VOLUMES = {"available", "in-use", "error", "error_deleting"}


@dataclass
class Findings:
    lost: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    lost_intervals: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return any((self.lost, self.orphaned, self.stuck, self.twice, self.lost_intervals, self.doubled))


@dataclass(frozen=True)
class Rows:
    """Everything the APIs show an administrator."""

    servers: dict[str, dict[str, Any]]
    volumes: dict[str, dict[str, Any]]
    ports: dict[str, dict[str, Any]]
    networks: dict[str, dict[str, Any]]
    routers: dict[str, dict[str, Any]]
    floating_ips: dict[str, dict[str, Any]]
    images: dict[str, dict[str, Any]]
    stacks: dict[str, dict[str, Any]]


def rows(admin: Caller) -> Rows:
    def by_id(path: str, name: str) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in admin.patiently("GET", path)[name]}

    admin.patiently("GET", f"{NETWORK}/networks")
    return Rows(
        by_id(f"{COMPUTE}/servers/detail?all_tenants=1", "servers"),
        by_id(f"/volume/v3/{admin.project_id}/volumes/detail?all_tenants=1", "volumes"),
        by_id(f"{NETWORK}/ports", "ports"),
        by_id(f"{NETWORK}/networks", "networks"),
        by_id(f"{NETWORK}/routers", "routers"),
        by_id(f"{NETWORK}/floatingips", "floatingips"),
        by_id("/image/v2/images?limit=1000", "images"),
        {row["id"]: row for row in stacks.listed(admin)},
    )


def under_way(cloud: RealCloud, found: Rows, loads: list[Load]) -> list[str]:
    """What is in between two states, and what should be gone and is not."""
    told = [
        f"server {key} is {row['status']}, {row['OS-EXT-STS:task_state']}"
        for key, row in found.servers.items()
        if row["status"] not in SETTLED or row["OS-EXT-STS:task_state"] is not None
    ]
    told += [f"volume {k} is {r['status']}" for k, r in found.volumes.items() if r["status"] not in QUIET_VOLUMES]
    told += [f"port {k} is {r['status']}" for k, r in found.ports.items() if r["status"] not in ("ACTIVE", "DOWN")]
    told += [
        f"floating IP {key} is {row['status']}, with port {row['port_id']}"
        for key, row in found.floating_ips.items()
        if row["status"] != ("ACTIVE" if row["port_id"] else "DOWN")
    ]
    told += [f"image {k} is {r['status']}" for k, r in found.images.items() if r["status"] != "active"]
    told += stacks.under_way(found.stacks)
    # A stack whose deletion a fault made fail says so, and is deleted once more in the end.
    kept = {key for key, row in found.stacks.items() if row["stack_status"] != "DELETE_FAILED"}
    present = {*found.servers, *found.volumes, *found.networks, *found.floating_ips, *kept}
    for load in loads:
        told += [f"{path} was deleted and is there" for path in load.deleted if path.rsplit("/", 1)[1] in present]
    return told + jobs_under_way(cloud)


def jobs_under_way(cloud: RealCloud) -> list[str]:
    with sqlite3.connect(f"file:{cloud.folder}/tane.db?mode=ro", uri=True) as database:
        found = database.execute("SELECT operation, resource, step, error FROM job").fetchall()
    return [f"job {operation} of {resource} at step {step}: {error}" for operation, resource, step, error in found]


def settle(cloud: RealCloud, admin: Caller, loads: list[Load], seconds: float) -> tuple[Rows, list[str]]:
    """Wait until nothing is under way; the rows then, and what still was when time was over."""
    until = time.monotonic() + seconds
    while True:
        found = rows(admin)
        told = under_way(cloud, found, loads)
        if not told or time.monotonic() > until:
            return found, told
        time.sleep(0.5)


def acknowledged(loads: list[Load]) -> list[str]:
    """What was acknowledged as made and was never asked to be deleted, but is not there."""
    told = []
    for load in loads:
        for path, kind in load.alive.items():
            try:
                load.caller.patiently("GET", path)
            except Refused as error:
                told.append(f"{kind} {path}: {error}")
    return told


def kernel(cloud: RealCloud, found: Rows) -> tuple[set[str], set[str]]:
    """(rows without their object, objects without their row) on the host."""
    missing: set[str] = set()
    extra: set[str] = set()

    def compare(what: str, wanted: set[str], present: set[str], allowed: set[str] | None = None) -> None:
        missing.update(f"{what} {name}" for name in wanted - present)
        extra.update(f"{what} {name}" for name in present - wanted - (allowed or set()))

    host = cloud.folder / "host"
    running = {key for key, row in found.servers.items() if row["status"] in ("ACTIVE", "PAUSED")}
    compare("guest process", running, _ids(cloud, "qemu-system", "/host/guests/"))
    placed = {key for key, row in found.servers.items() if row["status"] != "ERROR"}
    compare("guest folder", placed, {path.name for path in (host / "guests").iterdir()}, set(found.servers))

    attached = {key for key, row in found.volumes.items() if row["status"] == "in-use"}
    compare("exporter", attached, _ids(cloud, "qemu-storage-daemon", "/host/volumes/"))
    whole = {key for key, row in found.volumes.items() if "error" not in row["status"]}
    compare("volume folder", whole, {path.name for path in (host / "volumes").iterdir()}, set(found.volumes))

    digests = {row["os_hash_value"] for row in found.images.values()}
    compare("image file", digests, {path.name for path in (cloud.folder / "images").iterdir() if path.is_file()})

    spaces = {f"qrouter-{key}" for key in found.routers}
    used = {row["network_id"] for row in found.ports.values() if row["binding:host_id"]}
    spaces |= {f"qdhcp-{key}" for key in used if found.networks[key]["subnets"] and not _external(found, key)}
    there = {name for name in _namespaces() if name.endswith(tuple({*found.routers, *found.networks}))}
    noted = set((host / "network" / "namespaces").read_text().split())
    compare("namespace", spaces, there)
    extra.update(f"namespace {name}" for name in noted & _namespaces() - spaces if name.startswith("q"))

    served = {name.removeprefix("qdhcp-") for name in spaces if name.startswith("qdhcp-")}
    compare("dnsmasq", served, _ids(cloud, "dnsmasq", "/host/network/dhcp/"))
    taps = {f"tap{key[:11]}" for key in found.ports}
    live = {f"tap{key[:11]}" for key, row in found.ports.items() if row["device_id"] in running}
    compare("tap", live, _taps(cloud), taps)
    return missing, extra


def quotas(admin: Caller, loads: list[Load], found: Rows) -> list[str]:
    """Where what counts against a quota is not what is there."""
    told = []
    for load in loads:
        project = load.caller.project_id
        own_servers = [row for row in found.servers.values() if row["tenant_id"] == project]
        own_volumes = [r for r in found.volumes.values() if r["os-vol-tenant-attr:tenant_id"] == project]
        limits = admin.patiently("GET", f"{COMPUTE}/limits?tenant_id={project}")["limits"]["absolute"]
        volume = admin.patiently("GET", f"/volume/v3/{admin.project_id}/os-quota-sets/{project}?usage=true")[
            "quota_set"
        ]
        network = admin.patiently("GET", f"{NETWORK}/quotas/{project}/details.json")["quota"]
        counts = {
            "instances": (limits["totalInstancesUsed"], len(own_servers)),
            "volumes": (volume["volumes"]["in_use"], len(own_volumes)),
            "gigabytes": (volume["gigabytes"]["in_use"], sum(row["size"] for row in own_volumes)),
            **{
                name: (network[name]["used"], sum(row["project_id"] == project for row in table.values()))
                for name, table in (
                    ("network", found.networks),
                    ("router", found.routers),
                    ("floatingip", found.floating_ips),
                )
            },
        }
        told += [f"{n} of {load.tenant.name}: {u} used, {c} there" for n, (u, c) in counts.items() if u != c]
    return told


def claims(admin: Caller) -> list[str]:
    """Where what is summed up of a host is not what servers claim of it."""
    told = []
    for host in admin.patiently("GET", f"{PLACEMENT}/resource_providers")["resource_providers"]:
        path = f"{PLACEMENT}/resource_providers/{host['uuid']}"
        used = admin.patiently("GET", f"{path}/usages")["usages"]
        held: Counter[str] = Counter()
        for one in admin.patiently("GET", f"{path}/allocations")["allocations"].values():
            held.update(one["resources"])
        told += [
            f"{name} of {host['name']}: {n} used, {held[name]} held" for name, n in used.items() if n != held[name]
        ]
    return told


def _external(found: Rows, network_id: str) -> bool:
    return bool(found.networks[network_id]["router:external"])


def _ids(cloud: RealCloud, program: str, pattern: str) -> set[str]:
    """The ids of the folders below ``pattern`` that processes of a program run in."""
    return {folder.split(pattern)[1].split("/")[0] for _, folder in processes(cloud, program) if pattern in folder}


def _namespaces() -> set[str]:
    listing = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listing.splitlines() if line}


def _taps(cloud: RealCloud) -> set[str]:
    namespace = cloud.outside.removesuffix("-ext")
    command = ["ip", "-n", namespace, "-o", "link"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    names = {line.split(":")[1].strip().split("@")[0] for line in listing}
    return {name for name in names if name.startswith("tap")}
