"""Pools that subnets are taken from, and how full networks are."""

from __future__ import annotations

from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Row
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources.network import SECTION, N, drop

LENGTHS = (
    Field(
        "default_prefixlen",
        N_("Length of a prefix, where none is asked for"),
        "number",
        option="--default-prefix-length",
        folded=True,
    ),
    Field("min_prefixlen", N_("Shortest prefix"), "number", option="--min-prefix-length", folded=True),
    Field("max_prefixlen", N_("Longest prefix"), "number", option="--max-prefix-length", folded=True),
)


def subnets(answer: Any) -> list[Row]:
    return list(answer["network_ip_availability"]["subnet_ip_availability"])


KINDS = (
    Kind(
        "subnet-pools",
        N_("Subnet pools"),
        N_("Subnet pool"),
        SECTION,
        f"network GET {N}/subnetpools",
        "subnetpools",
        (
            Column("name", N_("Name"), "name"),
            Column("prefixes", N_("Address ranges")),
            Column("default_prefixlen", N_("Length of a prefix, where none is asked for")),
            Column("shared", N_("Shared"), "bool"),
        ),
        f"network GET {N}/subnetpools/{{id}}",
        "subnetpool",
        event="network.subnet_pool",
        search="name",
        command="openstack subnet pool list",
        empty=N_("No subnet pools yet. Subnets taken from one never overlap."),
        details=(
            Column("prefixes", N_("Address ranges")),
            Column("default_prefixlen", N_("Length of a prefix, where none is asked for")),
            Column("min_prefixlen", N_("Shortest prefix")),
            Column("max_prefixlen", N_("Longest prefix")),
            Column("shared", N_("Shared"), "bool"),
            Column("is_default", N_("Taken where none is named"), "bool"),
            Column("description", N_("Description")),
            Column("id", N_("ID"), "code"),
        ),
        create=Action(
            "create",
            N_("Create a subnet pool"),
            f"network POST {N}/subnetpools",
            "subnetpool",
            fields=(
                Field("name", N_("Name"), required=True, option="-"),
                Field(
                    "prefixes",
                    N_("Address ranges"),
                    "list",
                    required=True,
                    default=["10.64.0.0/16"],
                    option="--pool-prefix",
                ),
                *LENGTHS,
                Field("description", N_("Description"), option="--description", folded=True),
            ),
            command="openstack subnet pool create",
        ),
        actions=(
            Action(
                "edit",
                N_("Edit"),
                f"network PUT {N}/subnetpools/{{id}}",
                "subnetpool",
                fields=(
                    Field("name", N_("Name"), default="=name", option="--name"),
                    Field(
                        "prefixes",
                        N_("Address ranges"),
                        "list",
                        default="=prefixes",
                        option="--pool-prefix",
                        unset="-",
                    ),
                    Field("description", N_("Description"), default="=description", option="--description"),
                ),
                command="openstack subnet pool set {id}",
            ),
            drop("subnetpools", "openstack subnet pool delete {id}"),
        ),
    ),
    Kind(
        "network-addresses",
        N_("Addresses"),
        N_("Subnet"),
        SECTION,
        f"network GET {N}/network-ip-availabilities/{{in}}",
        "",
        (
            Column("subnet_name", N_("Subnet")),
            Column("cidr", N_("Address range"), "code"),
            Column("used_ips", N_("Used")),
            Column("total_ips", N_("Of")),
        ),
        id="subnet_id",
        label="subnet_name",
        inner=True,
        admin=True,
        paged=False,
        spread=subnets,
        gone_to="networks",
        command="openstack ip availability show {in}",
    ),
)
