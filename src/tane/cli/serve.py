"""``tane serve``: the cloud in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from tane.cli import processes
from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import ModeOption, PortOption, StateOption


def serve(
    state: StateOption = DEFAULT_STATE,
    port: PortOption = None,
    mode: ModeOption = None,
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the cloud in the foreground until interrupted."""
    processes.cloud(State.of(state), port, mode, fd)
