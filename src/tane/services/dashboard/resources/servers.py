"""Servers, and what hangs on one."""

from __future__ import annotations

import base64
import json
from typing import Any

from tane.services.dashboard.domain.describing import (
    OF_PROJECT,
    Action,
    Column,
    Field,
    Kind,
    Panel,
    Row,
    Values,
    boots,
    states,
)
from tane.services.dashboard.domain.forms import option
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import replacing

ACT = "compute POST /v2.1/servers/{id}/action"
ON, OFF = states("ACTIVE"), states("SHUTOFF")
QUOTE = '"'


def launch(values: Values, row: Row) -> Any:
    """A new server: from an image, on a volume of its own, or from a volume or snapshot."""
    body: Values = {"name": values["name"], "flavorRef": values["flavor"]}
    source, size = values.get("image", ""), values.get("volume_size")
    kept = not values.get("volume_goes")
    if volume := values.get("volume"):
        body["block_device_mapping_v2"] = [_disk("volume", volume, None, kept)]
    elif snapshot := values.get("snapshot"):
        body["block_device_mapping_v2"] = [_disk("snapshot", snapshot, size, kept)]
    elif size:
        body["block_device_mapping_v2"] = [_disk("image", source, size, kept)]
    elif source:
        body["imageRef"] = source
    networks = [{"uuid": one} for one in values.get("networks", [])]
    networks += [{"port": one} for one in values.get("ports", [])]
    body["networks"] = networks or "auto"
    if groups := values.get("groups"):
        body["security_groups"] = [{"name": one} for one in groups]
    for name, to in (("key", "key_name"), ("zone", "availability_zone"), ("description", "description")):
        if name in values:
            body[to] = values[name]
    if values.get("count", 1) > 1:
        body["min_count"] = body["max_count"] = values["count"]
    if "user_data" in values:
        body["user_data"] = base64.b64encode(values["user_data"].encode()).decode()
    body |= {name: values[name] for name in ("metadata", "tags") if name in values}
    if "config_drive" in values:
        body["config_drive"] = values["config_drive"]
    return body


def hints(values: Values, row: Row) -> Any:
    return {"os:scheduler_hints": {"group": values["group"]}} if "group" in values else {}


def _disk(source: str, source_id: str, size: Any, kept: bool) -> Values:
    disk = {"boot_index": 0, "source_type": source, "destination_type": "volume", "uuid": source_id}
    return {**disk, "delete_on_termination": not kept, **({"volume_size": size} if size else {})}


def live_migration(values: Values, row: Row) -> Any:
    """To whichever host has room."""
    return {"host": None, "block_migration": "auto"}


def disks(values: Values, row: Row) -> list[str]:
    """What a new server starts from, and how many of it, as the command line says it."""
    goes, size, image = values.get("volume_goes"), values.get("volume_size"), values.get("image")
    found = ["--image <image>" if image is None else option("--image", image)]
    for kind in ("snapshot", "volume"):
        if kind in values:
            [disk] = launch({"name": "", "flavor": "", **values}, row)["block_device_mapping_v2"]
            said = ",".join(f"{name}={json.dumps(value).strip(QUOTE)}" for name, value in disk.items())
            plain = not goes and (kind == "volume" or not size)
            found = [option(f"--{kind}", values[kind]) if plain else option("--block-device", said)]
    if size and not {"snapshot", "volume"} & set(values):
        found += [f"--boot-from-volume {size}", "--delete-on-termination" if goes else ""]
    count = values.get("count", 1)
    return [*found, f"--min {count} --max {count}" if count > 1 else ""]


def act(name: str, title: str, key: str, **more: Any) -> Action:
    return Action(name, title, ACT, key, command=more.pop("command", f"openstack server {name} {{id}}"), **more)


SMALLEST = {"sort_key": "memory_mb"}
"""Flavors by what they cost, more or less."""
LAUNCH = Action(
    "create",
    N_("Launch a server"),
    "compute POST /v2.1/servers",
    "server",
    command="openstack server create",
    build=launch,
    beside=hints,
    words=disks,
    fields=(
        Field("name", N_("Name"), required=True, option="-"),
        Field(
            "image",
            N_("Image"),
            "ref",
            ref="images",
            option="+",
            first=True,
            query={"status": "active"},
            only=boots,
            own=True,
        ),
        Field(
            "flavor",
            N_("Flavor"),
            "ref",
            ref="flavors",
            required=True,
            first=True,
            option="--flavor",
            to="flavorRef",
            query=SMALLEST,
        ),
        Field(
            "networks",
            N_("Networks"),
            "refs",
            ref="networks",
            first=True,
            option="--network",
            query={"router:external": "false"},
            # A server needs an address, so on others it is refused.
            only=lambda row: bool(row.get("subnets")),
            own=True,
        ),
        Field("key", N_("Key pair"), "ref", ref="keypairs", value="name", option="--key-name", first=True),
        Field(
            "groups", N_("Security groups"), "refs", ref="security-groups", option="--security-group", query=OF_PROJECT
        ),
        Field(
            "volume_size",
            N_("Size of a volume made for it (GiB)"),
            "number",
            option="+",
            help=N_("Empty: the disk is on the host and goes with the server."),
        ),
        Field(
            "volume",
            N_("Boot from this volume"),
            "ref",
            ref="volumes",
            query={"bootable": "true"},
            option="+",
            folded=True,
        ),
        Field("snapshot", N_("Boot from a snapshot of a volume"), "ref", ref="snapshots", option="+", folded=True),
        Field("group", N_("Server group"), "ref", ref="server-groups", option="--server-group", to="-", folded=True),
        Field("volume_goes", N_("Delete its volume with the server"), "bool", option="+", folded=True),
        Field("count", N_("How many"), "number", default=1, option="+", folded=True, to="max_count"),
        Field(
            "ports",
            N_("Ports made before"),
            "refs",
            ref="ports",
            query=OF_PROJECT,
            only=lambda row: not row.get("device_id"),
            option="--port",
            folded=True,
        ),
        Field(
            "zone",
            N_("Availability zone"),
            "ref",
            ref="zones",
            value="zoneName",
            option="--availability-zone",
            folded=True,
        ),
        Field(
            "user_data",
            N_("User data"),
            "area",
            option="--user-data",
            file="portal-user-data.txt",
            folded=True,
            to="-",
            help=N_("A script or cloud-config that the server runs when it first starts."),
        ),
        Field("metadata", N_("Metadata"), "pairs", option="--property", folded=True),
        Field("tags", N_("Tags"), "list", option="--tag", folded=True),
        Field("description", N_("Description"), option="--description", folded=True),
        Field("config_drive", N_("Config drive"), "bool", option="--use-config-drive", folded=True),
    ),
)

SERVER_ACTIONS = (
    act("start", N_("Start"), "os-start", when=OFF, bulk=True, quick=True),
    act("stop", N_("Stop"), "os-stop", when=states("ACTIVE", "ERROR"), bulk=True, quick=True),
    act(
        "reboot",
        N_("Reboot"),
        "reboot",
        when=states("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "ERROR"),
        bulk=False,
        fields=(
            Field(
                "type",
                N_("How"),
                "choice",
                choices=(("SOFT", N_("As the guest shuts down")), ("HARD", N_("Power off and on"))),
                option="--{}",
                options={"SOFT": "--soft", "HARD": "--hard"},
                required=True,
            ),
        ),
    ),
    Action(
        "alarm",
        N_("Create an alarm"),
        "alarm POST /v2/alarms",
        quick=True,
        special="watch",
        command="openstack alarm create --type gnocchi_resources_threshold --resource-type instance --resource-id {id}"
        " --name <name> --metric <metric> --aggregation-method <method> --threshold <threshold>",
    ),
    Action(
        "console",
        N_("Console"),
        "compute POST /v2.1/servers/{id}/remote-consoles",
        when=states("ACTIVE", "PAUSED", "RESCUE", "REBOOT"),
        quick=True,
        special="console",
        command="openstack console url show {id}",
    ),
    act("pause", N_("Pause"), "pause", when=ON, quick=True),
    act("unpause", N_("Resume after the pause"), "unpause", when=states("PAUSED"), quick=True),
    act("suspend", N_("Suspend"), "suspend", when=ON, quick=True),
    act("resume", N_("Resume"), "resume", when=states("SUSPENDED"), quick=True),
    act(
        "snapshot",
        N_("Make an image of it"),
        "createImage",
        when=states("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"),
        fields=(Field("name", N_("Name of the image"), required=True, option="--name"),),
        command="openstack server image create {id}",
    ),
    act(
        "backup",
        N_("Make a backup"),
        "createBackup",
        when=states("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"),
        help=N_("An image as well, of which so many of its kind are kept; older ones go."),
        fields=(
            Field("name", N_("Name of the image"), required=True, option="--name"),
            Field("backup_type", N_("Its kind"), default="daily", required=True, option="--type"),
            Field("rotation", N_("How many are kept"), "number", default=3, required=True, option="--rotate"),
        ),
        command="openstack server backup create {id}",
    ),
    act(
        "resize",
        N_("Resize"),
        "resize",
        when=states("ACTIVE", "SHUTOFF"),
        fields=(
            Field(
                "flavorRef",
                N_("Flavor"),
                "ref",
                ref="flavors",
                required=True,
                option="--flavor",
                query=SMALLEST,
                unlike="flavor/original_name",
            ),
        ),
    ),
    act(
        "confirm",
        N_("Confirm the resize"),
        "confirmResize",
        when=states("VERIFY_RESIZE"),
        quick=True,
        command="openstack server resize confirm {id}",
    ),
    act(
        "revert",
        N_("Undo the resize"),
        "revertResize",
        when=states("VERIFY_RESIZE"),
        quick=True,
        command="openstack server resize revert {id}",
    ),
    act(
        "rebuild",
        N_("Rebuild"),
        "rebuild",
        danger=True,
        when=states("ACTIVE", "SHUTOFF", "ERROR"),
        help=N_("What is on its disk is lost; addresses and volumes stay."),
        fields=(
            Field(
                "imageRef",
                N_("Image"),
                "ref",
                ref="images",
                required=True,
                first=True,
                default="=image/id",
                option="--image",
                only=boots,
            ),
            Field("adminPass", N_("Password"), "password", option="--password"),
        ),
    ),
    act(
        "rescue",
        N_("Rescue"),
        "rescue",
        when=states("ACTIVE", "SHUTOFF", "ERROR"),
        help=N_("It starts from another image, with its own disk beside it."),
        fields=(Field("rescue_image_ref", N_("Image"), "ref", ref="images", option="--image", only=boots),),
    ),
    act("unrescue", N_("End the rescue"), "unrescue", when=states("RESCUE"), quick=True),
    act(
        "shelve",
        N_("Shelve"),
        "shelve",
        when=states("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"),
        quick=True,
        bulk=True,
        help=N_("It gives its place on the host back and keeps its disk and addresses."),
    ),
    act("unshelve", N_("Unshelve"), "unshelve", when=states("SHELVED", "SHELVED_OFFLOADED"), quick=True, bulk=True),
    act(
        "lock",
        N_("Lock"),
        "lock",
        when=lambda row: not row.get("locked"),
        fields=(Field("locked_reason", N_("Reason"), option="--reason"),),
    ),
    act("unlock", N_("Unlock"), "unlock", when=lambda row: bool(row.get("locked")), quick=True),
    act(
        "password",
        N_("Change the password"),
        "changePassword",
        when=ON,
        fields=(Field("adminPass", N_("Password"), "password", required=True, option="--password"),),
        command="openstack server set {id}",
    ),
    Action(
        "edit",
        N_("Edit"),
        "compute PUT /v2.1/servers/{id}",
        "server",
        fields=(
            Field("name", N_("Name"), default="=name", option="--name", keeps=True),
            Field(
                "description",
                N_("Description"),
                default="=description",
                option="--description",
                unset="openstack server unset {id} --description",
            ),
        ),
        command="openstack server set {id}",
    ),
    replacing.tags(
        "compute PUT /v2.1/servers/{id}/tags", "openstack server set {id}", "openstack server unset {id} --tag"
    ),
    replacing.metadata(
        "compute PUT /v2.1/servers/{id}/metadata",
        "openstack server set {id}",
        "openstack server unset {id} --property",
    ),
    act(
        "add-group",
        N_("Add a security group"),
        "addSecurityGroup",
        fields=(Field("name", N_("Security group"), "ref", ref="security-groups", required=True, option="-"),),
        command="openstack server add security group {id}",
    ),
    act(
        "remove-group",
        N_("Remove a security group"),
        "removeSecurityGroup",
        fields=(
            Field("name", N_("Security group"), "ref", ref="security-groups", value="name", required=True, option="-"),
        ),
        command="openstack server remove security group {id}",
    ),
    act("migrate", N_("Move to another host"), "migrate", when=states("ACTIVE", "SHUTOFF"), danger=True),
    act(
        "live-migrate",
        N_("Move to another host while it runs"),
        "os-migrateLive",
        command="openstack --os-compute-api-version 2.30 server migrate --live-migration {id}",
        build=live_migration,
        when=states("ACTIVE", "PAUSED"),
    ),
    act(
        "evacuate",
        N_("Start it on another host"),
        "evacuate",
        when=states("ACTIVE", "SHUTOFF", "ERROR"),
        danger=True,
        empty={},
        help=N_("Only once its host is surely down: its disk on that host is lost, volumes and addresses stay."),
        command="openstack --os-compute-api-version 2.95 server evacuate {id}",
    ),
    act(
        "reset-state",
        N_("Set the state"),
        "os-resetState",
        fields=(
            Field(
                "state",
                N_("State"),
                "choice",
                choices=(("active", N_("Active")), ("error", N_("Error"))),
                required=True,
                option="--state",
            ),
        ),
        command="openstack server set {id}",
    ),
    Action(
        "delete",
        N_("Delete"),
        "compute DELETE /v2.1/servers/{id}",
        danger=True,
        bulk=True,
        back="list",
        command="openstack server delete {id}",
    ),
)

SERVER_COLUMNS = (
    Column("name", N_("Name"), "name"),
    Column("status", N_("State"), "state"),
    Column("addresses", N_("Addresses"), "addresses"),
    Column("flavor/original_name", N_("Flavor")),
    Column("key_name", N_("Key pair")),
    Column("created", N_("Created"), "time"),
)
SERVER_DETAILS = (
    Column("status", N_("State"), "state"),
    Column("fault/message", N_("Why"), "said"),
    Column("OS-EXT-STS:task_state", N_("Task"), "state"),
    Column("addresses", N_("Addresses"), "addresses"),
    Column("flavor/original_name", N_("Flavor")),
    Column("flavor/vcpus", N_("vCPUs")),
    Column("flavor/ram", N_("Memory"), "mib"),
    Column("image", N_("Image"), "ref:images"),
    Column("key_name", N_("Key pair")),
    Column("security_groups", N_("Security groups"), "names"),
    Column("tags", N_("Tags")),
    Column("metadata", N_("Metadata"), "json"),
    Column("description", N_("Description")),
    Column("locked", N_("Locked"), "bool"),
    Column("OS-EXT-AZ:availability_zone", N_("Availability zone")),
    Column("OS-EXT-SRV-ATTR:host", N_("Host")),
    Column("created", N_("Created"), "time"),
    Column("id", N_("ID"), "code"),
)
SERVER_PANELS = (
    Panel("server-interfaces"),
    Panel("server-volumes"),
    Panel("server-migrations", when=lambda row: row.get("status") == "MIGRATING"),
    Panel("server-events"),
)


JOBS = ("/jobs?resource=server:{id}", N_("Jobs, step by step"))


def servers(name: str, title: str, section: str, **more: Any) -> Kind:
    return Kind(
        name,
        title,
        N_("Server"),
        section,
        "compute GET /v2.1/servers/detail",
        "servers",
        more.pop("columns", SERVER_COLUMNS),
        "compute GET /v2.1/servers/{id}",
        "server",
        details=SERVER_DETAILS,
        actions=SERVER_ACTIONS,
        panels=SERVER_PANELS,
        search="name",
        brief="compute GET /v2.1/servers",
        event="compute.server",
        special=(("serial", N_("Serial console")), ("log", N_("Log")), ("charts", N_("Charts")), JOBS),
        filters=(
            Field(
                "status",
                N_("State"),
                "choice",
                choices=(
                    ("", N_("any state")),
                    ("ACTIVE", N_("Active")),
                    ("SHUTOFF", N_("Off")),
                    ("ERROR", N_("Error")),
                ),
            ),
            *more.pop("filters", ()),
        ),
        **more,
    )


KINDS = (
    servers(
        "servers",
        N_("Servers"),
        N_("Compute"),
        create=LAUNCH,
        command="openstack server list",
        empty=N_("No servers yet. Launch one: an image, a flavor and a network are enough."),
    ),
)
