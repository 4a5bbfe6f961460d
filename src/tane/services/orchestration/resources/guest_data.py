"""What a server's guest is told: parts of user data, and where os-collect-config finds the rest.

Sources: Heat's guides "Software configuration" and "Templates for heat-cfntools"; cloud-init's "User data formats". The
files in ``/var/lib/heat-cfntools`` are those that os-collect-config and heat-cfntools read.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from tane.services.orchestration.resources import mime
from tane.services.orchestration.resources.declaring import mapping, text
from tane.services.orchestration.template.constraints import Length
from tane.web.errors import BadRequest, NotImplementedHere

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

CFN, HEAT, TEMP_URL, ZAQAR = "POLL_SERVER_CFN", "POLL_SERVER_HEAT", "POLL_TEMP_URL", "ZAQAR_MESSAGE"
TRANSPORTS = (CFN, HEAT, TEMP_URL, ZAQAR)
SOFTWARE = "SOFTWARE_CONFIG"
FORMATS = ("HEAT_CFNTOOLS", "RAW", SOFTWARE)
SWIFT = mapping(
    "Swift container and object of the server's metadata.",
    {
        "container": text("Name of the container.", Length(min=1)),
        "object": text("Name of the object.", Length(min=1)),
    },
    default={},
    update="in_place",
)
COLLECTORS = ("heat", "zaqar", "cfn", "request")
"""Those that a transport is for: what an image says of another one is taken back."""
LOG = "#cloud-config\noutput: {all: '| tee -a /var/log/cloud-init-output.log'}\n"
LINKS = "#!/bin/sh\ncommand -v cfn-create-aws-symlinks >/dev/null && cfn-create-aws-symlinks\nexit 0\n"
"""heat-cfntools is looked for in /opt/aws/bin, too."""
HANDLER = '''#part-handler
"""Keeps parts of the type x-cfninitdata where os-collect-config and heat-cfntools look for them."""

import os

FOLDERS = ("/var/lib/heat-cfntools", "/var/lib/cloud/data")


def list_types():
    return ["text/x-cfninitdata"]


def handle_part(data, ctype, filename, payload):
    if ctype in ("__begin__", "__end__"):
        return
    if isinstance(payload, bytes):
        payload = payload.decode()
    for folder in FOLDERS:
        os.makedirs(folder, 0o700, exist_ok=True)
        path = os.path.join(folder, os.path.basename(filename))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(payload)
'''
RUN = """#!/bin/sh
# Runs the user's script, tells of it in a log, and says when it is through.
umask 077
script=/var/lib/heat-cfntools/cfn-userdata
if [ -s "$script" ]; then
  chmod 700 "$script"
  echo "Provision began: $(date)" >>/var/log/heat-provision.log
  "$script" >>/var/log/heat-provision.log 2>&1
  code=$?
  echo "Provision done: $(date), exit code $code" >>/var/log/heat-provision.log
  [ "$code" = 0 ] || exit "$code"
fi
touch /var/lib/heat-cfntools/provision-finished
"""


def check(properties: Mapping[str, Any]) -> None:
    """:raises NotImplementedHere: a transport of a service that Tane has not."""
    if properties.get("software_config_transport") == ZAQAR:
        raise NotImplementedHere(
            f"software_config_transport {ZAQAR}: Tane has no Zaqar (queues); {CFN}, {HEAT} and {TEMP_URL} are there."
        )
    if any((properties.get("deployment_swift_data") or {}).values()):
        raise BadRequest(
            f"deployment_swift_data: with {TEMP_URL} the cloud keeps what a guest is told itself, at an address that is"
            " a secret; no object of the project's is made."
        )


def introduce(hand: Hand) -> None:
    """Make what the server's transport needs: a user with keys, with a password, or an address."""
    from tane.services.orchestration.domain import guests

    transport = hand.properties.get("software_config_transport")
    if transport == CFN:
        guests.keyed(hand, [hand.row.name])
    elif transport == HEAT:
        guests.made(hand, [hand.row.name])
    elif transport == TEMP_URL and not hand.row.data.get("told_at"):
        hand.keep(told_at=secrets.token_urlsafe(32))
    if transport != TEMP_URL and hand.row.data.get("told_at"):
        hand.keep(told_at=None)


def encoded(hand: Hand) -> str:
    """The user data of a server in Base64, as the API has it; nothing where there are none."""
    if hand.properties.get("user_data_format") == SOFTWARE:
        introduce(hand)
    text = user_data(hand, str(hand.properties.get("user_data") or ""))
    return base64.b64encode(text.encode()).decode() if text else ""


def os_collect_config(hand: Hand, transport: str | None, first: Sequence[str] = ("ec2",)) -> dict[str, Any]:
    """What os-collect-config needs; nothing where no guest was ever introduced (a server that was adopted)."""
    data, core, region = hand.row.data, hand.core, hand.core.config.region
    kept = data.get("guest") or {}
    given = hand.row.metadata.get("os-collect-config")
    before = dict(given) if isinstance(given, Mapping) else {}
    found: dict[str, Any] = {
        key: dict.fromkeys(value) if key in COLLECTORS and isinstance(value, Mapping) else value
        for key, value in before.items()
    }
    if transport == HEAT and kept:
        name, own = (
            "heat",
            {
                "user_id": hand.row.id,
                "password": kept["password"],
                "auth_url": f"{core.config.url}/identity/v3",
                "project_id": hand.stack.project_id,
                "stack_id": f"{hand.stack.name}/{hand.stack.id}",
                "resource_name": hand.row.name,
                "region_name": region,
            },
        )
    elif transport == CFN and "access" in kept:
        name, own = (
            "cfn",
            {
                "metadata_url": cfn_url(hand),
                "access_key_id": kept["access"],
                "secret_access_key": kept["secret"],
                "stack_name": hand.stack.name,
                "path": f"{hand.row.name}.Metadata",
            },
        )
    elif transport == TEMP_URL and data.get("told_at"):
        address = f"{core.config.url}/orchestration/metadata/{hand.row.id}/{data['told_at']}"
        name, own = "request", {"metadata_url": address}
    else:
        return before
    return {**found, "collectors": [*first, name, "local"], name: own}


def cfn_url(hand: Hand) -> str:
    """Where CloudFormation's API is; heat-cfntools knows no path before its version."""
    return f"{hand.core.config.url}/v1/"


def user_data(hand: Hand, text: str) -> str:
    """The user data of a server whose user wrote ``text``."""
    from tane.services.orchestration.store import software

    form = hand.properties.get("user_data_format") or FORMATS[0]
    if form in ("RAW", SOFTWARE) and len(text) == 36:
        config = software.config(hand.tx, hand.stack.project_id, text)
        text = text if config is None else str(config.config)
    metadata = dict(hand.row.metadata)
    if form == SOFTWARE:
        occ = os_collect_config(hand, hand.properties.get("software_config_transport"))
        own = [mime.text_part(text, "plain", "")] if not mime.is_multipart(text) else list(mime.parts_of(text))
        told = {"deployments": [], **metadata, "os-collect-config": occ}
        return mime.whole([*_beginning(), *own, _data("cfn-init-data", msgspec.json.encode(told).decode())])
    if form == "RAW" or not metadata:
        # Whoever wrote a script alone gets that script, also in guests that know no parts.
        return text
    return mime.whole(
        [
            *_beginning(),
            mime.text_part(LINKS, "cloud-boothook", "boothook.sh"),
            _data("cfn-userdata", text),
            mime.text_part(RUN, "x-shellscript", "run-userdata.sh"),
            _data("cfn-init-data", msgspec.json.encode(metadata).decode()),
            # Its readers add the version themselves, and heat-cfntools takes the port from the end.
            _data("cfn-metadata-server", hand.core.config.url),
            _data("cfn-boto-cfg", _boto(hand)),
        ]
    )


def _beginning() -> list[str]:
    return [mime.text_part(LOG, "cloud-config", ""), mime.text_part(HANDLER, "part-handler", "part-handler.py")]


def _data(name: str, content: str) -> str:
    return mime.text_part(content, "x-cfninitdata", name)


def _boto(hand: Hand) -> str:
    """The settings by which heat-cfntools finds the cloud."""
    address = urlsplit(hand.core.config.url)
    lines = (
        "[Boto]",
        "debug = 0",
        f"is_secure = {int(address.scheme == 'https')}",
        "https_validate_certificates = 1",
        "cfn_region_name = heat",
        f"cfn_region_endpoint = {address.hostname}",
    )
    return "\n".join(lines)


def told(hand: Hand, properties: Mapping[str, Any], first: Sequence[str] = ("ec2",)) -> dict[str, Any]:
    """The metadata of a server: those of the template, with what deployments have for it and where it is told."""
    from tane.services.orchestration.domain import software

    if properties.get("user_data_format") != SOFTWARE:
        return dict(hand.row.metadata)
    todo = software.deployed(hand.tx, hand.stack.project_id, str(hand.row.physical_id))
    occ = os_collect_config(hand, properties.get("software_config_transport"), first)
    return {**hand.row.metadata, "deployments": todo, **({"os-collect-config": occ} if occ else {})}
