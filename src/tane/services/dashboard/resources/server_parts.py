"""What is shown on a server's page: its interfaces, volumes, moves, and what was done to it."""

from __future__ import annotations

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Row, Values, states
from tane.services.dashboard.domain.forms import Operand, line, operand, option
from tane.services.dashboard.domain.messages import N_

MOVES = "/v2.1/servers/{in}/migrations"


def interface(values: Values, row: Row) -> str:
    """The command that attaches an interface: another one for a port, and for a chosen address."""
    server = operand(row["in"])
    network = operand(values["net_id"]) if "net_id" in values else Operand("<network>")
    if "port_id" in values:
        return line(["openstack server add port", server, operand(values["port_id"])])
    if "fixed" in values:
        return line(["openstack server add fixed ip", option("--fixed-ip-address", values["fixed"]), server, network])
    return line(["openstack server add network", server, network])


KINDS = (
    Kind(
        "server-interfaces",
        N_("Interfaces"),
        N_("Interface"),
        N_("Compute"),
        "compute GET /v2.1/servers/{in}/os-interface",
        "interfaceAttachments",
        (
            Column("port_id", N_("Port"), "ref:ports"),
            Column("net_id", N_("Network"), "ref:networks"),
            Column("fixed_ips", N_("Addresses"), "fixed"),
            Column("mac_addr", N_("MAC address"), "code"),
            Column("port_state", N_("State"), "state"),
        ),
        id="port_id",
        label="port_id",
        inner=True,
        paged=False,
        gone_to="servers",
        command="openstack port list --server {in}",
        create=Action(
            "create",
            N_("Attach an interface"),
            "compute POST /v2.1/servers/{in}/os-interface",
            "interfaceAttachment",
            fields=(
                Field("net_id", N_("Network"), "ref", ref="networks", option="--network"),
                Field(
                    "port_id",
                    N_("or a port made before"),
                    "ref",
                    ref="ports",
                    only=lambda row: not row.get("device_id"),
                    option="--port",
                ),
                Field("fixed", N_("Address"), to="-", help=N_("Empty: any free one.")),
            ),
            build=lambda values, row: {
                **{name: values[name] for name in ("net_id", "port_id") if name in values},
                **({"fixed_ips": [{"ip_address": values["fixed"]}]} if "fixed" in values else {}),
            },
            command="openstack server add network {in}",
            told=interface,
        ),
        actions=(
            Action(
                "detach",
                N_("Detach"),
                "compute DELETE /v2.1/servers/{in}/os-interface/{id}",
                danger=True,
                command="openstack server remove port {in} {id}",
            ),
        ),
    ),
    Kind(
        "server-volumes",
        N_("Volumes attached"),
        N_("Attached volume"),
        N_("Compute"),
        "compute GET /v2.1/servers/{in}/os-volume_attachments",
        "volumeAttachments",
        (
            Column("volumeId", N_("Volume"), "ref:volumes"),
            Column("device", N_("Device"), "code"),
            Column("delete_on_termination", N_("Goes with the server"), "bool"),
        ),
        id="volumeId",
        label="volumeId",
        inner=True,
        gone_to="servers",
        command="openstack server volume list {in}",
        create=Action(
            "create",
            N_("Attach a volume"),
            "compute POST /v2.1/servers/{in}/os-volume_attachments",
            "volumeAttachment",
            fields=(
                Field(
                    "volumeId",
                    N_("Volume"),
                    "ref",
                    ref="volumes",
                    required=True,
                    query={"status": "available"},
                    option="-",
                ),
                Field("device", N_("Device"), option="--device"),
                Field(
                    "delete_on_termination",
                    N_("Delete it with the server"),
                    "bool",
                    option="--enable-delete-on-termination",
                    off="--disable-delete-on-termination",
                ),
            ),
            command="openstack server add volume {in}",
        ),
        actions=(
            Action(
                "detach",
                N_("Detach"),
                "compute DELETE /v2.1/servers/{in}/os-volume_attachments/{id}",
                danger=True,
                command="openstack server remove volume {in} {id}",
            ),
        ),
    ),
    Kind(
        "server-events",
        N_("What was done"),
        N_("Action"),
        N_("Compute"),
        "compute GET /v2.1/servers/{in}/os-instance-actions",
        "instanceActions",
        (
            Column("action", N_("Action"), "word"),
            Column("message", N_("Why it failed"), "said"),
            Column("start_time", N_("Began"), "time"),
            Column("updated_at", N_("Ended"), "time"),
            Column("request_id", N_("Request"), "code"),
        ),
        id="request_id",
        label="action",
        inner=True,
        paged=False,
        gone_to="servers",
        command="openstack server event list {in}",
    ),
    Kind(
        "server-migrations",
        N_("Moves under way"),
        N_("Migration"),
        N_("Compute"),
        f"compute GET {MOVES}",
        "migrations",
        (
            Column("status", N_("State"), "state"),
            Column("source_compute", N_("From host")),
            Column("dest_compute", N_("To host")),
            Column("memory_total_bytes", N_("Memory"), "bytes"),
            Column("memory_remaining_bytes", N_("Memory to be sent"), "bytes"),
            Column("created_at", N_("Began"), "time"),
        ),
        label="id",
        inner=True,
        admin=True,
        paged=False,
        gone_to="servers",
        command="openstack server migration list --server {in}",
        actions=(
            Action(
                "complete",
                N_("Pause it until it has moved"),
                f"compute POST {MOVES}/{{id}}/action",
                "force_complete",
                when=states("running"),
                danger=True,
                command="openstack server migration force complete {in} {id}",
            ),
            Action(
                "abort",
                N_("Leave it where it is"),
                f"compute DELETE {MOVES}/{{id}}",
                when=states("running", "queued", "preparing"),
                danger=True,
                command="openstack server migration abort {in} {id}",
            ),
        ),
    ),
)
