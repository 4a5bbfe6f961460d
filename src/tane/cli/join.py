"""``tane join``: this machine becomes a host of a cloud; ``tane leave``: it is one no longer."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tane import ids
from tane.agent.rights import Choice, choose
from tane.cli import processes
from tane.cli.common import DEFAULT_STATE, State, refuse_beside_its_copy, tail
from tane.cli.options import ModeOption, StateOption, roles_of
from tane.cli.packages import install_missing_packages
from tane.linux import addresses, process
from tane.wire.errors import HostError
from tane.wire.joining import ROLES, USUAL_ROLES, JoinToken, Name
from tane.wire.joining import token as parse

USUAL = ",".join(USUAL_ROLES)
MODES = ("root", "simulated")
"""In which a host has networks that others reach, or says loudly that it has none."""
DEADLINE = 30.0
NameOption = Annotated[
    str | None, typer.Option("--name", help="The host's name in the cloud; by default this machine's.")
]
RolesOption = Annotated[str, typer.Option("--roles", help="What the host does, with commas between.")]
TokenOption = Annotated[
    Path | None,
    typer.Option("--token-file", help="The file with the join token; by default standard input."),
]
LocalOption = Annotated[
    str | None,
    typer.Option(
        "--local-ip", help="The address tunnels to other hosts start from; by default the one the cloud is reached by."
    ),
]
AgainOption = Annotated[
    bool, typer.Option("--again", help="Join the same cloud anew: after a month away, or a backup brought back.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Also when the cloud does not answer, or says no.")]


def join(
    state: StateOption = DEFAULT_STATE,
    token_file: TokenOption = None,
    name: NameOption = None,
    roles: RolesOption = USUAL,
    local_ip: LocalOption = None,
    mode: ModeOption = None,
    again: AgainOption = False,
) -> None:
    """Make this machine a host of the cloud that a join token is of (tane host token), and start its agent."""
    from tane.agent import cloud

    files = State.of(state)
    wanted = roles_of(roles)
    if files.password_file.exists():
        sys.exit(f"tane: {files.folder} holds a cloud of its own; a host takes another folder: --state")
    files.prepare()
    kept = cloud.Files(files.folder)
    member = kept.read()
    if again:
        if member is None:
            sys.exit(f"tane: there is no host in {files.folder} to join again")
        name, wanted = member.name, tuple(role for role in ROLES if role in member.roles)
    elif member is not None:
        sys.exit(f"tane: this host has joined {member.address}:{member.port} already; ./tane up starts its agent")
    named = _name(name or socket.gethostname())
    token = _token(token_file)
    install_missing_packages()
    choice = _choice(files, mode)
    source = _own(local_ip) if local_ip else _source(token)
    if not again:
        files.remember(mode=choice.mode, local_ip=source)
    own = ids.of(files.folder)
    begun = time.monotonic()
    try:
        asyncio.run(cloud.join(kept, token, own.host_id, named, wanted, simulated=choice.mode == "simulated"))
    except HostError as error:
        sys.exit(f"tane: {error}")
    if again:
        # Not before: what is refused changes nothing of a host that is one.
        files.remember(mode=choice.mode, local_ip=source)
    print(f"tane: {named} has joined the cloud at {token.address}:{token.port}")
    process.stop(files.pidfile, timeout_seconds=15)
    if source is None:
        print("tane: WARNING: no tunnel leads to other hosts: the cloud is on this machine's loopback; see --local-ip")
    if start(files, choice):
        print(f"tane: the agent is connected after {time.monotonic() - begun:.1f} s")


def _name(name: str) -> str:
    try:
        return msgspec.convert(name, Name)
    except msgspec.ValidationError:
        sys.exit(f"tane: {name!r} cannot be a host's name: letters, digits and - between dots; --name gives another")


def _own(address: str) -> str:
    """An address of this machine that others can reach. Exits for any other."""
    if not addresses.of_others(address):
        sys.exit(f"tane: --local-ip takes an address by which other hosts reach this machine, not {address!r}")
    canonical = str(ipaddress.ip_address(address))
    if canonical not in addresses.every():
        sys.exit(f"tane: {canonical} is no address of this machine: it has {', '.join(addresses.every())}")
    return canonical


def _token(file: Path | None) -> JoinToken:
    if file is None:
        if sys.stdin.isatty():
            print("tane: the join token, from ./tane host token on the cloud:", flush=True)
        text = sys.stdin.readline()
    else:
        try:
            text = file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            sys.exit(f"tane: {file} cannot be read: {error}")
    try:
        return parse(text)
    except ValueError as error:
        sys.exit(f"tane: {error}")


def _choice(files: State, mode: str | None) -> Choice:
    choice = choose(files.config(mode=mode))
    if choice.mode not in MODES:
        how = f"; {choice.mend} helps" if choice.mend else ""
        sys.exit(f"tane: a host needs root and namespaces, and would run in mode {choice.mode} here{how}")
    print(choice.sentence, flush=True)
    return choice


def _source(token: JoinToken) -> str | None:
    """The address of this machine from which the cloud is reached; None when that is its own loopback."""
    try:
        family, _, _, _, peer = socket.getaddrinfo(token.address.strip("[]"), token.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(peer)
            found = str(probe.getsockname()[0])
    except OSError as error:
        sys.exit(f"tane: there is no way to {token.address}: {error.strerror}")
    return None if ipaddress.ip_address(found).is_loopback else found


def start(files: State, choice: Choice) -> bool:
    """Start the agent in the background; whether it was connected in time. Exits with the log's end when it dies."""
    refuse_beside_its_copy(ids.copy_running(files.folder))
    files.chosen_mode.parent.mkdir(parents=True, exist_ok=True)
    files.chosen_mode.write_text(f"{choice.mode}\n{choice.sentence}\n")
    files.connected.unlink(missing_ok=True)
    command = [sys.executable, *processes.AGENT, "--state", str(files.folder)]
    process.spawn(command, pidfile=files.pidfile, log=files.log)
    until = time.monotonic() + DEADLINE
    while not files.connected.exists():
        if not files.running():
            sys.exit(f"tane: the agent ended while starting. The end of {files.log}:\n{tail(files.log)}")
        if time.monotonic() > until:
            print(f"tane: not connected yet; the agent goes on trying. The end of {files.log}:\n{tail(files.log, 3)}")
            return False
        time.sleep(0.02)
    return True


def start_again(files: State) -> None:
    """Start the agent of a host that joined before, unless it runs."""
    if files.running():
        print(f"tane: the agent in {files.folder} runs already")
        return
    install_missing_packages()
    if start(files, _choice(files, None)):
        print(f"tane: the agent in {files.folder} is connected")


def agent(state: StateOption = DEFAULT_STATE, mode: ModeOption = None) -> None:
    """Run the agent of a host that has joined a cloud in the foreground until interrupted."""
    processes.agent(State.of(state), mode)


def leave(
    state: StateOption = DEFAULT_STATE,
    force: Annotated[
        bool, typer.Option("--force", help="Also when the cloud does not answer, or has things here.")
    ] = False,
) -> None:
    """End this host: the cloud forgets it, and all it has on this machine goes."""
    from tane.agent import cloud
    from tane.cli.down import end
    from tane.linux.files import remove_tree

    files = State.of(state)
    kept = cloud.Files(files.folder)
    member = kept.read()
    if member is None:
        sys.exit(f"tane: there is no host in {files.folder}")
    try:
        asyncio.run(cloud.leave(kept, member))
    except HostError as error:
        if not force:
            sys.exit(f"tane: {error} (--force leaves all the same)")
        print(f"tane: {error}")
    end(files)
    ids.forget(files.folder)
    remove_tree(files.folder)
    print(f"tane: {member.name} is no host of {member.address}:{member.port} any more")
