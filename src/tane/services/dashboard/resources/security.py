"""Security groups and their rules."""

from __future__ import annotations

from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Panel, Row, Values
from tane.services.dashboard.domain.forms import line, operand, option
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources.network import SECTION, N, drop, edit, tags

RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "ssh": (N_("SSH from anywhere"), {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}),
    "http": (N_("HTTP from anywhere"), {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80}),
    "https": (N_("HTTPS from anywhere"), {"protocol": "tcp", "port_range_min": 443, "port_range_max": 443}),
    "rdp": (
        N_("Remote desktop (RDP) from anywhere"),
        {"protocol": "tcp", "port_range_min": 3389, "port_range_max": 3389},
    ),
    "dns": (N_("DNS from anywhere"), {"protocol": "udp", "port_range_min": 53, "port_range_max": 53}),
    "ping": (N_("Ping from anywhere"), {"protocol": "icmp"}),
    "tcp": (N_("All TCP"), {"protocol": "tcp"}),
    "udp": (N_("All UDP"), {"protocol": "udp"}),
    "own": (N_("A rule of one's own"), {}),
}
"""Rules by name."""


def rule(values: Values, row: Row) -> Any:
    """A rule of a group: one by its name, else what is filled in."""
    named = dict(RULES[values.get("named", "own")][1]) if values.get("named", "own") in RULES else {}
    body: dict[str, Any] = {
        "security_group_id": values["group"],
        "direction": values.get("direction", "ingress"),
        **named,
    }
    body["ethertype"] = values.get("ethertype", "IPv4")
    if not named:
        body |= {name: values[name] for name in ("protocol", "port_range_min", "port_range_max") if name in values}
        if "port_range_min" in body and "port_range_max" not in body:
            body["port_range_max"] = body["port_range_min"]
    body |= {name: values[name] for name in ("remote_ip_prefix", "remote_group_id", "description") if name in values}
    return body


def told(values: Values, row: Row) -> str:
    """The command of the rule that is sent: some of its fields stand for several of the form."""
    sent = rule({"group": "<group>", **values}, row)
    parts = ["openstack security group rule create", f"--{sent['direction']}", f"--ethertype {sent['ethertype']}"]
    if "port_range_min" in sent:
        parts.append(f"--dst-port {sent['port_range_min']}:{sent['port_range_max']}")
    options = {"protocol": "protocol", "remote_ip_prefix": "remote-ip", "remote_group_id": "remote-group"}
    for name, told_as in (*options.items(), ("description", "description")):
        if name in sent:
            parts.append(option(f"--{told_as}", sent[name]))
    return line([*parts, operand(sent["security_group_id"])])


KINDS = (
    Kind(
        "security-groups",
        N_("Security groups"),
        N_("Security group"),
        SECTION,
        f"network GET {N}/security-groups",
        "security_groups",
        (Column("name", N_("Name"), "name"), Column("description", N_("Description"))),
        f"network GET {N}/security-groups/{{id}}",
        "security_group",
        event="network.security_group",
        search="name",
        command="openstack security group list",
        details=(
            Column("name", N_("Name")),
            Column("description", N_("Description")),
            Column("stateful", N_("Answers come back by themselves"), "bool"),
            Column("tags", N_("Tags")),
            Column("id", N_("ID"), "code"),
        ),
        panels=(Panel("rules", {"security_group_id": "{id}"}),),
        create=Action(
            "create",
            N_("Create a security group"),
            f"network POST {N}/security-groups",
            "security_group",
            fields=(
                Field("name", N_("Name"), required=True, option="-"),
                Field("description", N_("Description"), option="--description"),
            ),
            command="openstack security group create",
        ),
        actions=(
            edit("security-groups", "security_group", "openstack security group set {id}"),
            tags("security-groups", "openstack security group set --no-tag {id}"),
            drop("security-groups", "openstack security group delete {id}"),
        ),
    ),
    Kind(
        "rules",
        N_("Rules"),
        N_("Rule"),
        SECTION,
        f"network GET {N}/security-group-rules",
        "security_group_rules",
        (
            Column("direction", N_("Direction"), "word"),
            Column("ethertype", N_("IP version")),
            Column("protocol", N_("Protocol")),
            Column("port_range_min", N_("From port")),
            Column("port_range_max", N_("To port")),
            Column("remote_ip_prefix", N_("Others' addresses"), "code"),
            Column("remote_group_id", N_("Others' group"), "ref:security-groups"),
            Column("description", N_("Description")),
        ),
        item="security_group_rule",
        label="id",
        event="network.security_group_rule",
        inner=True,
        gone_to="security-groups",
        command="openstack security group rule list {in}",
        narrowed=("security_group_id",),
        create=Action(
            "create",
            N_("Add a rule"),
            f"network POST {N}/security-group-rules",
            "security_group_rule",
            build=rule,
            fields=(
                Field(
                    "group",
                    N_("Security group"),
                    "ref",
                    ref="security-groups",
                    required=True,
                    default="=in",
                    to="-",
                    option="-",
                ),
                Field(
                    "named",
                    N_("Rule"),
                    "choice",
                    required=True,
                    to="-",
                    choices=tuple((name, title) for name, (title, _) in RULES.items()),
                ),
                Field(
                    "remote_ip_prefix",
                    N_("Only from these addresses"),
                    option="--remote-ip",
                    help=N_("Empty: from anywhere."),
                ),
                Field(
                    "remote_group_id",
                    N_("Only from servers in this group"),
                    "ref",
                    ref="security-groups",
                    option="--remote-group",
                ),
                Field(
                    "direction",
                    N_("Direction"),
                    "choice",
                    choices=(("ingress", N_("Coming in")), ("egress", N_("Going out"))),
                    folded=True,
                ),
                Field(
                    "ethertype", N_("IP version"), "choice", choices=(("IPv4", "IPv4"), ("IPv6", "IPv6")), folded=True
                ),
                Field("protocol", N_("Protocol"), "text", option="--protocol", folded=True),
                Field("port_range_min", N_("From port"), "number", folded=True),
                Field("port_range_max", N_("To port"), "number", folded=True),
                Field("description", N_("Description"), "text", option="--description", folded=True),
            ),
            command="openstack security group rule create",
            told=told,
        ),
        actions=(
            Action(
                "delete",
                N_("Delete"),
                f"network DELETE {N}/security-group-rules/{{id}}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack security group rule delete {id}",
            ),
        ),
    ),
)
