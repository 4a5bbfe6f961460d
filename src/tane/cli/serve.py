"""``tane serve``: the cloud in the foreground."""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import Annotated

import typer

from tane.cli.common import DEFAULT_STATE, ModeOption, PortOption, State, StateOption, refuse_beside_its_copy
from tane.config import WILDCARDS
from tane.linux import process


def listen(host: str, port: int) -> socket.socket:
    """The listening socket of all APIs. Exits with the reason when the port is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        busy = error.errno in (errno.EADDRINUSE, errno.EACCES)
        remedy = "Choose another port with --port." if busy else "Set host in tane.toml to an address of this machine."
        sys.exit(f"tane: cannot listen on {host}:{port}: {error.strerror}. {remedy}")
    listener.listen(1024)
    listener.set_inheritable(True)
    return listener


def serve(
    state: StateOption = DEFAULT_STATE,
    port: PortOption = None,
    mode: ModeOption = None,
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the cloud in the foreground until interrupted."""
    import uvloop

    from tane import ids
    from tane.agent.rights import choose
    from tane.cli import userns
    from tane.db import DatabaseUnavailable
    from tane.db.migrate import OtherSchema
    from tane.server import run
    from tane.web import tls

    files = State.of(state)
    files.prepare()
    if fd is None:
        # `up` has done it already, and hands over what it found, which is not what anybody asked for.
        files.remember(port=port, mode=mode)
    config = files.config(port=port, mode=mode)
    if fd is None and files.running():
        sys.exit(f"tane: a cloud runs in {files.folder} already (pid {process.read_pid(files.pidfile)})")
    refuse_beside_its_copy(ids.hold(files.folder))
    listener = socket.socket(fileno=fd) if fd is not None else listen(config.host, config.port)
    choice = choose(config)
    if choice.mode == "userns" and not userns.inside(files):
        userns.enter_and_run(files, ["serve", "--state", str(files.folder), "--fd", str(listener.fileno())])
    if fd is None:
        tls.prepare(config)
        process.record(files.pidfile, os.getpid())
        print(choice.sentence, flush=True)
    listeners = [listener]
    if userns.inside(files) and (config.on_loopback or config.host in WILDCARDS):
        # The first one was made outside: here the namespace's own loopback, where `tane shell` leads.
        listeners.append(listen(config.host, config.port))
    try:
        uvloop.run(run(files.folder, config, choice, files.admin_password(), listeners))
    except DatabaseUnavailable as error:
        sys.exit(f"tane: the cloud's database cannot be used: {error.orig}")
    except OtherSchema as error:
        sys.exit(f"tane: {error}")
