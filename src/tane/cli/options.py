"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StateOption = Annotated[Path, typer.Option("--state", help="The cloud's state folder.", envvar="TANE_STATE")]
PortOption = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port of all APIs.")]
ModeOption = Annotated[
    str | None, typer.Option("--mode", help="auto, root, userns, user or simulated; auto probes the machine.")
]
