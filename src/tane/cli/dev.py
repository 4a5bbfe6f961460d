"""``tane dev``: what helps to try things out. ``tane dev hosts N`` lets N more hosts join, all on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from tane import ids
from tane.cli.client import CallError
from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import StateOption, roles_of
from tane.linux import machines, process
from tane.linux.files import remove_tree, write_private
from tane.linux.machines import Bridge, Machine, MachineError
from tane.wire.joining import ROLES, Role

app = typer.Typer(no_args_is_help=True, help="For trying things out.")
MOST = 64
ALL = ",".join(ROLES)


@app.command()
def hosts(
    count: Annotated[int, typer.Argument(help="How many there should be, besides this machine.", min=1, max=MOST)],
    state: StateOption = DEFAULT_STATE,
    roles: Annotated[str, typer.Option("--roles", help="What those do that are made now, with commas between.")] = ALL,
) -> None:
    """Let more hosts join the running cloud: each with namespaces, an agent and a state folder of its own."""
    wanted = roles_of(roles)
    files = State.of(state)
    files.require()
    if not files.running():
        sys.exit(f"tane: the cloud in {files.folder} does not run; ./tane up first")
    if files.config().agents_host != bridge(files).address():
        prepare(files)
        sys.exit("tane: the running cloud listens elsewhere for hosts: ./tane down, ./tane up, and this once more")
    prepare(files)
    known = {host["name"] for host in files.admin().call("GET", "/hosts")["hosts"]}
    for machine in (numbered(files, number) for number in range(1, count + 1)):
        if State.of(machine.folder).joined() and machine.name not in known:
            # It was removed: what it has of the cloud is good for nothing.
            machine.start()
            inside(machine, "leave", "--state", str(machine.folder), "--force")
            remove_tree(machine.folder)
        if not State.of(machine.folder).joined():
            print(f"tane: {machine.name} joined in {add(files, machine, wanted):.1f} s", flush=True)
        elif not State.of(machine.folder).running() and _start(machine):
            print(f"tane: {machine.name} is up again", flush=True)


def bridge(files: State) -> Bridge:
    return Bridge(ids.of(files.folder).cloud_id)


def numbered(files: State, number: int) -> Machine:
    return Machine(bridge(files), number, files.folder)


def every(files: State) -> Iterator[Machine]:
    """The machines that were made."""
    for number in range(1, MOST + 1):
        machine = numbered(files, number)
        if machine.folder.exists() or machine.pidfile.exists():
            yield machine


def prepare(files: State) -> None:
    """Before the cloud starts: where hosts will reach it. Exits where there can be none."""
    mode = files.mode()
    if mode == "simulated":
        sys.exit("tane: a simulated cloud has the hosts that simulated_hosts in tane.toml says, and no others")
    if mode is not None and mode != "root":
        sys.exit(f"tane: more hosts need root on this machine, and this cloud runs in mode {mode}")
    try:
        bridge(files).make()
    except MachineError as error:
        sys.exit(f"tane: {error}")
    files.remember(agents_host=bridge(files).address(), vxlan_port=bridge(files).tunnel_port)


def connect(files: State) -> None:
    """Before the cloud starts: what its machines are connected by, when it has some."""
    if next(every(files), None) is not None:
        prepare(files)


def add(files: State, machine: Machine, roles: Sequence[Role] = ROLES) -> float:
    """Make a machine and let it join; returns the seconds that took. Exits with the reason when it does not."""
    begun = time.monotonic()
    wanted = {"name": machine.name, "roles": roles}
    try:
        machine.start()
        token = files.admin().call("POST", "/hosts/tokens", {"token": wanted})["token"]["token"]
    except (MachineError, CallError) as error:
        sys.exit(f"tane: {error}")
    secret = files.folder / "run" / "join-token"
    write_private(secret, token.encode())
    joining = [
        "join",
        "--state",
        str(machine.folder),
        "--token-file",
        str(secret),
        "--name",
        machine.name,
        "--roles",
        ",".join(roles),
    ]
    done = inside(machine, *joining)
    secret.unlink()
    if done.returncode != 0:
        sys.exit(f"tane: {machine.name} did not join: {done.stdout}{done.stderr}")
    return time.monotonic() - begun


def inside(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of our own commands, run in a machine."""
    command = machine.command(sys.executable, "-m", "tane.cli", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def start_again(files: State) -> None:
    """The machines that were made, with their agents, after the cloud's own start."""
    for machine in every(files):
        if not State.of(machine.folder).joined():
            continue
        _start(machine)


def _start(machine: Machine) -> bool:
    """A machine that joined, with its agent; tells why not."""
    try:
        machine.start()
    except MachineError as error:
        print(f"tane: {error}")
        return False
    done = inside(machine, "up", "--state", str(machine.folder))
    if done.returncode != 0:
        print(f"tane: {machine.name} does not start: {done.stdout}{done.stderr}")
    return done.returncode == 0


def end(files: State) -> None:
    """End all machines and what is in them; their states stay in the cloud's folder."""
    found = list(every(files))
    for machine in found:
        if process.alive(machine.pidfile):
            done = inside(machine, "down", "--state", str(machine.folder))
            if done.returncode != 0:
                print(f"tane: {machine.name}: {done.stdout}{done.stderr}")
        machine.stop()
    if found or files.config_to_end().agents_host == bridge(files).address():
        bridge(files).remove()


def kill(machine: Machine) -> None:
    """The machine loses its power: everything that runs in it ends at once."""
    pid = process.read_pid(machine.pidfile)
    if pid is None:
        return
    machines.kill_all(pid)
