"""``tane up``: start the cloud in the background; returns when every API answers."""

from __future__ import annotations

import http.client
import sys
import time
from pathlib import Path

from tane.agent.rights import choose
from tane.cli import userns
from tane.cli.common import DEFAULT_STATE, ModeOption, PortOption, State, StateOption
from tane.cli.openrc import write_files
from tane.cli.packages import install_missing_packages
from tane.cli.serve import listen
from tane.config import Config
from tane.linux import process

DEADLINE = 60.0
ROOTS = ("/identity/v3", "/image/", "/network/", "/volume/", "/compute/")


def up(state: StateOption = DEFAULT_STATE, port: PortOption = None, mode: ModeOption = None) -> None:
    """Start the cloud; returns when every API answers."""
    start(State.of(state), port, mode)


def start(state: State, port: int | None = None, mode: str | None = None) -> Config:
    """Start the cloud of a state folder unless it runs, and wait for it. Exits with the log's end when it dies."""
    if state.running():
        config = state.config()
        print(f"tane: the cloud in {state.folder} runs already at {config.url}")
        return config
    install_missing_packages()
    state.prepare()
    state.remember(port=port, mode=mode)
    config = state.config(port=port, mode=mode)
    choice = choose(config)
    print(choice.sentence, flush=True)
    begun = time.monotonic()
    state.admin_password()
    write_files(state, config)
    state.chosen_mode.parent.mkdir(parents=True, exist_ok=True)
    state.chosen_mode.write_text(f"{choice.mode}\n{choice.sentence}\n")
    listener = listen(config.host, config.port)
    command = [sys.executable, "-m", "tane.cli", "serve", "--state", str(state.folder), "--mode", choice.mode]
    before = ["env", f"{userns.MARK}={state.folder}"] if choice.mode == "userns" else []
    outside = userns.prefix(state) if choice.mode == "userns" else []
    spawn = [*outside, *before, *command, "--fd", str(listener.fileno())]
    process.spawn(spawn, pidfile=state.pidfile, log=state.log, pass_fds=(listener.fileno(),))
    listener.close()
    _wait(state, config)
    print(f"tane: every API answers at {config.url} after {time.monotonic() - begun:.1f} s")
    print(f"tane: credentials in {_short(state.folder / 'openrc')} and {_short(state.folder / 'clouds.yaml')}")
    return config


def _wait(state: State, config: Config) -> None:
    until = time.monotonic() + DEADLINE
    waiting = list(ROOTS)
    while waiting:
        if not state.running():
            sys.exit(f"tane: the cloud ended while starting. The end of {state.log}:\n{tail(state.log)}")
        if time.monotonic() > until:
            sys.exit(f"tane: {waiting[0]} does not answer after {DEADLINE:.0f} s; see {state.log}")
        if _answers(config, waiting[0]):
            waiting.pop(0)
        else:
            time.sleep(0.02)


def _answers(config: Config, path: str) -> bool:
    connection = http.client.HTTPConnection(config.host, config.port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status in (200, 300)
    except (TimeoutError, OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def tail(file: Path, lines: int = 20) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else "(no log)"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
