"""Networks and all that is in them."""

from __future__ import annotations

from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Panel, Row, Values
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import replacing
from tane.services.dashboard.resources.network_words import place, pools, version, way, whole

N = "/v2.0"
SECTION = N_("Network")


def subnet(values: Values, row: Row) -> Any:
    body = {name: value for name, value in values.items() if name not in ("no_gateway", "network", "pools")}
    body["network_id"] = values["network"]
    if "cidr" in values or "subnetpool_id" not in values:
        body["ip_version"] = 6 if ":" in values.get("cidr", "") else 4
    if values.get("no_gateway"):
        body["gateway_ip"] = None
    if "pools" in values:
        parts = (line.replace("–", "-").partition("-") for line in values["pools"])
        body["allocation_pools"] = [{"start": first.strip(), "end": last.strip()} for first, _, last in parts]
    return body


def port(values: Values, row: Row) -> Any:
    fixed = {name: values[name] for name in ("subnet_id", "ip_address") if name in values}
    body = {name: value for name, value in values.items() if name not in ("subnet_id", "ip_address", "network")}
    if "network" in values:
        body["network_id"] = values["network"]
    return {**body, **({"fixed_ips": [fixed]} if fixed else {})}


def drop(kind: str, command: str) -> Action:
    call = f"network DELETE {N}/{kind}/{{id}}"
    return Action("delete", N_("Delete"), call, danger=True, bulk=True, back="list", command=command)


def edit(kind: str, key: str, command: str, *more: Field) -> Action:
    fields = (
        Field("name", N_("Name"), default="=name", option="--name"),
        Field("description", N_("Description"), default="=description", option="--description"),
        *more,
    )
    return Action("edit", N_("Edit"), f"network PUT {N}/{kind}/{{id}}", key, fields=fields, command=command)


def tags(kind: str, command: str) -> Action:
    return replacing.tags(f"network PUT {N}/{kind}/{{id}}/tags", command)


UP = Field("admin_state_up", N_("Switched on"), "bool", default="=admin_state_up", option="--enable", off="--disable")
NETWORK_COLUMNS = (
    Column("name", N_("Name"), "name"),
    Column("status", N_("State"), "usable"),
    Column("subnets", N_("Subnets"), "ref:subnets"),
    Column("shared", N_("Shared"), "bool"),
    Column("router:external", N_("External"), "bool"),
)
PROVIDER = (
    Column("provider:network_type", N_("Kind of network")),
    Column("provider:physical_network", N_("Physical network")),
    Column("provider:segmentation_id", N_("Segment")),
)
NETWORK_ACTIONS = (
    edit("networks", "network", "openstack network set {id}", UP),
    tags("networks", "openstack network set --no-tag {id}"),
    Action(
        "subnet",
        N_("Add a subnet"),
        f"network POST {N}/subnets",
        "subnet",
        build=lambda values, row: subnet({**values, "network": row["id"]}, row),
        fields=(
            Field("name", N_("Name"), option="-", blank="''"),
            Field("cidr", N_("Address range"), required=True, default="10.0.0.0/24", option="--subnet-range"),
            Field("dns_nameservers", N_("DNS servers"), "list", option="--dns-nameserver"),
        ),
        command="openstack subnet create --network {id}",
        words=version,
    ),
    drop("networks", "openstack network delete {id}"),
)


def networks(name: str, title: str, section: str, create: Action, **more: Any) -> Kind:
    return Kind(
        name,
        title,
        N_("Network"),
        section,
        f"network GET {N}/networks",
        "networks",
        NETWORK_COLUMNS + (PROVIDER if more.get("admin") else ()),
        f"network GET {N}/networks/{{id}}",
        "network",
        event="network.network",
        search="name",
        command="openstack network list",
        details=(
            *NETWORK_COLUMNS[1:],
            Column("mtu", N_("MTU")),
            *PROVIDER,
            Column("tags", N_("Tags")),
            Column("description", N_("Description")),
            Column("project_id", N_("Project"), "code"),
            Column("id", N_("ID"), "code"),
        ),
        panels=(
            Panel("subnets", {"network_id": "{id}"}),
            Panel("network-addresses"),
            Panel("ports", {"network_id": "{id}"}),
        ),
        actions=NETWORK_ACTIONS,
        create=create,
        **more,
    )


NETWORK_FIELDS = (
    Field("name", N_("Name"), required=True, option="-"),
    Field("description", N_("Description"), option="--description", folded=True),
)

KINDS = (
    networks(
        "networks",
        N_("Networks"),
        SECTION,
        Action(
            "create",
            N_("Create a network"),
            f"network POST {N}/networks",
            "network",
            fields=(
                *NETWORK_FIELDS,
                Field(
                    "cidr",
                    N_("Address range of its subnet"),
                    default="10.0.0.0/24",
                    to="-",
                    help=N_("Empty: a network without a subnet."),
                ),
                Field("dns", N_("DNS servers"), "list", to="-"),
                Field("router", N_("Connect it to this router"), "ref", ref="routers", to="-"),
            ),
            command="openstack network create",
            told=whole,
            special="network",
        ),
        empty=N_("No networks yet. Servers need one; with a router they reach the outside."),
    ),
    Kind(
        "subnets",
        N_("Subnets"),
        N_("Subnet"),
        SECTION,
        f"network GET {N}/subnets",
        "subnets",
        (
            Column("name", N_("Name"), "name"),
            Column("network_id", N_("Network"), "ref:networks"),
            Column("cidr", N_("Address range"), "code"),
            Column("gateway_ip", N_("Gateway"), "code"),
            Column("enable_dhcp", N_("DHCP"), "bool"),
        ),
        f"network GET {N}/subnets/{{id}}",
        "subnet",
        event="network.subnet",
        search="name",
        command="openstack subnet list",
        narrowed=("network_id",),
        empty=N_("No subnets yet. A subnet is a range of addresses in a network."),
        details=(
            Column("network_id", N_("Network"), "ref:networks"),
            Column("cidr", N_("Address range"), "code"),
            Column("gateway_ip", N_("Gateway"), "code"),
            Column("enable_dhcp", N_("DHCP"), "bool"),
            Column("allocation_pools", N_("Addresses given out"), "pools"),
            Column("dns_nameservers", N_("DNS servers")),
            Column("tags", N_("Tags")),
            Column("description", N_("Description")),
            Column("id", N_("ID"), "code"),
        ),
        create=Action(
            "create",
            N_("Create a subnet"),
            f"network POST {N}/subnets",
            "subnet",
            build=subnet,
            fields=(
                Field(
                    "network", N_("Network"), "ref", ref="networks", required=True, to="network_id", option="--network"
                ),
                Field("name", N_("Name"), option="-", blank="''"),
                Field(
                    "cidr",
                    N_("Address range"),
                    default="10.0.0.0/24",
                    option="--subnet-range",
                    help=N_("Empty: one of the pool."),
                ),
                Field("gateway_ip", N_("Gateway"), option="--gateway", help=N_("Empty: the first address.")),
                Field("no_gateway", N_("No gateway"), "bool", to="-", option="--gateway none"),
                Field("enable_dhcp", N_("DHCP"), "bool", default=True, option="--dhcp", off="--no-dhcp"),
                Field("dns_nameservers", N_("DNS servers"), "list", option="--dns-nameserver"),
                Field("subnetpool_id", N_("Pool"), "ref", ref="subnet-pools", option="--subnet-pool", folded=True),
                Field("prefixlen", N_("Length of its prefix"), "number", option="--prefix-length", folded=True),
                Field(
                    "pools",
                    N_("Addresses given out"),
                    "lines",
                    to="-",
                    option="--allocation-pool",
                    said=pools,
                    folded=True,
                    help=N_("A range a line: first - last."),
                ),
            ),
            command="openstack subnet create",
            words=version,
        ),
        actions=(
            edit(
                "subnets",
                "subnet",
                "openstack subnet set --no-dns-nameservers {id}",
                Field("enable_dhcp", N_("DHCP"), "bool", default="=enable_dhcp", option="--dhcp", off="--no-dhcp"),
                Field(
                    "dns_nameservers", N_("DNS servers"), "list", default="=dns_nameservers", option="--dns-nameserver"
                ),
            ),
            tags("subnets", "openstack subnet set --no-tag {id}"),
            drop("subnets", "openstack subnet delete {id}"),
        ),
    ),
    Kind(
        "routers",
        N_("Routers"),
        N_("Router"),
        SECTION,
        f"network GET {N}/routers",
        "routers",
        (
            Column("name", N_("Name"), "name"),
            Column("status", N_("State"), "usable"),
            Column("external_gateway_info/network_id", N_("Outside"), "ref:networks"),
            Column("external_gateway_info/external_fixed_ips", N_("Address outside"), "fixed"),
        ),
        f"network GET {N}/routers/{{id}}",
        "router",
        event="network.router",
        search="name",
        command="openstack router list",
        empty=N_("No routers yet. A router connects networks, and them with the outside."),
        details=(
            Column("status", N_("State"), "usable"),
            Column("external_gateway_info/network_id", N_("Outside"), "ref:networks"),
            Column("external_gateway_info/external_fixed_ips", N_("Address outside"), "fixed"),
            Column("external_gateway_info/enable_snat", N_("SNAT"), "bool"),
            Column("routes", N_("Routes"), "routes"),
            Column("tags", N_("Tags")),
            Column("description", N_("Description")),
            Column("id", N_("ID"), "code"),
        ),
        panels=(Panel("ports", {"device_id": "{id}"}),),
        create=Action(
            "create",
            N_("Create a router"),
            f"network POST {N}/routers",
            "router",
            fields=(
                Field("name", N_("Name"), required=True, option="-"),
                Field(
                    "gateway",
                    N_("Outside"),
                    "ref",
                    ref="networks",
                    query={"router:external": "true"},
                    first=True,
                    to="external_gateway_info/network_id",
                    option="--external-gateway",
                ),
            ),
            command="openstack router create",
        ),
        actions=(
            Action(
                "add-interface",
                N_("Connect a subnet"),
                f"network PUT {N}/routers/{{id}}/add_router_interface",
                fields=(Field("subnet_id", N_("Subnet"), "ref", ref="subnets", required=True, option="-"),),
                command="openstack router add subnet {id}",
            ),
            Action(
                "remove-interface",
                N_("Disconnect a subnet"),
                f"network PUT {N}/routers/{{id}}/remove_router_interface",
                danger=True,
                fields=(Field("subnet_id", N_("Subnet"), "ref", ref="subnets", required=True, option="-"),),
                command="openstack router remove subnet {id}",
            ),
            *(
                Action(
                    f"{verb}-route",
                    title,
                    f"network PUT {N}/routers/{{id}}/{verb}_extraroutes",
                    "router",
                    fields=(
                        Field("destination", N_("Address range"), required=True, to="-", option="+"),
                        Field("nexthop", N_("By way of"), required=True, to="-", option="+"),
                    ),
                    build=lambda values, row: {
                        "routes": [{"destination": values["destination"], "nexthop": values["nexthop"]}]
                    },
                    words=way,
                    when=(lambda row: bool(row.get("routes"))) if verb == "remove" else None,
                    command=f"openstack router {verb} route {{id}}",
                )
                for verb, title in (("add", N_("Add a route")), ("remove", N_("Take a route away")))
            ),
            Action(
                "set-gateway",
                N_("Connect with the outside"),
                f"network PUT {N}/routers/{{id}}",
                "router",
                fields=(
                    Field(
                        "network",
                        N_("Outside"),
                        "ref",
                        ref="networks",
                        query={"router:external": "true"},
                        required=True,
                        first=True,
                        to="external_gateway_info/network_id",
                        option="--external-gateway",
                    ),
                ),
                command="openstack router set {id}",
            ),
            Action(
                "clear-gateway",
                N_("Cut off from the outside"),
                f"network PUT {N}/routers/{{id}}",
                "router",
                danger=True,
                when=lambda row: bool(row.get("external_gateway_info")),
                empty={"external_gateway_info": None},
                command="openstack router unset --external-gateway {id}",
            ),
            edit("routers", "router", "openstack router set {id}", UP),
            tags("routers", "openstack router set --no-tag {id}"),
            drop("routers", "openstack router delete {id}"),
        ),
    ),
    Kind(
        "ports",
        N_("Ports"),
        N_("Port"),
        SECTION,
        f"network GET {N}/ports",
        "ports",
        (
            Column("name", N_("Name"), "name"),
            Column("status", N_("State"), "usable"),
            Column("fixed_ips", N_("Addresses"), "fixed"),
            Column("network_id", N_("Network"), "ref:networks"),
            Column("device_owner", N_("Used by")),
            Column("mac_address", N_("MAC address"), "code"),
        ),
        f"network GET {N}/ports/{{id}}",
        "port",
        event="network.port",
        search="name",
        command="openstack port list",
        narrowed=("network_id", "device_id"),
        empty=N_("No ports yet. They come with servers and routers by themselves."),
        details=(
            Column("status", N_("State"), "usable"),
            Column("fixed_ips", N_("Addresses"), "fixed"),
            Column("network_id", N_("Network"), "ref:networks"),
            Column("mac_address", N_("MAC address"), "code"),
            Column("device_owner", N_("Used by")),
            Column("device_id", N_("Device"), "code"),
            Column("security_groups", N_("Security groups"), "ref:security-groups"),
            Column("port_security_enabled", N_("Filtered"), "bool"),
            Column("allowed_address_pairs", N_("Further addresses"), "json"),
            Column("tags", N_("Tags")),
            Column("description", N_("Description")),
            Column("id", N_("ID"), "code"),
        ),
        create=Action(
            "create",
            N_("Create a port"),
            f"network POST {N}/ports",
            "port",
            build=port,
            fields=(
                Field(
                    "network", N_("Network"), "ref", ref="networks", required=True, to="network_id", option="--network"
                ),
                Field("name", N_("Name"), option="-", blank="''"),
                Field("subnet_id", N_("Subnet"), "ref", ref="subnets", to="-", option="+"),
                Field("ip_address", N_("Address"), to="-", option="+", help=N_("Empty: any free one.")),
                Field(
                    "security_groups", N_("Security groups"), "refs", ref="security-groups", option="--security-group"
                ),
            ),
            command="openstack port create",
            words=place,
        ),
        actions=(
            edit(
                "ports",
                "port",
                "openstack port set --no-security-group {id}",
                Field(
                    "security_groups",
                    N_("Security groups"),
                    "refs",
                    ref="security-groups",
                    default="=security_groups",
                    option="--security-group",
                ),
                UP,
            ),
            tags("ports", "openstack port set --no-tag {id}"),
            drop("ports", "openstack port delete {id}"),
        ),
    ),
    Kind(
        "floating-ips",
        N_("Floating IPs"),
        N_("Floating IP"),
        SECTION,
        f"network GET {N}/floatingips",
        "floatingips",
        (
            Column("floating_ip_address", N_("Address"), "name"),
            Column("status", N_("State"), "usable"),
            Column("fixed_ip_address", N_("Leads to"), "code"),
            Column("port_id", N_("Port"), "ref:ports"),
            Column("floating_network_id", N_("Outside"), "ref:networks"),
            Column("description", N_("Description")),
        ),
        f"network GET {N}/floatingips/{{id}}",
        "floatingip",
        label="floating_ip_address",
        event="network.floating_ip",
        command="openstack floating ip list",
        empty=N_("No floating IPs yet. With one a server is reached from the outside."),
        details=(
            Column("status", N_("State"), "usable"),
            Column("fixed_ip_address", N_("Leads to"), "code"),
            Column("port_id", N_("Port"), "ref:ports"),
            Column("router_id", N_("Router"), "ref:routers"),
            Column("floating_network_id", N_("Outside"), "ref:networks"),
            Column("tags", N_("Tags")),
            Column("description", N_("Description")),
            Column("id", N_("ID"), "code"),
        ),
        create=Action(
            "create",
            N_("Allocate a floating IP"),
            f"network POST {N}/floatingips",
            "floatingip",
            fields=(
                Field(
                    "network",
                    N_("Outside"),
                    "ref",
                    ref="networks",
                    query={"router:external": "true"},
                    required=True,
                    first=True,
                    to="floating_network_id",
                    option="-",
                ),
                Field("port_id", N_("For this port"), "ref", ref="ports", option="--port"),
                Field(
                    "floating_ip_address",
                    N_("Address"),
                    option="--floating-ip-address",
                    folded=True,
                    help=N_("Empty: any free one."),
                ),
                Field("description", N_("Description"), option="--description", folded=True),
            ),
            command="openstack floating ip create",
        ),
        actions=(
            Action(
                "associate",
                N_("Associate"),
                f"network PUT {N}/floatingips/{{id}}",
                "floatingip",
                fields=(
                    Field("port_id", N_("Port"), "ref", ref="ports", required=True, option="--port"),
                    Field("fixed_ip_address", N_("Leads to"), option="--fixed-ip-address", folded=True),
                ),
                command="openstack floating ip set {id}",
            ),
            Action(
                "disassociate",
                N_("Disassociate"),
                f"network PUT {N}/floatingips/{{id}}",
                "floatingip",
                when=lambda row: bool(row.get("port_id")),
                empty={"port_id": None},
                quick=True,
                command="openstack floating ip unset --port {id}",
            ),
            Action(
                "edit",
                N_("Edit"),
                f"network PUT {N}/floatingips/{{id}}",
                "floatingip",
                fields=(
                    Field("description", N_("Description"), default="=description", option="--description", keeps=True),
                ),
                build=lambda values, row: {"description": values.get("description", "")},
                command="openstack floating ip set {id}",
            ),
            tags("floatingips", "openstack floating ip set --no-tag {id}"),
            Action(
                "delete",
                N_("Release"),
                f"network DELETE {N}/floatingips/{{id}}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack floating ip delete {id}",
            ),
        ),
    ),
    networks(
        "external-networks",
        N_("All networks"),
        N_("Administration"),
        Action(
            "create",
            N_("Create a network of the cloud"),
            f"network POST {N}/networks",
            "network",
            fields=(
                *NETWORK_FIELDS,
                Field("external", N_("External"), "bool", to="router:external", option="--external"),
                Field("shared", N_("Shared with all projects"), "bool", option="--share"),
                Field(
                    "type",
                    N_("Kind of network"),
                    "choice",
                    to="provider:network_type",
                    option="--provider-network-type",
                    folded=True,
                    choices=(("", N_("as the cloud chooses")), ("flat", "flat"), ("vlan", "VLAN"), ("vxlan", "VXLAN")),
                ),
                Field(
                    "physical",
                    N_("Physical network"),
                    "text",
                    to="provider:physical_network",
                    option="--provider-physical-network",
                    folded=True,
                ),
                Field(
                    "segment",
                    N_("Segment"),
                    "number",
                    to="provider:segmentation_id",
                    option="--provider-segment",
                    folded=True,
                ),
                Field("project_id", N_("Project"), "ref", ref="projects", option="--project", folded=True),
            ),
            command="openstack network create",
        ),
        admin=True,
    ),
)
