"""``tane openstack …``: the standard command line client with this cloud's credentials."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from tane.cli.common import DEFAULT_STATE, State
from tane.cli.openrc import environment
from tane.cli.options import StateOption

WHO = (
    *("OS_APPLICATION_CREDENTIAL_", "OS_AUTH_", "OS_CLOUD", "OS_DOMAIN_", "OS_PASSCODE", "OS_PROJECT_"),
    *("OS_SYSTEM_SCOPE", "OS_TENANT_", "OS_TOKEN", "OS_TRUST_ID", "OS_USER"),
)
"""Variables by which a shell says who asks: mixed with this cloud's administrator they would be nobody."""


def openstack(context: typer.Context, state: StateOption = DEFAULT_STATE) -> None:
    """Run the standard openstack client as the administrator of this cloud."""
    files = State.of(state)
    files.require()
    if not files.running():
        # Whoever has its port meanwhile would be given the password.
        sys.exit(f"tane: the cloud in {files.folder} does not run; ./tane up starts it")
    client = Path(sys.executable).with_name("openstack")
    if not client.exists():
        sys.exit("tane: python-openstackclient is not installed; run this as ./tane openstack")
    others = {name: value for name, value in os.environ.items() if not name.startswith(WHO)}
    os.execve(str(client), ["openstack", *context.args], {**others, **environment(files, files.config())})
