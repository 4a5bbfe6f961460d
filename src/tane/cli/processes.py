"""The two processes that stay: the cloud's, and the agent's of a host that has joined. They load neither a parser of
commands nor what changes a database's schema, which would take memory for as long as they run."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

from tane import ids
from tane.agent.rights import choose
from tane.cli import userns
from tane.cli.common import State, refuse_beside_its_copy
from tane.config import WILDCARDS, Config, ConfigError
from tane.linux import process
from tane.linux.programs import complete_path
from tane.wire.errors import HostError

CLOUD = ("-m", "tane.cli.processes", "cloud")
AGENT = ("-m", "tane.cli.processes", "agent")
SCHEMA = ("-m", "tane.cli.processes", "schema")
"""Arguments of Python."""


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


def cloud(files: State, port: int | None, mode: str | None, fd: int | None) -> None:
    """Run the cloud until interrupted; ``fd``: the socket on which `up` listens already."""
    from tane.db import DatabaseUnavailable
    from tane.db.migrate import OtherSchema

    try:
        _serve(files, port, mode, fd)
    except DatabaseUnavailable as error:
        sys.exit(f"tane: the cloud's database cannot be used: {error.orig}")
    except OtherSchema as error:
        sys.exit(f"tane: {error}")


def _serve(files: State, port: int | None, mode: str | None, fd: int | None) -> None:
    import uvloop

    from tane.web import tls

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
        userns.enter_and_run(files, [*CLOUD, "--state", str(files.folder), "--fd", str(listener.fileno())])
    if fd is None:
        tls.prepare(config)
        process.record(files.pidfile, os.getpid())
        print(choice.sentence, flush=True)
    listeners = [listener]
    if userns.inside(files) and (config.on_loopback or config.host in WILDCARDS):
        # The first one was made outside: here the namespace's own loopback, where `tane shell` leads.
        listeners.append(listen(config.host, config.port))
    process.give_memory_back()
    bringing_up = _bring_up_beside(files, config)
    # Takes as long as a new cloud's tables do.
    from tane.server import run

    if bringing_up is not None:
        bringing_up.wait()
    uvloop.run(run(files.folder, config, choice, files.admin_password(), listeners))


def _bring_up_beside(files: State, config: Config) -> subprocess.Popen[bytes] | None:
    """Begin to change the database's schema in a process of its own, when there is anything to change. What that cannot
    do is tried again, and told, by the cloud itself.

    :raises DatabaseUnavailable:
    """
    from tane.db import Database
    from tane.db.migrate import stands

    database = Database(config.database, readers=1)
    try:
        if stands(database):
            return None
    finally:
        database.close()
    # It ends with this process: a folder that is gone by then would be made anew.
    command = ["setpriv", "--pdeathsig=KILL", "--", sys.executable, *SCHEMA, "--state", str(files.folder)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def bring_up(files: State) -> None:
    """Give the cloud's database this release's schema."""
    from tane import schema
    from tane.db import Database

    database = Database(files.config().database, readers=1)
    try:
        schema.bring_up(database, files.folder)
    finally:
        database.close()


def agent(files: State, mode: str | None) -> None:
    """Run the agent of a host that has joined a cloud until interrupted."""
    import uvloop

    from tane.agent import cloud as joined
    from tane.agent.process import run

    member = joined.Files(files.folder).read()
    if member is None:
        sys.exit(f"tane: there is no host in {files.folder}; ./tane join makes this machine one")
    refuse_beside_its_copy(ids.hold(files.folder))
    config = files.config(mode=mode)
    process.give_memory_back()
    try:
        uvloop.run(run(files.folder, config, choose(config), member, files.connected))
    except HostError as error:
        sys.exit(f"tane: {error}")


def main() -> None:
    """As `tane up` and `tane join` start them, which have looked at what was typed."""
    # Before anything is written: every file of a cloud is its owner's alone.
    os.umask(0o077)
    complete_path()
    # With it structlog could draw errors, which no log here does, for 3 MB.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    parser = argparse.ArgumentParser()
    parser.add_argument("which", choices=("cloud", "schema", "agent"))
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--mode")
    parser.add_argument("--fd", type=int)
    given = parser.parse_args()
    try:
        if given.which == "cloud":
            cloud(State.of(given.state), None, given.mode, given.fd)
        elif given.which == "schema":
            bring_up(State.of(given.state))
        else:
            agent(State.of(given.state), given.mode)
    except ConfigError as error:
        sys.exit(f"tane: {error}")


if __name__ == "__main__":
    main()
