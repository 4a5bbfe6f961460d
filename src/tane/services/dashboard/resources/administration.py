"""What administrators see: projects and users, hosts, everybody's servers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Panel, Row, Values, states
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources.servers import SERVER_COLUMNS, servers

SECTION = N_("Administration")
ENABLED = Field("enabled", N_("Enabled"), "bool", default="=enabled")
NEW_ENABLED = Field("enabled", N_("Enabled"), "bool", default=True)

LIMITS = {
    "instances": N_("Servers"),
    "cores": N_("vCPUs"),
    "ram": N_("Memory (MiB)"),
    "key_pairs": N_("Key pairs"),
    "server_groups": N_("Server groups"),
    "volumes": N_("Volumes"),
    "snapshots": N_("Snapshots"),
    "gigabytes": N_("Volume space (GiB)"),
    "network": N_("Networks"),
    "subnet": N_("Subnets"),
    "port": N_("Ports"),
    "router": N_("Routers"),
    "floatingip": N_("Floating IPs"),
    "security_group": N_("Security groups"),
    "security_group_rule": N_("Rules"),
}


def named(*more: Field) -> tuple[Field, ...]:
    return (
        Field("name", N_("Name"), default="=name", required=True, option="--name"),
        Field("description", N_("Description"), "text", default="=description", option="--description"),
        *more,
    )


def identity(name: str, title: str, one: str, what: str, make: str, columns: tuple[Column, ...], **more: Any) -> Kind:
    """A resource of identity: all have the same calls."""
    key = what.removesuffix("s")
    fields = more.pop("fields", ())
    changed = more.pop("changed", fields)
    # What is made takes its name as it is, what is changed as an option.
    fields = tuple(replace(one, option="-") if one.option == "--name" else one for one in fields)
    command = more.pop("command", f"openstack {key}")
    deleted = Action(
        "delete",
        N_("Delete"),
        f"identity DELETE /v3/{what}/{{id}}",
        danger=True,
        bulk=True,
        back="list",
        command=f"{command} delete {{id}}",
    )
    return Kind(
        name,
        title,
        one,
        SECTION,
        f"identity GET /v3/{what}",
        what,
        columns,
        f"identity GET /v3/{what}/{{id}}",
        key,
        event=f"identity.{key}",
        paged=False,
        search="name",
        admin=True,
        command=f"{command} list",
        create=Action("create", make, f"identity POST /v3/{what}", key, fields=fields, command=f"{command} create"),
        actions=(
            *more.pop("actions", ()),
            Action(
                "edit",
                N_("Edit"),
                f"identity PATCH /v3/{what}/{{id}}",
                key,
                fields=changed,
                command=f"{command} set {{id}}",
            ),
            deleted,
        ),
        **more,
    )


def spread(answer: Any) -> list[Row]:
    """Assignments as rows: who, where, what."""
    found = []
    for one in answer["role_assignments"]:
        scope = one.get("scope", {})
        where = scope.get("project") or scope.get("domain") or {"name": "system" if "system" in scope else ""}
        who = one.get("user") or one.get("group") or {}
        row = {"who": who.get("name") or who.get("id"), "where": where.get("name") or where.get("id")}
        found.append(
            {
                **row,
                "role": one["role"].get("name") or one["role"]["id"],
                "id": f"{who.get('id')}",
                "kind": "group" if "group" in one else "user",
            }
        )
    return found


def aggregate(values: Values, row: Row) -> Any:
    return {name: values[name] for name in ("name", "availability_zone") if name in values}


NAME = Column("name", N_("Name"), "name")
IS_ENABLED = Column("enabled", N_("Enabled"), "bool")
DESCRIPTION = Column("description", N_("Description"))
DOMAIN = Column("domain_id", N_("Domain"), "ref:domains")

KINDS = (
    identity(
        "projects",
        N_("Projects"),
        N_("Project"),
        "projects",
        N_("Create a project"),
        (NAME, DESCRIPTION, DOMAIN, IS_ENABLED, Column("id", N_("ID"), "code")),
        fields=named(
            Field("domain_id", N_("Domain"), "ref", ref="domains", option="--domain", folded=True), NEW_ENABLED
        ),
        changed=named(ENABLED),
        panels=(Panel("assignments", {"scope.project.id": "{id}"}),),
        actions=(
            Action(
                "grant",
                N_("Give a user a role"),
                "identity PUT /v3/projects/{id}/users/{user_id}/roles/{role_id}",
                fields=(
                    Field("user_id", N_("User"), "ref", ref="users", required=True, to="-", option="--user"),
                    Field("role_id", N_("Role"), "ref", ref="roles", required=True, to="-", option="--role"),
                ),
                build=lambda values, row: None,
                command="openstack role add --project {id}",
            ),
            Action(
                "take",
                N_("Take a role from a user"),
                "identity DELETE /v3/projects/{id}/users/{user_id}/roles/{role_id}",
                danger=True,
                fields=(
                    Field("user_id", N_("User"), "ref", ref="users", required=True, to="-", option="--user"),
                    Field("role_id", N_("Role"), "ref", ref="roles", required=True, to="-", option="--role"),
                ),
                build=lambda values, row: None,
                command="openstack role remove --project {id}",
            ),
            *(
                Action(
                    f"quota-{what}",
                    title,
                    call,
                    key,
                    fields=tuple(Field(name, LIMITS[name], "number") for name in names),
                    help=N_("What is left empty stays as it is; -1 is without a limit."),
                    command="openstack quota set {id}",
                )
                for what, title, call, key, names in (
                    (
                        "compute",
                        N_("Quota of servers"),
                        "compute PUT /v2.1/os-quota-sets/{id}",
                        "quota_set",
                        ("instances", "cores", "ram", "key_pairs", "server_groups"),
                    ),
                    (
                        "volume",
                        N_("Quota of volumes"),
                        "volume PUT /v3/{project}/os-quota-sets/{id}",
                        "quota_set",
                        ("volumes", "snapshots", "gigabytes"),
                    ),
                    (
                        "network",
                        N_("Quota of networks"),
                        "network PUT /v2.0/quotas/{id}",
                        "quota",
                        ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule"),
                    ),
                )
            ),
        ),
    ),
    identity(
        "users",
        N_("Users"),
        N_("User"),
        "users",
        N_("Create a user"),
        (NAME, DESCRIPTION, DOMAIN, IS_ENABLED, Column("id", N_("ID"), "code")),
        fields=named(
            Field("password", N_("Password"), "password", required=True, option="--password-prompt"),
            Field("default_project_id", N_("First project"), "ref", ref="projects", option="--project"),
            Field("domain_id", N_("Domain"), "ref", ref="domains", option="--domain", folded=True),
            NEW_ENABLED,
        ),
        changed=named(Field("password", N_("New password"), "password", option="--password-prompt"), ENABLED),
        panels=(Panel("assignments", {"user.id": "{id}"}),),
    ),
    identity(
        "groups",
        N_("Groups"),
        N_("Group"),
        "groups",
        N_("Create a group"),
        (NAME, DESCRIPTION, DOMAIN),
        fields=named(),
        actions=(
            Action(
                "add-user",
                N_("Add a user"),
                "identity PUT /v3/groups/{id}/users/{user_id}",
                fields=(Field("user_id", N_("User"), "ref", ref="users", required=True, to="-", option="-"),),
                build=lambda values, row: None,
                command="openstack group add user {id}",
            ),
        ),
        panels=(Panel("group-members"),),
    ),
    Kind(
        "group-members",
        N_("Members"),
        N_("User"),
        SECTION,
        "identity GET /v3/groups/{in}/users",
        "users",
        (Column("name", N_("Name")), IS_ENABLED, Column("id", N_("ID"), "code")),
        inner=True,
        admin=True,
        paged=False,
        gone_to="groups",
        command="openstack user list --group {in}",
        actions=(
            Action(
                "remove",
                N_("Take out of the group"),
                "identity DELETE /v3/groups/{in}/users/{id}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack group remove user {in} {id}",
            ),
        ),
    ),
    identity(
        "roles",
        N_("Roles"),
        N_("Role"),
        "roles",
        N_("Create a role"),
        (NAME, DESCRIPTION, Column("id", N_("ID"), "code")),
        fields=named(),
    ),
    identity(
        "domains",
        N_("Domains"),
        N_("Domain"),
        "domains",
        N_("Create a domain"),
        (NAME, DESCRIPTION, IS_ENABLED),
        fields=named(NEW_ENABLED),
        changed=named(ENABLED),
    ),
    Kind(
        "assignments",
        N_("Role assignments"),
        N_("Role assignment"),
        SECTION,
        "identity GET /v3/role_assignments",
        "",
        (
            Column("who", N_("Who")),
            Column("kind", N_("User or group")),
            Column("role", N_("Role")),
            Column("where", N_("Where")),
        ),
        label="who",
        query={"include_names": "true"},
        paged=False,
        admin=True,
        spread=spread,
        command="openstack role assignment list --names",
    ),
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
            Column("migration_type", N_("Kind")),
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
        actions=(
            Action(
                "enable",
                N_("Enable"),
                "host PUT /{id}",
                "host",
                empty={"enabled": True},
                quick=True,
                when=lambda row: not row.get("enabled"),
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
                "delete", N_("Remove"), "host DELETE /{id}", danger=True, back="list", command="./tane host remove {id}"
            ),
        ),
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
