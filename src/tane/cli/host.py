"""``tane host``: the machines of the cloud."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from tane.cli.client import CallError, Client
from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import StateOption

app = typer.Typer(no_args_is_help=True, help="The machines of the cloud: let more join, look at them, remove them.")
MOVE_SECONDS = 6 * 3600.0
HostArgument = Annotated[str, typer.Argument(help="Name or id of the host.")]


def administrator(state: Any) -> Client:
    """Of the cloud in a folder; ends the command where that does not run or answer."""
    files = State.of(state)
    files.require()
    if not files.running():
        sys.exit(f"tane: the cloud in {files.folder} does not run; ./tane up starts it")
    try:
        return files.admin()
    except CallError as error:
        sys.exit(f"tane: {error}")
    except OSError as error:
        sys.exit(f"tane: the cloud in {files.folder} does not answer: {error.strerror or error}")


def asked(client: Client, method: str, path: str, body: Any = None) -> Any:
    """What the cloud answers; ends the command with what it refuses."""
    try:
        return client.call(method, path, body)
    except CallError as error:
        sys.exit(f"tane: {error.told or error}")


def _call(client: Client, method: str, path: str, body: Any = None) -> Any:
    return asked(client, method, f"/hosts{path}", body)


@app.command()
def token(
    state: StateOption = DEFAULT_STATE,
    name: Annotated[str, typer.Option("--name", help="Of the one host that may use it.")] = "",
    roles: Annotated[
        str,
        typer.Option("--roles", help="What the host may do; by default what it did, or compute,network,volume."),
    ] = "",
    hours: Annotated[float, typer.Option("--hours", help="How long it is good.")] = 1.0,
) -> None:
    """Print a token by which one machine joins: ./tane join there reads it from standard input or a file."""
    wanted: dict[str, Any] = {"hours": hours, **({"roles": roles.split(",")} if roles else {})}
    if name:
        wanted["name"] = name
    print(_call(administrator(state), "POST", "/tokens", {"token": wanted})["token"]["token"])


@app.command("list")
def list_hosts(state: StateOption = DEFAULT_STATE) -> None:
    """The hosts, a line each."""
    rows = [("NAME", "STATE", "ROLES", "SERVERS", "VOLUMES", "ADDRESS")]
    for host in _call(administrator(state), "GET", "")["hosts"]:
        said = host["state"] if host["enabled"] else f"{host['state']}, disabled"
        numbers = (str(host["servers"]), str(host["volumes"]))
        rows.append((host["name"], said, ",".join(host["roles"]), *numbers, host["local_ip"] or "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def show(host: HostArgument, state: StateOption = DEFAULT_STATE) -> None:
    """What is known of a host."""
    for key, value in _call(administrator(state), "GET", f"/{host}")["host"].items():
        print(f"{key:16} {value}")


@app.command()
def enable(host: HostArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Let new servers come to a host again, also to one that was called dead."""
    found = _call(administrator(state), "PUT", f"/{host}", {"host": {"enabled": True, "dead": False}})["host"]
    print(f"tane: new servers come to {found['name']} again")


@app.command()
def disable(
    host: HostArgument,
    state: StateOption = DEFAULT_STATE,
    reason: Annotated[str, typer.Option("--reason", help="Shown to administrators.")] = "",
) -> None:
    """Let no new servers come to a host; those there stay."""
    client = administrator(state)
    found = _call(client, "PUT", f"/{host}", {"host": {"enabled": False, "disabled_reason": reason or None}})["host"]
    print(f"tane: no new servers come to {found['name']}")


@app.command()
def drain(
    host: HostArgument,
    state: StateOption = DEFAULT_STATE,
    reason: Annotated[str, typer.Option("--reason", help="Shown to administrators.")] = "",
) -> None:
    """Let no new servers come to a host, and move those there to others, one after the other: those that run go on
    meanwhile where the other host lets them, else they are shut down for as long as it takes. Volumes stay. May be said
    again when it broke off."""
    client = administrator(state)
    found = _call(client, "PUT", f"/{host}", {"host": {"enabled": False, "disabled_reason": reason or None}})["host"]
    left = 0
    # Of an earlier time that broke off; what their owners resized is for them to confirm.
    for move in _moved_away(client, found["name"]):
        _act(client, move["instance_uuid"], {"confirmResize": None})
    for server in _servers(client, found["name"]):
        try:
            moved = _move(client, server)
            print(f"{server['id']}  {server['name']}  is on {moved['OS-EXT-SRV-ATTR:host']}")
        except CallError as error:
            left += 1
            print(f"{server['id']}  {server['name']}  stays: {error.told or error}", file=sys.stderr)
    if left:
        sys.exit(f"tane: {left} servers stay on {found['name']}")
    print(f"tane: no servers are on {found['name']}, and none come to it")


def _move(client: Client, server: dict[str, Any]) -> dict[str, Any]:
    """The server on another host. :raises CallError: it stays."""
    status, here = server["status"], server["OS-EXT-SRV-ATTR:host"]
    if status not in ("ACTIVE", "PAUSED", "SHUTOFF"):
        raise CallError(f"it is in {status}, from which only its owner brings it back")
    if status != "SHUTOFF":
        try:
            body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
            _act(client, server["id"], body, "compute 2.30")
            moved = _wait(client, server["id"], ("ACTIVE", "PAUSED", "SHUTOFF"), unless=("ERROR",))
            if moved["OS-EXT-SRV-ATTR:host"] != here:
                return moved
        except CallError:
            if status == "PAUSED":
                raise
    _act(client, server["id"], {"migrate": None})
    _wait(client, server["id"], ("VERIFY_RESIZE",), unless=(status, "ERROR"))
    _act(client, server["id"], {"confirmResize": None})
    return _wait(client, server["id"], ("ACTIVE", "SHUTOFF"), unless=("ERROR",))


@app.command()
def confirm_dead(
    host: HostArgument,
    state: StateOption = DEFAULT_STATE,
    evacuate: Annotated[bool, typer.Option("--evacuate", help="Make its servers again on other hosts.")] = False,
) -> None:
    """Say that nothing runs on a host any more: that its power is off. Only then may its servers run elsewhere. What is
    left of them there is deleted when it comes back and is enabled."""
    client = administrator(state)
    found = _call(client, "PUT", f"/{host}", {"host": {"dead": True}})["host"]
    left = 0
    for server in _servers(client, found["name"]) if evacuate else ():
        try:
            _act(client, server["id"], {"evacuate": {}}, "compute 2.14")
            made = _wait(client, server["id"], ("ACTIVE", "SHUTOFF"), unless=("ERROR",))
            print(f"{server['id']}  {server['name']}  is on {made['OS-EXT-SRV-ATTR:host']}")
        except CallError as error:
            left += 1
            print(f"{server['id']}  {server['name']}  is not back: {error.told or error}", file=sys.stderr)
    if left:
        sys.exit(f"tane: {left} servers are not back")
    print(f"tane: {found['name']} is taken for dead until it is enabled")


def _moved_away(client: Client, name: str) -> list[dict[str, Any]]:
    query = f"source_compute={name}&status=finished&migration_type=migration"
    found = client.call("GET", f"/compute/v2.1/os-migrations?{query}", microversion="compute 2.23")
    return [move for move in found["migrations"] if move["source_compute"] == name]


def _servers(client: Client, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        marker = f"&marker={found[-1]['id']}" if found else ""
        page = client.call("GET", f"/compute/v2.1/servers/detail?all_tenants=1&host={name}{marker}")["servers"]
        if not page:
            return found
        found += page


def _act(client: Client, server_id: str, body: Any, microversion: str | None = None) -> None:
    client.call("POST", f"/compute/v2.1/servers/{server_id}/action", body, microversion=microversion)


def _wait(client: Client, server_id: str, statuses: tuple[str, ...], *, unless: tuple[str, ...]) -> dict[str, Any]:
    """The server once it is in one of ``statuses`` with no task. :raises CallError: it ends otherwise."""

    def settled(answer: Any) -> bool:
        return answer["server"]["OS-EXT-STS:task_state"] is None and answer["server"]["status"] in statuses

    def failed(answer: Any) -> str | None:
        server = answer["server"]
        if server["OS-EXT-STS:task_state"] is not None or server["status"] not in unless:
            return None
        return str(server.get("fault", {}).get("message", "its actions tell why it could not be moved"))

    answer = client.wait(f"/compute/v2.1/servers/{server_id}", settled, seconds=MOVE_SECONDS, failed=failed)
    found: dict[str, Any] = answer["server"]
    return found


@app.command()
def cut(host: HostArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Cut a host off that is connected and not to be trusted: nothing it says is believed any more, whatever is
    on it. It comes back only by ./tane join --again with a token of its name."""
    _call(administrator(state), "DELETE", f"/{host}/certificates")
    print(f"tane: {host} is cut off; it comes back by a token of its name alone: ./tane join --again")


@app.command()
def remove(host: HostArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Remove a host that holds no servers and no volumes; it is let in no more."""
    _call(administrator(state), "DELETE", f"/{host}")
    print(f"tane: {host} is no host of this cloud any more")
