"""Options that many commands have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tane.wire.joining import ROLES, Role

StateOption = Annotated[Path, typer.Option("--state", help="The cloud's state folder.", envvar="TANE_STATE")]
PortOption = Annotated[
    int | None, typer.Option("--port", envvar="TANE_PORT", min=1, max=65535, help="Port of all APIs.")
]
ModeOption = Annotated[
    str | None, typer.Option("--mode", help="auto, root, userns, user or simulated; auto probes the machine.")
]


def roles_of(text: str) -> tuple[Role, ...]:
    """The roles of ``--roles``. Exits when it names none, or others."""
    wanted = tuple(role for role in ROLES if role in text.split(","))
    if not wanted or set(text.split(",")) - {*ROLES}:
        sys.exit(f"tane: --roles takes of {', '.join(ROLES)}, with commas between")
    return wanted
