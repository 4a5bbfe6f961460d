"""Chaos on more hosts: machines lose their power or their network, agents are killed or stand still, servers move.

Each machine is a namespace of this one (``tane dev hosts``). Servers are of a flavor whose hosts lease them
(``ha:policy=evacuate``), so that those of a lost machine are made again elsewhere meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator

from chaos import faults
from chaos.caller import Caller, Refused, Unknown
from chaos.faults import Fault, processes
from chaos.invariants import Rows
from chaos.workload import COMPUTE
from tane.cli import dev
from tane.cli.common import State
from tane.linux import process
from tane.linux.machines import Machine
from tests.e2e.real import RealCloud, wait_for

LEASE_SECONDS = 5
SHORT_SECONDS, LONG_SECONDS, LONG_SHARE = (1.0, 15.0), (75.0, 110.0), 0.25
"""How long a machine is away: mostly so that all is as before, sometimes until its jobs give up, after a minute, and
its servers are made elsewhere."""
JOIN_SECONDS = 60.0


def prepare(cloud: RealCloud) -> None:
    """Before the cloud starts."""
    files = State.of(cloud.folder)
    files.prepare()
    dev.prepare(files)
    with (cloud.folder / "tane.toml").open("a") as settings:
        settings.write(f"lease_seconds = {LEASE_SECONDS}\n")


def join(cloud: RealCloud, count: int) -> str:
    """Let the machines join; the flavor of the servers."""
    cloud.tane("dev", "hosts", str(count))
    flavor_id = cloud.flavor()
    specs = {"extra_specs": {"ha:policy": "evacuate"}}
    cloud.admin().call("POST", f"{COMPUTE}/flavors/{flavor_id}/os-extra_specs", specs)
    return flavor_id


def machines(cloud: RealCloud) -> list[Machine]:
    return list(dev.every(State.of(cloud.folder)))


def agent(machine: Machine) -> int | None:
    return process.read_pid(State.of(machine.folder).pidfile)


def up(machine: Machine) -> None:
    done = dev.inside(machine, "up", "--state", str(machine.folder))
    assert done.returncode == 0, f"{machine.name}: {done.stdout}{done.stderr}"


# --------------------------------------------------------------------------------------------------------- what breaks


def _away(dice: random.Random) -> float:
    return dice.uniform(*(LONG_SECONDS if dice.random() < LONG_SHARE else SHORT_SECONDS))


def kill_agent(cloud: RealCloud, dice: random.Random) -> str | None:
    machine = dice.choice(machines(cloud))
    if (pid := agent(machine)) is None:
        return None
    os.kill(pid, signal.SIGKILL)
    time.sleep(dice.uniform(0.0, 3.0))
    up(machine)
    return f"killed the agent of {machine.name}"


def lose_power(cloud: RealCloud, dice: random.Random) -> str:
    machine = dice.choice(machines(cloud))
    dev.kill(machine)
    away = _away(dice)
    time.sleep(away)
    machine.start()
    up(machine)
    return f"{machine.name} was without power for {away:.0f} s"


def cut(cloud: RealCloud, dice: random.Random) -> str:
    machine = dice.choice(machines(cloud))
    away = _away(dice)
    link = f"tm-{machine.bridge.cloud_id}-{machine.number}"
    subprocess.run(["ip", "link", "set", link, "down"], check=True)
    try:
        time.sleep(away)
    finally:
        subprocess.run(["ip", "link", "set", link, "up"], check=True)
    return f"{machine.name} was cut off for {away:.0f} s"


def freeze_agent(cloud: RealCloud, dice: random.Random) -> str | None:
    machine = dice.choice(machines(cloud))
    if (pid := agent(machine)) is None:
        return None
    away = _away(dice)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(away)
    os.kill(pid, signal.SIGCONT)
    return f"the agent of {machine.name} stood still for {away:.0f} s"


FAULTS: dict[str, tuple[Fault, int]] = {
    "cloud": (faults.kill_cloud, 2),
    "guest": (faults.kill_guest, 1),
    "exporter": (faults.kill_exporter, 2),
    "dnsmasq": (faults.kill_dnsmasq, 1),
    "agent": (kill_agent, 3),
    "power": (lose_power, 1),
    "cut": (cut, 1),
    "still": (freeze_agent, 1),
}


# ---------------------------------------------------------------------------------------------------------- what moves


class Mover:
    """An administrator who moves the tenants' servers about."""

    def __init__(self, cloud: RealCloud, dice: random.Random) -> None:
        self.caller = Caller(cloud.url, "admin", cloud.password, "admin")
        self.dice, self.moved = dice, 0

    def run(self, stop: threading.Event) -> None:
        """Now a live migration, now a cold one that is kept, until told to stop."""
        while not stop.wait(self.dice.uniform(2.0, 6.0)):
            with contextlib.suppress(Unknown, Refused):
                self._move()

    def _move(self) -> None:
        servers = self.caller.call("GET", f"{COMPUTE}/servers/detail?all_tenants=1")["servers"]
        for server in servers:
            if server["status"] == "VERIFY_RESIZE":
                self._act(server["id"], {"confirmResize": None})
        if servers:
            live = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
            chosen = self.dice.choice(servers)["id"]
            self._act(chosen, live if self.dice.random() < 0.6 else {"migrate": None})
            self.moved += 1

    def _act(self, server_id: str, action: dict[str, object]) -> None:
        path = f"{COMPUTE}/servers/{server_id}/action"
        self.caller.call("POST", path, action, version="compute 2.30")

    def settle(self, seconds: float) -> None:
        """Confirm what waits for it: nobody is there who would."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            servers = self.caller.patiently("GET", f"{COMPUTE}/servers/detail?all_tenants=1")["servers"]
            waiting = [server["id"] for server in servers if server["status"] in ("VERIFY_RESIZE", "RESIZE")]
            if not waiting:
                return
            for server_id in waiting:
                with contextlib.suppress(Unknown, Refused):
                    self._act(server_id, {"confirmResize": None})
            time.sleep(1.0)


# ------------------------------------------------------------------------------------------------------ what must hold


def all_back(cloud: RealCloud) -> None:
    """Every machine and its agent run, and the cloud hears of them."""
    for machine in machines(cloud):
        machine.start()
        if agent(machine) is None:
            up(machine)

    def connected() -> bool:
        return all(host["connected"] for host in cloud.admin().call("GET", "/hosts")["hosts"])

    wait_for("all hosts back", connected, JOIN_SECONDS)


def compare(cloud: RealCloud, found: Rows) -> tuple[set[str], set[str]]:
    """(rows without their object, objects without their row or a second time), over all hosts."""
    missing: set[str] = set()
    extra: set[str] = set()
    places = {f"m{machine.number}": machine.name for machine in machines(cloud)}
    name_of = {f"{cloud.folder}/{folder}/host": name for folder, name in places.items()}
    [here] = {host["name"] for host in cloud.admin().call("GET", "/hosts")["hosts"]} - set(places.values())
    name_of[f"{cloud.folder}/host"] = here

    def running(program: str, kind: str) -> Iterator[tuple[str, str]]:
        for _, folder in processes(cloud, program):
            if f"/host/{kind}/" in folder:
                state, _, rest = folder.rpartition(f"/{kind}/")
                yield rest.split("/")[0], name_of[state]

    def same(what: str, wanted: set[tuple[str, str]], present: list[tuple[str, str]], allowed: set[str]) -> None:
        missing.update(f"{what} {key} on {host}" for key, host in wanted - set(present))
        extra.update(f"{what} {key} on {host}" for key, host in set(present) - wanted if key not in allowed)
        twice = Counter(key for key, _ in present)
        extra.update(f"{what} {key} {count} times" for key, count in twice.items() if count > 1)

    host_of = {key: row["OS-EXT-SRV-ATTR:host"] for key, row in found.servers.items()}
    active = {(k, host_of[k]) for k, row in found.servers.items() if row["status"] in ("ACTIVE", "PAUSED")}
    same("guest process", active, list(running("qemu-system", "guests")), set())
    pool_of = {key: str(row["os-vol-host-attr:host"]).split("@")[0] for key, row in found.volumes.items()}
    attached = {(key, pool_of[key]) for key, row in found.volumes.items() if row["status"] == "in-use"}
    same("exporter", attached, list(running("qemu-storage-daemon", "volumes")), set())
    errors = {
        key for rows in (found.servers, found.volumes) for key, row in rows.items() if "error" in row["status"].lower()
    }
    for kind, placed in (("guests", host_of), ("volumes", pool_of)):
        folders = [
            (path.name, name)
            for state, name in name_of.items()
            for path in os.scandir(f"{state}/{kind}")
            if path.is_dir()
        ]
        same(f"folder in {kind}", {(k, h) for k, h in placed.items() if k not in errors}, folders, errors)
    return missing, extra
