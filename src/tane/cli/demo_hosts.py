"""What ``tane demo --hosts N`` shows beyond the tour: servers on different hosts, and a host that loses its power."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tane.cli import dev
from tane.cli.client import CallError
from tane.linux.machines import Machine

if TYPE_CHECKING:
    from tane.cli.demo import Tour

BACK_SECONDS = 180.0


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
