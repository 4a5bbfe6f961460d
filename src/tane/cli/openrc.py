"""``tane openrc``: the environment for OpenStack clients; also writes ``openrc`` and ``clouds.yaml``."""

from __future__ import annotations

from pathlib import Path

import yaml

from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import StateOption
from tane.config import Config
from tane.linux.files import write_private
from tane.web import tls


def environment(state: State, config: Config) -> dict[str, str]:
    """The ``OS_*`` variables of the administrator."""
    shown = tls.files(config)
    # Before a proxy it is the proxy that shows a certificate.
    own = shown is not None and (not config.public_url or config.tls_ca != Path())
    trust = {"OS_CACERT": str(shown.ca)} if own and shown and shown.ca else {}
    return {
        "OS_AUTH_URL": f"{config.url}/identity/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": state.admin_password(),
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": config.region,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_INTERFACE": "public",
        **trust,
    }


def write_files(state: State, config: Config) -> None:
    """Write ``openrc`` (to be sourced) and ``clouds.yaml`` (cloud name ``tane``) into the state folder."""
    values = environment(state, config)
    lines = "".join(f"export {name}='{value}'\n" for name, value in values.items())
    write_private(state.folder / "openrc", lines.encode())
    auth = {
        "auth_url": values["OS_AUTH_URL"],
        "username": values["OS_USERNAME"],
        "password": values["OS_PASSWORD"],
        "project_name": values["OS_PROJECT_NAME"],
        "user_domain_id": "default",
        "project_domain_id": "default",
    }
    cloud = {"auth": auth, "region_name": config.region, "identity_api_version": 3, "interface": "public"}
    cloud |= {"cacert": values["OS_CACERT"]} if "OS_CACERT" in values else {}
    write_private(state.folder / "clouds.yaml", yaml.safe_dump({"clouds": {"tane": cloud}}).encode())


def openrc(state: StateOption = DEFAULT_STATE) -> None:
    """Print the administrator's credentials as shell exports: eval "$(./tane openrc)"."""
    files = State.of(state)
    files.require()
    for name, value in environment(files, files.config()).items():
        print(f"export {name}='{value}'")
