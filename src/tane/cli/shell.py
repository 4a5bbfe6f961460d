"""``tane shell``: a shell, or one command, from where the cloud's floating IPs can be reached."""

from __future__ import annotations

import os
import sys

import typer

from tane.cli import userns
from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import StateOption


def shell(context: typer.Context, state: StateOption = DEFAULT_STATE) -> None:
    """Open a shell where floating IPs can be reached, or run a command there: tane shell -- ssh root@198.18.0.7."""
    files = State.of(state)
    if not files.running():
        sys.exit(f"tane: no cloud runs in {files.folder}; start it with ./tane up")
    if files.mode() == "user":
        print("tane: a user-mode network has no floating IPs: servers are reached by the ports told in the README")
    inside = userns.prefix(files) if files.mode() == "userns" else []
    command = [*inside, *(context.args or [os.environ.get("SHELL", "/bin/sh")])]
    os.execvp(command[0], command)
