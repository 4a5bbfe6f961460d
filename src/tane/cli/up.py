"""``tane up``: start the cloud in the background; returns when every API answers."""

from __future__ import annotations

import http.client
import shutil
import ssl
import sys
import time
from pathlib import Path

from tane import ids
from tane.agent.rights import choose
from tane.cli import dev, join, processes, userns
from tane.cli.client import connect
from tane.cli.common import DEFAULT_STATE, State, refuse_beside_its_copy, tail
from tane.cli.openrc import write_files
from tane.cli.options import ModeOption, PortOption, StateOption
from tane.cli.packages import install_missing_packages
from tane.config import Config
from tane.linux import process
from tane.web import tls

DEADLINE = 60.0
LITTLE_MB = 16
"""A start that ends where less is free ended for that; its log may have had no room for it."""
ROOT = "/identity/v3"
"""The APIs are one application on one socket: where one answers, all do."""


def up(state: StateOption = DEFAULT_STATE, port: PortOption = None, mode: ModeOption = None) -> None:
    """Start the cloud, and return when every API answers; in the folder of a host, start its agent."""
    files = State.of(state)
    if files.joined():
        join.start_again(files)
    else:
        start(files, port, mode)


def start(state: State, port: int | None = None, mode: str | None = None) -> Config:
    """Start the cloud of a state folder unless it runs, and wait for it. Exits with the log's end when it dies."""
    state.prepare()
    with state.alone():
        return _start(state, port, mode)


def _start(state: State, port: int | None, mode: str | None) -> Config:
    if state.running():
        config = state.config()
        if port not in (None, config.port) or mode not in (None, "auto", state.mode()):
            sys.exit(
                f"tane: the cloud in {state.folder} runs already at {config.url}; ./tane down first to change that"
            )
        print(f"tane: the cloud in {state.folder} runs already at {config.url}")
        return config
    refuse_beside_its_copy(ids.copy_running(state.folder))
    install_missing_packages()
    dev.connect(state)
    config = state.config(port=port, mode=mode)
    choice = choose(config)
    print(choice.sentence, flush=True)
    shown = tls.prepare(config)
    for line in _on_the_wire(config, shown):
        print(line, flush=True)
    begun = time.monotonic()
    state.admin_password()
    write_files(state, config)
    state.chosen_mode.parent.mkdir(parents=True, exist_ok=True)
    state.chosen_mode.write_text(f"{choice.mode}\n{choice.sentence}\n")
    listener = processes.listen(config.host, config.port)
    # Only what could be had: a later start would be refused for what this one was.
    state.remember(port=port, mode=mode)
    command = [sys.executable, *processes.CLOUD, "--state", str(state.folder), "--mode", choice.mode]
    before = ["env", f"{userns.MARK}={state.folder}"] if choice.mode == "userns" else []
    outside = userns.prefix(state) if choice.mode == "userns" else []
    spawn = [*outside, *before, *command, "--fd", str(listener.fileno())]
    try:
        process.spawn(spawn, pidfile=state.pidfile, log=state.log, pass_fds=(listener.fileno(),))
        listener.close()
        _wait(state, config, tls.client_context(shown))
    except KeyboardInterrupt:
        print("tane: the start is broken off", flush=True)
        process.stop(state.pidfile, timeout_seconds=15)
        raise
    dev.start_again(state)
    print(f"tane: every API answers at {config.url} after {time.monotonic() - begun:.1f} s")
    print(f"tane: credentials in {_short(state.folder / 'openrc')} and {_short(state.folder / 'clouds.yaml')}")
    return config


def _on_the_wire(config: Config, shown: tls.Files | None) -> list[str]:
    """What to say of the way to the APIs; nothing when it does not leave this machine."""
    from tane.web import certificates

    lines = []
    if shown and shown.ca:
        lines.append(f"tane: clients trust the APIs by {shown.ca}, SHA-256 {certificates.fingerprint(shown.ca)}")
    elif not shown and not config.on_loopback:
        lines.append('tane: WARNING: passwords and tokens cross the network readable by anybody on it (tls = "off")')
    return lines


def _wait(state: State, config: Config, context: ssl.SSLContext | None) -> None:
    until = time.monotonic() + DEADLINE
    while not answers(config, context):
        if not state.running():
            free = shutil.disk_usage(state.folder).free >> 20
            full = f" {free} MB are left on its file system." if free < LITTLE_MB else ""
            sys.exit(f"tane: the cloud ended while starting.{full} The end of {state.log}:\n{tail(state.log)}")
        if time.monotonic() > until:
            sys.exit(f"tane: {ROOT} does not answer after {DEADLINE:.0f} s; see {state.log}")
        time.sleep(0.02)


def answers(config: Config, context: ssl.SSLContext | None) -> bool:
    """Whether the cloud's APIs do."""
    connection = connect(config.local_url, context, timeout=5)
    try:
        connection.request("GET", ROOT)
        return connection.getresponse().status in (200, 300)
    except (TimeoutError, OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
