"""``tane metadefs load``: put upstream's catalogue of metadata definitions into the image service."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tane.cli.client import CallError, Client
from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import StateOption

app = typer.Typer(no_args_is_help=True, help="Metadata definitions of the image service.")


@app.callback()
def metadefs() -> None:
    """Metadata definitions of the image service."""


@app.command("load")
def load(
    folder: Annotated[Path, typer.Argument(help="A folder of JSON files as Glance ships them in etc/metadefs.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Load every JSON file of a folder; namespaces that are there already stay as they are."""
    files = State.of(state)
    client = files.admin()
    found = sorted(folder.glob("*.json"))
    if not found:
        sys.exit(f"tane: no JSON file lies in {folder}")
    print(load_files(client, found))


def load_files(client: Client, files: list[Path]) -> str:
    """Returns one sentence about what was done. :raises CallError: the service refuses a file."""
    loaded, present = 0, 0
    for file in files:
        try:
            client.call("POST", "/image/v2/metadefs/namespaces", json.loads(file.read_text()))
            loaded += 1
        except CallError as error:
            if "already exists" not in str(error):
                raise CallError(f"{file.name}: {error}") from None
            present += 1
    return f"loaded {loaded} namespaces, {present} were there already"
