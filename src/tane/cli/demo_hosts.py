"""What ``tane demo --hosts N`` shows beyond the tour: servers on different hosts, and a host that loses its power."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tane.cli import dev, userns
from tane.cli.client import CallError
from tane.linux.machines import Machine

if TYPE_CHECKING:
    from tane.cli.demo import Tour

BACK_SECONDS = 180.0
PING_SECONDS = 0.02


def walk(tour: Tour, machines: Sequence[Machine]) -> None:
    """After the tour: a server on each host of the cloud. :raises CallError: something does not work."""
    from tane.cli.demo import step

    count = len(machines) + 1
    with step(f"{count} servers, each on a host of its own"):
        found = dict(_servers(tour, count))
    with step("each of them reached from the first server"):
        for address in found.values():
            tour.ssh(_reach(address), BACK_SECONDS)
    told = ", ".join(f"{address} on {host}" for host, address in found.items())
    print(f"      {told}")
    with step("the first server goes to another host while it is pinged"):
        said = _live_migrate(tour, machines[-1].name)
    print(f"      {said}")
    machine = machines[-1]
    begun = time.monotonic()
    with step(f"{machine.name} loses its power and comes back"):
        dev.kill(machine)
        machine.start()
        done = dev.inside(machine, "up", "--state", str(machine.folder))
        if done.returncode != 0:
            raise CallError(f"{machine.name} does not start: {done.stdout}{done.stderr}")
    with step("its server, started again by the cloud, answers"):
        tour.ssh(_reach(found[machine.name]), BACK_SECONDS)
    print(f"      {time.monotonic() - begun:.1f} s from the loss of the host to its server's answer")


def _live_migrate(tour: Tour, spared: str) -> str:
    """To a host other than ``spared``, where there is one; what became of the packets meanwhile."""
    server, here = f"/compute/v2.1/servers/{tour.first_id}", _host(tour)
    others = [host["name"] for host in tour.admin.call("GET", "/hosts")["hosts"] if host["name"] != here]
    wanted = min(others, key=lambda name: name == spared)
    inside = userns.prefix(tour.state) if tour.mode == "userns" else []
    ping = [*inside, "ping", "-n", "-i", str(PING_SECONDS), tour.address]
    body = {"os-migrateLive": {"host": wanted, "block_migration": "auto"}}
    with subprocess.Popen(ping, stdout=subprocess.PIPE, text=True) as pinging:
        try:
            tour.ssh("true", BACK_SECONDS)
            tour.admin.call("POST", f"{server}/action", body, microversion="compute 2.30")
            tour.admin.wait(
                server,
                lambda answer: answer["server"]["OS-EXT-STS:task_state"] is None,
                seconds=BACK_SECONDS,
                failed=lambda answer: "it is in ERROR" if answer["server"]["status"] == "ERROR" else None,
            )
            tour.ssh("true", BACK_SECONDS)
        finally:
            pinging.send_signal(signal.SIGINT)
            said, _ = pinging.communicate()
    there = _host(tour)
    if there == here:
        raise CallError("the server stayed where it was: its actions tell why")
    seen = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", said)}
    lost = max(seen, default=0) - len(seen)
    return f"from {here} to {there}: {lost} packets lost of one each {PING_SECONDS * 1000:.0f} ms"


def _host(tour: Tour) -> str:
    shown = tour.admin.call("GET", f"/compute/v2.1/servers/{tour.first_id}")["server"]
    return str(shown["OS-EXT-SRV-ATTR:host"])


def _reach(address: str) -> str:
    """The command that waits until an address answers, for a minute or so: a server that is ACTIVE may still boot."""
    return f"n=0; until ping -c 1 -W 1 {address} >/dev/null; do n=$((n+1)); [ $n -lt 50 ] || exit 1; sleep 0.2; done"


def _servers(tour: Tour, count: int) -> list[tuple[str, str]]:
    """(host, fixed address) of new servers, no two on one host."""
    wanted = {"server_group": {"name": "apart", "policies": ["anti-affinity"]}}
    group = tour.user.call("POST", "/compute/v2.1/os-server-groups", wanted)["server_group"]["id"]
    found = []
    for number in range(1, count + 1):
        name = f"{tour.name}-{number}"
        server_id = tour.server(name, *tour.ordered, group=group)
        shown = tour.admin.call("GET", f"/compute/v2.1/servers/{server_id}")["server"]
        [addresses] = shown["addresses"].values()
        found.append((shown["OS-EXT-SRV-ATTR:host"], addresses[0]["addr"]))
    return found
