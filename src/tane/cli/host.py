"""``tane host``: the machines of the cloud."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from tane.cli.client import CallError, Client
from tane.cli.common import DEFAULT_STATE, State, StateOption

app = typer.Typer(no_args_is_help=True, help="The machines of the cloud: let more join, look at them, remove them.")
HostArgument = Annotated[str, typer.Argument(help="Name or id of the host.")]


def _client(state: Any) -> Client:
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


def _call(client: Client, method: str, path: str, body: Any = None) -> Any:
    try:
        return client.call(method, f"/hosts{path}", body)
    except CallError as error:
        sys.exit(f"tane: {error.told or error}")


@app.command()
def token(
    state: StateOption = DEFAULT_STATE,
    name: Annotated[str, typer.Option("--name", help="Of the one host that may use it.")] = "",
    roles: Annotated[str, typer.Option("--roles", help="What the host may do.")] = "compute,network,volume",
    hours: Annotated[float, typer.Option("--hours", help="How long it is good.")] = 1.0,
) -> None:
    """Print a token by which one machine joins: ./tane join there reads it from standard input or a file."""
    wanted: dict[str, Any] = {"roles": roles.split(","), "hours": hours}
    if name:
        wanted["name"] = name
    print(_call(_client(state), "POST", "/tokens", {"token": wanted})["token"]["token"])


@app.command("list")
def list_hosts(state: StateOption = DEFAULT_STATE) -> None:
    """The hosts, a line each."""
    rows = [("NAME", "STATE", "ROLES", "SERVERS", "VOLUMES", "ADDRESS")]
    for host in _call(_client(state), "GET", "")["hosts"]:
        said = host["state"] if host["enabled"] else f"{host['state']}, disabled"
        numbers = (str(host["servers"]), str(host["volumes"]))
        rows.append((host["name"], said, ",".join(host["roles"]), *numbers, host["local_ip"] or "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def show(host: HostArgument, state: StateOption = DEFAULT_STATE) -> None:
    """What is known of a host."""
    for key, value in _call(_client(state), "GET", f"/{host}")["host"].items():
        print(f"{key:16} {value}")


@app.command()
def enable(host: HostArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Let new servers come to a host again."""
    _call(_client(state), "PUT", f"/{host}", {"host": {"enabled": True}})


@app.command()
def disable(
    host: HostArgument,
    state: StateOption = DEFAULT_STATE,
    reason: Annotated[str, typer.Option("--reason", help="Shown to administrators.")] = "",
) -> None:
    """Let no new servers come to a host; those there stay."""
    _call(_client(state), "PUT", f"/{host}", {"host": {"enabled": False, "disabled_reason": reason or None}})


@app.command()
def remove(host: HostArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Remove a host that holds no servers and no volumes; it is let in no more."""
    _call(_client(state), "DELETE", f"/{host}")
