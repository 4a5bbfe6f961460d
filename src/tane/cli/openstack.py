"""``tane openstack …``: the standard command line client with this cloud's credentials."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from tane.cli.common import DEFAULT_STATE, State, StateOption
from tane.cli.openrc import environment


def openstack(context: typer.Context, state: StateOption = DEFAULT_STATE) -> None:
    """Run the standard openstack client as the administrator of this cloud."""
    files = State.of(state)
    files.require()
    client = Path(sys.executable).with_name("openstack")
    if not client.exists():
        sys.exit("tane: python-openstackclient is not installed; run this as ./tane openstack")
    os.execve(str(client), ["openstack", *context.args], {**os.environ, **environment(files, files.config())})
