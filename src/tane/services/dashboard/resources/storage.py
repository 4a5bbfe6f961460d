"""Images, volumes and their snapshots, volume types."""

from __future__ import annotations

from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Panel, Row, Values, boots, states
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import replacing
from tane.services.dashboard.resources.backups import NAMED, OF_VOLUME, forced

V = "/v3/{project}"
UNTAG = "openstack image unset {id} --tag"
DO = f"volume POST {V}/volumes/{{id}}/action"
FORMATS = tuple((name, name) for name in ("qcow2", "raw", "vmdk", "vdi", "vhd", "vhdx", "iso", "ari", "aki", "ami"))
VISIBLE = (("private", N_("This project")), ("shared", N_("Shared with chosen projects")), ("public", N_("Everybody")))


def source(values: Any, row: Any) -> Any:
    """A new volume: empty, or a copy."""
    body = {
        name: values[name]
        for name in ("size", "name", "description", "volume_type", "availability_zone")
        if name in values
    }
    for name, to in (("image", "imageRef"), ("snapshot", "snapshot_id"), ("volume", "source_volid")):
        if name in values:
            body[to] = values[name]
    return body


def image_changes(values: Values, row: Row) -> Any:
    """What a form changes of an image, as a JSON patch."""
    wanted: Values = {"tags": [], **values}
    return [
        {"op": "replace", "path": f"/{name}", "value": value}
        for name, value in wanted.items()
        if row.get(name) != value
    ]


NEW_VOLUME = Action(
    "create",
    N_("Create a volume"),
    f"volume POST {V}/volumes",
    "volume",
    build=source,
    fields=(
        Field("name", N_("Name"), option="-"),
        Field("size", N_("Size (GiB)"), "number", default=1, required=True, option="--size"),
        Field("image", N_("From an image"), "ref", ref="images", option="--image", only=boots),
        Field("snapshot", N_("From a snapshot"), "ref", ref="snapshots", option="--snapshot", folded=True),
        Field("volume", N_("A copy of a volume"), "ref", ref="volumes", option="--source", folded=True),
        Field("volume_type", N_("Type"), "ref", ref="volume-types", value="name", option="--type"),
        Field("description", N_("Description"), option="--description", folded=True),
    ),
    command="openstack volume create",
)

KINDS = (
    Kind(
        "images",
        N_("Images"),
        N_("Image"),
        N_("Compute"),
        "image GET /v2/images",
        "images",
        (
            Column("name", N_("Name"), "name"),
            Column("status", N_("State"), "usable"),
            Column("visibility", N_("Seen by"), "word"),
            Column("disk_format", N_("Format")),
            Column("size", N_("Size"), "bytes"),
            Column("updated_at", N_("Changed"), "time"),
        ),
        "image GET /v2/images/{id}",
        "",
        event="image.image",
        search="name",
        command="openstack image list",
        filters=(
            Field(
                "member_status",
                N_("Shared with this project"),
                "choice",
                choices=(
                    ("", N_("what was accepted")),
                    ("pending", N_("what is offered, too")),
                    ("rejected", N_("what was refused, too")),
                ),
            ),
        ),
        panels=(Panel("image-members", when=lambda row: row.get("visibility") == "shared"),),
        empty=N_("No images yet. Upload one to launch servers from it."),
        details=(
            Column("status", N_("State"), "usable"),
            Column("visibility", N_("Seen by"), "word"),
            Column("disk_format", N_("Format")),
            Column("size", N_("Size"), "bytes"),
            Column("virtual_size", N_("Size of its disk"), "bytes"),
            Column("min_disk", N_("Least disk"), "gib"),
            Column("min_ram", N_("Least memory"), "mib"),
            Column("protected", N_("Protected"), "bool"),
            Column("tags", N_("Tags")),
            Column("os_hash_value", N_("Hash"), "code"),
            Column("created_at", N_("Created"), "time"),
            Column("id", N_("ID"), "code"),
        ),
        create=Action(
            "create",
            N_("Upload an image"),
            "image POST /v2/images",
            fields=(
                Field("name", N_("Name"), required=True, option="-"),
                Field("disk_format", N_("Format"), "choice", choices=FORMATS, required=True, option="--disk-format"),
                Field("visibility", N_("Seen by"), "choice", choices=VISIBLE, option="--{}"),
                Field("min_disk", N_("Least disk (GiB)"), "number", option="--min-disk", folded=True),
                Field("min_ram", N_("Least memory (MiB)"), "number", option="--min-ram", folded=True),
                Field("protected", N_("Protected from deletion"), "bool", option="--protected", folded=True),
                Field("tags", N_("Tags"), "list", option="--tag", folded=True),
                Field(
                    "url",
                    N_("Fetch it from this address"),
                    "text",
                    to="-",
                    folded=True,
                    help=N_("Instead of a file. Only where the cloud allows it."),
                ),
                Field("file", N_("File"), "file", to="-", option="--file"),
            ),
            command="openstack image create --container-format bare",
            special="upload",
        ),
        actions=(
            Action(
                "launch",
                N_("Launch a server"),
                "compute POST /v2.1/servers",
                "server",
                when=states("active"),
                special="launch",
                quick=True,
                command="openstack server create --image {id} --flavor <flavor> <name>",
            ),
            Action(
                "volume",
                N_("Create a volume"),
                f"volume POST {V}/volumes",
                "volume",
                when=states("active"),
                fields=(
                    Field("name", N_("Name"), option="-"),
                    Field("size", N_("Size (GiB)"), "number", default=1, required=True, option="--size"),
                    Field("volume_type", N_("Type"), "ref", ref="volume-types", value="name", option="--type"),
                ),
                build=lambda values, row: {**values, "imageRef": row["id"]},
                command="openstack volume create --image {id}",
            ),
            Action(
                "edit",
                N_("Edit"),
                "image PATCH /v2/images/{id}",
                fields=(
                    Field("name", N_("Name"), default="=name", option="--name"),
                    Field("visibility", N_("Seen by"), "choice", choices=VISIBLE, default="=visibility", option="--{}"),
                    Field("min_disk", N_("Least disk (GiB)"), "number", default="=min_disk", option="--min-disk"),
                    Field("min_ram", N_("Least memory (MiB)"), "number", default="=min_ram", option="--min-ram"),
                    Field(
                        "protected",
                        N_("Protected from deletion"),
                        "bool",
                        default="=protected",
                        option="--protected",
                        off="--unprotected",
                    ),
                    Field("tags", N_("Tags"), "list", default="=tags", option="--tag", unset=UNTAG),
                ),
                build=image_changes,
                command="openstack image set {id}",
            ),
            Action(
                "share",
                N_("Share with a project"),
                "image POST /v2/images/{id}/members",
                fields=(Field("member", N_("ID of the project"), required=True, option="-"),),
                when=lambda row: row.get("visibility") == "shared",
                command="openstack image add project {id}",
            ),
            Action(
                "answer",
                N_("Take it or not"),
                "image PUT /v2/images/{id}/members/{project}",
                fields=(
                    Field(
                        "status",
                        N_("Answer"),
                        "choice",
                        choices=(("accepted", N_("Show it among the images")), ("rejected", N_("Do not show it"))),
                        required=True,
                        option="--{}",
                        options={"accepted": "--accept", "rejected": "--reject"},
                    ),
                ),
                when=lambda row: row.get("visibility") == "shared",
                help=N_("For an image that another project shares with yours."),
                command="openstack image set {id}",
            ),
            Action(
                "download",
                N_("Download"),
                "image GET /v2/images/{id}/file",
                special="download",
                quick=True,
                when=states("active"),
                command="openstack image save {id}",
            ),
            Action(
                "deactivate",
                N_("Deactivate"),
                "image POST /v2/images/{id}/actions/deactivate",
                when=states("active"),
                danger=True,
                command="openstack image set --deactivate {id}",
            ),
            Action(
                "reactivate",
                N_("Reactivate"),
                "image POST /v2/images/{id}/actions/reactivate",
                when=states("deactivated"),
                quick=True,
                command="openstack image set --activate {id}",
            ),
            Action(
                "delete",
                N_("Delete"),
                "image DELETE /v2/images/{id}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack image delete {id}",
            ),
        ),
    ),
    Kind(
        "image-members",
        N_("Shared with"),
        N_("Project"),
        N_("Compute"),
        "image GET /v2/images/{in}/members",
        "members",
        (
            Column("member_id", N_("Project"), "code"),
            Column("status", N_("State"), "state"),
            Column("created_at", N_("Created"), "time"),
        ),
        id="member_id",
        label="member_id",
        inner=True,
        paged=False,
        gone_to="images",
        command="openstack image member list {in}",
        actions=(
            Action(
                "remove",
                N_("Share it no more"),
                "image DELETE /v2/images/{in}/members/{id}",
                danger=True,
                command="openstack image remove project {in} {id}",
            ),
        ),
    ),
    Kind(
        "volumes",
        N_("Volumes"),
        N_("Volume"),
        N_("Storage"),
        f"volume GET {V}/volumes/detail",
        "volumes",
        (
            Column("name", N_("Name"), "name"),
            Column("status", N_("State"), "state"),
            Column("size", N_("Size"), "gib"),
            Column("volume_type", N_("Type")),
            Column("bootable", N_("Bootable"), "bool"),
            Column("attachments/0/server_id", N_("Server"), "ref:servers"),
            Column("created_at", N_("Created"), "time"),
        ),
        f"volume GET {V}/volumes/{{id}}",
        "volume",
        event="volume.volume",
        brief=f"volume GET {V}/volumes",
        search="name~",
        command="openstack volume list",
        empty=N_("No volumes yet. A volume is a disk that outlives its server."),
        create=NEW_VOLUME,
        panels=(Panel("snapshots", {"volume_id": "{id}"}), Panel("backups", {"volume_id": "{id}"})),
        details=(
            Column("status", N_("State"), "state"),
            Column("size", N_("Size"), "gib"),
            Column("volume_type", N_("Type")),
            Column("bootable", N_("Bootable"), "bool"),
            Column("attachments/0/server_id", N_("Server"), "ref:servers"),
            Column("attachments/0/device", N_("Device"), "code"),
            Column("snapshot_id", N_("From a snapshot"), "ref:snapshots"),
            Column("source_volid", N_("A copy of a volume"), "ref:volumes"),
            Column("encrypted", N_("Encrypted"), "bool"),
            Column("metadata", N_("Metadata"), "json"),
            Column("description", N_("Description")),
            Column("created_at", N_("Created"), "time"),
            Column("id", N_("ID"), "code"),
        ),
        actions=(
            Action(
                "attach",
                N_("Attach to a server"),
                "compute POST /v2.1/servers/{server}/os-volume_attachments",
                "volumeAttachment",
                when=states("available"),
                fields=(Field("server", N_("Server"), "ref", ref="servers", required=True, to="-"),),
                build=lambda values, row: {"volumeId": row["id"]},
                command="openstack server add volume {server} {id}",
            ),
            Action(
                "detach",
                N_("Detach"),
                "compute DELETE /v2.1/servers/{server}/os-volume_attachments/{id}",
                when=states("in-use"),
                danger=True,
                taken={"server": "attachments/0/server_id"},
                command="openstack server remove volume {server} {id}",
            ),
            Action(
                "launch",
                N_("Launch a server"),
                "compute POST /v2.1/servers",
                "server",
                special="launch",
                quick=True,
                when=lambda row: row.get("bootable") == "true" and row.get("status") == "available",
                command="openstack server create --volume {id} --flavor <flavor> <name>",
            ),
            Action(
                "extend",
                N_("Extend"),
                DO,
                "os-extend",
                when=states("available", "in-use"),
                fields=(
                    Field("new_size", N_("New size (GiB)"), "number", default="=size", required=True, option="--size"),
                ),
                command="openstack volume set {id}",
            ),
            Action(
                "snapshot",
                N_("Make a snapshot"),
                f"volume POST {V}/snapshots",
                "snapshot",
                when=states("available", "in-use"),
                fields=(
                    Field("name", N_("Name"), option="-", blank="''"),
                    Field("description", N_("Description"), option="--description"),
                ),
                build=lambda values, row: {**values, "volume_id": row["id"]},
                command="openstack volume snapshot create --volume {id}",
            ),
            OF_VOLUME,
            Action(
                "upload",
                N_("Make an image of it"),
                DO,
                "os-volume_upload_image",
                when=states("available", "in-use"),
                fields=(
                    Field("image_name", N_("Name of the image"), required=True, option="-"),
                    Field(
                        "disk_format",
                        N_("Format"),
                        "choice",
                        choices=(("raw", "raw"), ("qcow2", "qcow2")),
                        option="--disk-format",
                    ),
                ),
                build=lambda values, row: {**values, "force": row.get("status") == "in-use"},
                command="openstack image create --volume {id}",
                words=forced,
            ),
            Action(
                "transfer",
                N_("Offer to another project"),
                f"volume POST {V}/os-volume-transfer",
                "transfer",
                when=states("available"),
                fields=(Field("name", N_("Name"), option="--name"),),
                build=lambda values, row: {**values, "volume_id": row["id"]},
                secret=N_("Give the receiver the id and this key: it is shown once."),
                command="openstack volume transfer request create {id}",
            ),
            Action(
                "retype",
                N_("Change the type"),
                DO,
                "os-retype",
                fields=(
                    Field(
                        "new_type", N_("Type"), "ref", ref="volume-types", value="name", required=True, option="--type"
                    ),
                ),
                command="openstack volume set {id}",
            ),
            replacing.metadata(
                f"volume PUT {V}/volumes/{{id}}/metadata",
                "openstack volume set --no-property {id}",
                apart=("readonly", "attached_mode"),
            ),
            Action(
                "read-only",
                N_("Set whether it can be written to"),
                DO,
                "os-update_readonly_flag",
                when=states("available"),
                fields=(
                    Field(
                        "readonly",
                        N_("Read only"),
                        "bool",
                        default="=metadata/readonly",
                        option="--read-only",
                        off="--read-write",
                    ),
                ),
                command="openstack volume set {id}",
            ),
            Action(
                "reimage",
                N_("Write an image on it"),
                DO,
                "os-reimage",
                when=states("available", "error"),
                danger=True,
                help=N_("What is on it is lost."),
                fields=(
                    Field("image_id", N_("Image"), "ref", ref="images", query={"status": "active"}, required=True),
                ),
            ),
            Action(
                "bootable",
                N_("Set whether it is bootable"),
                DO,
                "os-set_bootable",
                fields=(
                    Field(
                        "bootable",
                        N_("Bootable"),
                        "bool",
                        default="=bootable",
                        option="--bootable",
                        off="--non-bootable",
                    ),
                ),
                command="openstack volume set {id}",
            ),
            Action(
                "edit",
                N_("Edit"),
                f"volume PUT {V}/volumes/{{id}}",
                "volume",
                fields=NAMED,
                command="openstack volume set {id}",
            ),
            Action(
                "reset-state",
                N_("Set the state"),
                DO,
                "os-reset_status",
                fields=(Field("status", N_("State"), required=True, default="available", option="--state"),),
                command="openstack volume set {id}",
            ),
            Action(
                "delete",
                N_("Delete"),
                f"volume DELETE {V}/volumes/{{id}}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack volume delete {id}",
            ),
        ),
    ),
    Kind(
        "snapshots",
        N_("Snapshots of volumes"),
        N_("Snapshot"),
        N_("Storage"),
        f"volume GET {V}/snapshots/detail",
        "snapshots",
        (
            Column("name", N_("Name"), "name"),
            Column("status", N_("State"), "state"),
            Column("size", N_("Size"), "gib"),
            Column("volume_id", N_("Volume"), "ref:volumes"),
            Column("created_at", N_("Created"), "time"),
        ),
        f"volume GET {V}/snapshots/{{id}}",
        "snapshot",
        event="volume.snapshot",
        brief=f"volume GET {V}/snapshots",
        search="name~",
        command="openstack volume snapshot list",
        narrowed=("volume_id",),
        empty=N_("No snapshots yet. Make one from a volume's page; servers go on meanwhile."),
        actions=(
            Action(
                "volume",
                N_("Create a volume"),
                f"volume POST {V}/volumes",
                "volume",
                when=states("available"),
                fields=(
                    Field("name", N_("Name"), option="-"),
                    Field("size", N_("Size (GiB)"), "number", default="=size", option="--size"),
                ),
                build=lambda values, row: {**values, "snapshot_id": row["id"]},
                command="openstack volume create --snapshot {id}",
            ),
            Action(
                "edit",
                N_("Edit"),
                f"volume PUT {V}/snapshots/{{id}}",
                "snapshot",
                fields=NAMED,
                command="openstack volume snapshot set {id}",
            ),
            Action(
                "delete",
                N_("Delete"),
                f"volume DELETE {V}/snapshots/{{id}}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack volume snapshot delete {id}",
            ),
        ),
    ),
    Kind(
        "transfers",
        N_("Volume transfers"),
        N_("Transfer"),
        N_("Storage"),
        f"volume GET {V}/os-volume-transfer/detail",
        "transfers",
        (
            Column("name", N_("Name"), "name"),
            Column("volume_id", N_("Volume"), "ref:volumes"),
            Column("created_at", N_("Created"), "time"),
            Column("id", N_("ID"), "code"),
        ),
        f"volume GET {V}/os-volume-transfer/{{id}}",
        "transfer",
        event="volume.transfer",
        paged=False,
        command="openstack volume transfer request list",
        empty=N_("Nothing is offered. Offer a volume from its page; accept one here."),
        create=Action(
            "create",
            N_("Accept a volume"),
            f"volume POST {V}/os-volume-transfer/{{transfer}}/accept",
            "accept",
            fields=(
                Field("transfer", N_("ID of the transfer"), required=True, to="-", option="-"),
                Field("auth_key", N_("Key"), "password", required=True, option="--auth-key"),
            ),
            build=lambda values, row: {"auth_key": values["auth_key"]},
            command="openstack volume transfer request accept",
        ),
        actions=(
            Action(
                "delete",
                N_("Withdraw"),
                f"volume DELETE {V}/os-volume-transfer/{{id}}",
                danger=True,
                back="list",
                command="openstack volume transfer request delete {id}",
            ),
        ),
    ),
)
