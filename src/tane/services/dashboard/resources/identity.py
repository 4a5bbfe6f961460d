"""Who there is in the cloud and what they may do: projects, users, groups, roles, domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Panel, Row, Values
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import replacing

SECTION = N_("Administration")
ENABLED = Field("enabled", N_("Enabled"), "bool", default="=enabled", option="--enable", off="--disable")
NEW_ENABLED = Field("enabled", N_("Enabled"), "bool", default=True, option="--enable", off="--disable")

LIMITS: Mapping[str, tuple[str, str]] = {
    "instances": (N_("Servers"), "--instances"),
    "cores": (N_("vCPUs"), "--cores"),
    "ram": (N_("Memory (MiB)"), "--ram"),
    "key_pairs": (N_("Key pairs"), "--key-pairs"),
    "server_groups": (N_("Server groups"), "--server-groups"),
    "volumes": (N_("Volumes"), "--volumes"),
    "snapshots": (N_("Snapshots"), "--snapshots"),
    "gigabytes": (N_("Volume space (GiB)"), "--gigabytes"),
    "network": (N_("Networks"), "--networks"),
    "subnet": (N_("Subnets"), "--subnets"),
    "port": (N_("Ports"), "--ports"),
    "router": (N_("Routers"), "--routers"),
    "floatingip": (N_("Floating IPs"), "--floating-ips"),
    "security_group": (N_("Security groups"), "--secgroups"),
    "security_group_rule": (N_("Rules"), "--secgroup-rules"),
}
"""What quotas limit: what it is called, and the client's option."""


def named(*more: Field) -> tuple[Field, ...]:
    return (
        Field("name", N_("Name"), default="=name", required=True, option="--name"),
        Field("description", N_("Description"), "text", default="=description", option="--description", keeps=True),
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
            Action(
                "edit",
                N_("Edit"),
                f"identity PATCH /v3/{what}/{{id}}",
                key,
                fields=changed,
                command=f"{command} set {{id}}",
            ),
            *more.pop("actions", ()),
            deleted,
        ),
        **more,
    )


def roles(path: str, where: str) -> tuple[Action, ...]:
    """Giving roles there, and taking them: of users and of groups."""
    found = []
    for who, title, given, taken in (
        ("user", N_("User"), N_("Give a user a role"), N_("Take a role from a user")),
        ("group", N_("Group"), N_("Give a group a role"), N_("Take a role from a group")),
    ):
        fields = (
            Field(f"{who}_id", title, "ref", ref=f"{who}s", required=True, to="-", option=f"--{who}"),
            Field("role_id", N_("Role"), "ref", ref="roles", required=True, to="-", option="-"),
        )
        suffix = "" if who == "user" else "-group"
        for name, method, words, verb in (("grant", "PUT", given, "add"), ("take", "DELETE", taken, "remove")):
            found.append(
                Action(
                    f"{name}{suffix}",
                    words,
                    f"identity {method} {path}/{who}s/{{{who}_id}}/roles/{{role_id}}",
                    fields=fields,
                    build=nothing,
                    danger=method == "DELETE",
                    command=f"openstack role {verb} {where}",
                )
            )
    return tuple(found)


def in_system(who: str) -> tuple[Action, ...]:
    """The same on the whole cloud, from the page of who gets it."""
    return tuple(
        Action(
            f"{name}-system",
            title,
            f"identity {method} /v3/system/{who}s/{{id}}/roles/{{role_id}}",
            fields=(Field("role_id", N_("Role"), "ref", ref="roles", required=True, to="-", option="-"),),
            build=nothing,
            danger=method == "DELETE",
            command=f"openstack role {verb} --system all --{who} {{id}}",
        )
        for name, method, verb, title in (
            ("grant", "PUT", "add", N_("Give a role on the whole cloud")),
            ("take", "DELETE", "remove", N_("Take a role on the whole cloud")),
        )
    )


def nothing(values: Values, row: Row) -> None:
    """Who and what stand in the path."""


def factors(values: Values, row: Row) -> Any:
    """Whether a password alone is enough for a user."""
    if not values.get("passcode"):
        return {"options": {"multi_factor_auth_enabled": False}}
    return {"options": {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}}


def implied(answer: Any) -> list[Row]:
    return list(answer["role_inference"]["implies"])


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
        (NAME, DESCRIPTION, DOMAIN, IS_ENABLED, Column("tags", N_("Tags")), Column("id", N_("ID"), "code")),
        fields=named(
            Field("domain_id", N_("Domain"), "ref", ref="domains", option="--domain", folded=True), NEW_ENABLED
        ),
        changed=named(ENABLED),
        panels=(Panel("assignments", {"scope.project.id": "{id}"}),),
        actions=(
            *roles("/v3/projects/{id}", "--project {id}"),
            replacing.tags(
                "identity PUT /v3/projects/{id}/tags",
                "openstack project set {id}",
                "openstack project set {id} --remove-tag",
            ),
            *(
                Action(
                    f"quota-{what}",
                    title,
                    call,
                    key,
                    fields=tuple(Field(name, LIMITS[name][0], "number", option=LIMITS[name][1]) for name in names),
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
        actions=(
            *in_system("user"),
            Action(
                "factors",
                N_("Ask for a passcode, too"),
                "identity PATCH /v3/users/{id}",
                "user",
                fields=(
                    Field(
                        "passcode",
                        N_("The password alone is not enough"),
                        "bool",
                        default="=options/multi_factor_auth_enabled",
                        to="-",
                        option="--enable-multi-factor-auth --multi-factor-auth-rule password,totp",
                        off="--disable-multi-factor-auth",
                        help=N_("The user must have made passcodes before."),
                    ),
                ),
                build=factors,
                command="openstack user set {id}",
            ),
        ),
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
            *in_system("group"),
        ),
        panels=(Panel("group-members"), Panel("assignments", {"group.id": "{id}"})),
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
        panels=(Panel("implied-roles"),),
    ),
    Kind(
        "implied-roles",
        N_("Roles that come with it"),
        N_("Role"),
        SECTION,
        "identity GET /v3/roles/{in}/implies",
        "",
        (Column("name", N_("Name")), Column("id", N_("ID"), "code")),
        inner=True,
        admin=True,
        paged=False,
        spread=implied,
        gone_to="roles",
        command="openstack implied role list",
        empty=N_("None. Who has this role has no other by it."),
        create=Action(
            "create",
            N_("Let a role come with it"),
            "identity PUT /v3/roles/{in}/implies/{role_id}",
            fields=(Field("role_id", N_("Role"), "ref", ref="roles", required=True, to="-", option="--implied-role"),),
            build=nothing,
            command="openstack implied role create {in}",
        ),
        actions=(
            Action(
                "delete",
                N_("Let it come no more"),
                "identity DELETE /v3/roles/{in}/implies/{id}",
                danger=True,
                command="openstack implied role delete {in} --implied-role {id}",
            ),
        ),
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
        actions=roles("/v3/domains/{id}", "--domain {id}"),
        panels=(Panel("assignments", {"scope.domain.id": "{id}"}),),
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
            Column("kind", N_("User or group"), "word"),
            Column("role", N_("Role")),
            Column("where", N_("Where")),
        ),
        label="who",
        query={"include_names": "true"},
        paged=False,
        admin=True,
        spread=spread,
        command="openstack role assignment list --names",
        narrowed=("scope.project.id", "scope.domain.id", "user.id", "group.id"),
    ),
)
