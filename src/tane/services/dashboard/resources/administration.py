"""What administrators see of the cloud itself: hosts, services, everybody's servers."""

from __future__ import annotations

from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Panel, Row, Values, states
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources.servers import SERVER_COLUMNS, servers

SECTION = N_("Administration")


def aggregate(values: Values, row: Row) -> Any:
    zone = {"availability_zone": values["availability_zone"] or None} if "availability_zone" in values else {}
    return {**{name: values[name] for name in ("name",) if name in values}, **zone}


NAME = Column("name", N_("Name"), "name")

KINDS = (
    servers(
        "all-servers",
        N_("All servers"),
        SECTION,
        query={"all_tenants": "1"},
        admin=True,
        columns=(
            *SERVER_COLUMNS,
            Column("tenant_id", N_("Project"), "ref:projects"),
            Column("OS-EXT-SRV-ATTR:host", N_("Host")),
        ),
        command="openstack server list --all-projects",
    ),
    Kind(
        "migrations",
        N_("Migrations"),
        N_("Migration"),
        SECTION,
        "compute GET /v2.1/os-migrations",
        "migrations",
        (
            Column("instance_uuid", N_("Server"), "ref:all-servers"),
            Column("migration_type", N_("Kind"), "word"),
            Column("status", N_("State"), "state"),
            Column("source_compute", N_("From")),
            Column("dest_compute", N_("To")),
            Column("created_at", N_("Began"), "time"),
        ),
        label="id",
        paged=False,
        admin=True,
        command="openstack server migration list",
        empty=N_("No server has been moved."),
    ),
    Kind(
        "hosts",
        N_("Hosts"),
        N_("Host"),
        SECTION,
        "host GET ",
        "hosts",
        (
            Column("name", N_("Name"), "name"),
            Column("state", N_("State"), "state"),
            Column("enabled", N_("Enabled"), "bool"),
            Column("roles", N_("Roles")),
            Column("servers", N_("Servers")),
            Column("volumes", N_("Volumes")),
            Column("local_ip", N_("Address"), "code"),
            Column("disabled_reason", N_("Why")),
            Column("last_seen", N_("Last seen"), "time"),
        ),
        "host GET /{id}",
        "host",
        event="cloud.host",
        paged=False,
        admin=True,
        status="state",
        command="./tane host list",
        special=(("charts", N_("Charts")),),
        panels=(
            Panel("all-servers", {"host": "{name}", "limit": "50"}),
            Panel("migrations", {"source_compute": "{name}", "limit": "50"}),
        ),
        actions=(
            Action(
                "enable",
                N_("Enable"),
                "host PUT /{id}",
                "host",
                empty={"enabled": True, "dead": False},
                quick=True,
                when=lambda row: not row.get("enabled") or row.get("state") == "dead",
                command="./tane host enable {id}",
            ),
            Action(
                "disable",
                N_("Place nothing more on it"),
                "host PUT /{id}",
                "host",
                fields=(Field("disabled_reason", N_("Reason"), "text"),),
                build=lambda values, row: {**values, "enabled": False},
                when=lambda row: bool(row.get("enabled")),
                command="./tane host disable {id}",
            ),
            Action(
                "drain",
                N_("Move its servers to other hosts"),
                "host PUT /{id}",
                "host",
                fields=(
                    Field(
                        "how",
                        N_("Those that run"),
                        "choice",
                        choices=(
                            ("live", N_("go on meanwhile")),
                            ("cold", N_("are shut down for as long as it takes")),
                        ),
                        required=True,
                        to="-",
                    ),
                    Field("disabled_reason", N_("Reason"), "text", option="--reason"),
                ),
                danger=True,
                special="drain",
                when=lambda row: row.get("state") == "up",
                help=N_(
                    "Nothing more is placed on it. Volumes stay. Its page tells how far it is; what was moved while it "
                    "was off waits to be confirmed: order this again then, and for what has stayed."
                ),
                command="./tane host drain {id}",
            ),
            Action(
                "dead",
                N_("Take it for dead"),
                "host PUT /{id}",
                "host",
                fields=(
                    Field("evacuate", N_("Start its servers on other hosts"), "bool", to="-", option="--evacuate"),
                ),
                danger=True,
                special="dead",
                when=lambda row: row.get("state") == "down",
                help=N_(
                    "Only once its power is surely off: what runs on it still would run twice. Disks on it are lost to "
                    "servers that start elsewhere; volumes and addresses stay."
                ),
                command="./tane host confirm-dead {id}",
            ),
            Action(
                "delete", N_("Remove"), "host DELETE /{id}", danger=True, back="list", command="./tane host remove {id}"
            ),
        ),
    ),
    Kind(
        "findings",
        N_("Findings of the doctor"),
        N_("Finding"),
        SECTION,
        "host GET /findings",
        "findings",
        (
            Column("level", N_("Kind"), "word"),
            Column("what", N_("What"), "said"),
            Column("why", N_("Why it matters"), "said"),
            Column("mend", N_("What mends it"), "code"),
        ),
        label="what",
        paged=False,
        admin=True,
        command="./tane doctor",
        empty=N_("The cloud is well. What is wrong with the machine itself is told by ./tane doctor there."),
    ),
    Kind(
        "settings",
        N_("Settings of the cloud"),
        N_("Setting"),
        SECTION,
        "host GET /settings",
        "settings",
        (
            Column("name", N_("Name"), "code"),
            Column("value", N_("Value"), "code"),
            Column("usual", N_("By itself"), "code"),
            Column("set", N_("Set otherwise"), "bool"),
        ),
        admin=True,
        empty=N_("Nothing here."),
    ),
    Kind(
        "host-tokens",
        N_("Tokens to join"),
        N_("Token"),
        SECTION,
        "host GET /tokens",
        "tokens",
        (
            Column("roles", N_("Roles")),
            Column("name", N_("Name")),
            Column("expires_at", N_("Expires"), "time"),
            Column("host_id", N_("Used by"), "ref:hosts"),
        ),
        label="id",
        item="token",
        paged=False,
        admin=True,
        command="./tane host tokens",
        empty=N_("Make a token to let another machine join the cloud by one command."),
        create=Action(
            "create",
            N_("Let a machine join"),
            "host POST /tokens",
            "token",
            fields=(
                Field("roles", N_("Roles"), "list", default=["compute", "network", "volume"], required=True),
                Field("name", N_("Name of the host"), "text", help=N_("Empty: as the machine is called.")),
                Field("hours", N_("Hours it is good for"), "number", default=1),
            ),
            command="./tane host token",
            secret=N_("Run this on the machine that is to join: ./tane join TOKEN. It is shown once."),
        ),
        actions=(
            Action(
                "delete",
                N_("Withdraw"),
                "host DELETE /tokens/{id}",
                danger=True,
                back="list",
                command="./tane host token",
            ),
        ),
    ),
    Kind(
        "hypervisors",
        N_("Hypervisors"),
        N_("Hypervisor"),
        SECTION,
        "compute GET /v2.1/os-hypervisors",
        "hypervisors",
        (
            Column("hypervisor_hostname", N_("Name"), "name"),
            Column("state", N_("State"), "state"),
            Column("status", N_("Enabled"), "state"),
            Column("id", N_("ID"), "code"),
        ),
        label="hypervisor_hostname",
        paged=False,
        admin=True,
        command="openstack hypervisor list",
    ),
    Kind(
        "services",
        N_("Compute services"),
        N_("Service"),
        SECTION,
        "compute GET /v2.1/os-services",
        "services",
        (
            Column("binary", N_("Program")),
            Column("host", N_("Host")),
            Column("zone", N_("Availability zone")),
            Column("status", N_("Enabled"), "state"),
            Column("state", N_("State"), "state"),
            Column("updated_at", N_("Last seen"), "time"),
        ),
        label="binary",
        paged=False,
        admin=True,
        command="openstack compute service list",
        actions=(
            Action(
                "enable",
                N_("Enable"),
                "compute PUT /v2.1/os-services/{id}",
                empty={"status": "enabled"},
                quick=True,
                when=states("disabled"),
                command="openstack compute service set --enable",
            ),
            Action(
                "disable",
                N_("Disable"),
                "compute PUT /v2.1/os-services/{id}",
                empty={"status": "disabled"},
                danger=True,
                when=states("enabled"),
                command="openstack compute service set --disable",
            ),
        ),
    ),
    Kind(
        "agents",
        N_("Network agents"),
        N_("Network agent"),
        SECTION,
        "network GET /v2.0/agents",
        "agents",
        (
            Column("agent_type", N_("Kind")),
            Column("host", N_("Host")),
            Column("alive", N_("Alive"), "bool"),
            Column("admin_state_up", N_("Enabled"), "bool"),
        ),
        "network GET /v2.0/agents/{id}",
        "agent",
        label="agent_type",
        admin=True,
        command="openstack network agent list",
    ),
    Kind(
        "volume-services",
        N_("Volume services"),
        N_("Service"),
        SECTION,
        "volume GET /v3/{project}/os-services",
        "services",
        (
            Column("binary", N_("Program")),
            Column("host", N_("Host")),
            Column("status", N_("Enabled"), "state"),
            Column("state", N_("State"), "state"),
        ),
        id="binary",
        label="binary",
        paged=False,
        admin=True,
        command="openstack volume service list",
    ),
    Kind(
        "aggregates",
        N_("Aggregates"),
        N_("Aggregate"),
        SECTION,
        "compute GET /v2.1/os-aggregates",
        "aggregates",
        (
            NAME,
            Column("availability_zone", N_("Availability zone")),
            Column("hosts", N_("Hosts")),
            Column("metadata", N_("Metadata"), "json"),
        ),
        "compute GET /v2.1/os-aggregates/{id}",
        "aggregate",
        event="compute.aggregate",
        paged=False,
        admin=True,
        command="openstack aggregate list",
        empty=N_("No aggregates yet. They group hosts, as availability zones do."),
        create=Action(
            "create",
            N_("Create an aggregate"),
            "compute POST /v2.1/os-aggregates",
            "aggregate",
            fields=(
                Field("name", N_("Name"), required=True, option="-"),
                Field("availability_zone", N_("Availability zone"), option="--zone"),
            ),
            build=aggregate,
            command="openstack aggregate create",
        ),
        actions=(
            Action(
                "edit",
                N_("Edit"),
                "compute PUT /v2.1/os-aggregates/{id}",
                "aggregate",
                fields=(
                    Field("name", N_("Name"), default="=name", required=True, option="--name"),
                    Field("availability_zone", N_("Availability zone"), default="=availability_zone", option="--zone"),
                ),
                build=aggregate,
                command="openstack aggregate set {id}",
            ),
            *(
                Action(
                    name,
                    title,
                    "compute POST /v2.1/os-aggregates/{id}/action",
                    key,
                    fields=(Field("host", N_("Host"), "ref", ref="hosts", value="name", required=True, option="-"),),
                    command=f"openstack aggregate {word} {{id}}",
                )
                for name, title, key, word in (
                    ("add-host", N_("Add a host"), "add_host", "add host"),
                    ("remove-host", N_("Take a host out"), "remove_host", "remove host"),
                )
            ),
            Action(
                "metadata",
                N_("Metadata"),
                "compute POST /v2.1/os-aggregates/{id}/action",
                "set_metadata",
                fields=(Field("metadata", N_("Metadata"), "pairs", required=True, option="--property"),),
                command="openstack aggregate set {id}",
            ),
            Action(
                "delete",
                N_("Delete"),
                "compute DELETE /v2.1/os-aggregates/{id}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack aggregate delete {id}",
            ),
        ),
    ),
)
