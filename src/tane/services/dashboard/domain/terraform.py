"""What a form makes as a block of Terraform, for the provider ``terraform-provider-openstack/openstack``.

Terraform declares resources, so there are blocks of what makes one, or ties two together; not of what is done to one,
nor of what the provider has no resource for (snapshots, backups, transfers, alarms, prices).

Source: the provider's reference of resources (registry.terraform.io, terraform-provider-openstack, docs/resources), the
HCL native syntax specification, "Expressions" and "Template Expressions".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tane.services.dashboard.domain.describing import Row, value_of

MOST_LABEL = 60


@dataclass(frozen=True)
class Block:
    """A block within a block."""

    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """An expression, as it stands."""

    text: str


@dataclass(frozen=True)
class Asked:
    """What a form sends. ``sent``: the body, below its key; ``places``: what stands in the path (``id``, ``in``, and
    fields); ``name_of(kind, id)``: what a resource is called."""

    sent: Mapping[str, Any]
    places: Mapping[str, str]
    row: Row
    name_of: Callable[[str, str], str] = lambda kind, resource_id: resource_id


@dataclass(frozen=True)
class Made:
    """A resource of Terraform, with its arguments, and the names in the body that the provider has no argument for."""

    type: str
    label: str
    arguments: Mapping[str, Any]
    left: Sequence[str] = ()


@dataclass(frozen=True)
class Resource:
    """How a form is a resource of the provider.

    ``takes``: its argument by a path of the body, ``given`` by a place of the address, each with "!" when it has to be
    there; ``more`` are arguments that are made of several things, of the names ``read`` of the body.
    """

    type: str
    takes: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    more: Callable[[Asked], Mapping[str, Any]] | None = None
    read: Sequence[str] = ()

    def made(self, asked: Asked, label: str) -> Made:
        found: dict[str, Any] = {}
        for where, names in ((asked.places, self.given), (asked.sent, self.takes)):
            for path, name in names.items():
                value = value_of(where, path)
                if value in (None, "", "-"):
                    if name.endswith("!"):
                        found[name[:-1]] = f"<{name[:-1]}>"
                else:
                    found[name.removesuffix("!")] = value
        if self.more is not None:
            found |= self.more(asked)
        known = {path.partition("/")[0] for path in (*self.takes, *self.read)}
        left = [name for name, value in asked.sent.items() if name not in known and value not in (None, "", [], {})]
        return Made(self.type, label, found, left)


def same(*names: str) -> dict[str, str]:
    """Arguments that are called as in the API."""
    return {name.removesuffix("!"): name for name in names}


def server(asked: Asked) -> Mapping[str, Any]:
    """The disks, addresses and groups of a new server, and how many there are."""
    sent = asked.sent
    found: dict[str, Any] = {}
    networks = sent.get("networks")
    if isinstance(networks, list):
        found["network"] = [Block({name: one[name] for name in ("uuid", "port") if name in one}) for one in networks]
    if disks := sent.get("block_device_mapping_v2"):
        found["block_device"] = [Block(disk) for disk in disks]
    if groups := sent.get("security_groups"):
        # By id the provider takes them away and adds them with each run (its page on instances, "Notes").
        found["security_groups"] = [asked.name_of("security-groups", str(one["name"])) for one in groups]
    if hints := sent.get("os:scheduler_hints"):
        found["scheduler_hints"] = [Block(hints)]
    if "user_data" in sent:
        found["user_data"] = base64.b64decode(sent["user_data"]).decode(errors="replace")
    if sent.get("max_count", 1) > 1:
        found["count"] = sent["max_count"]
        before = quoted(f"{sent['name']}-").removesuffix('"')
        found["name"] = Said(before + '${count.index + 1}"')
    return found


def subnet(asked: Asked) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    if "gateway_ip" in asked.sent and asked.sent["gateway_ip"] is None:
        found["no_gateway"] = True
    if pools := asked.sent.get("allocation_pools"):
        found["allocation_pool"] = [Block(pool) for pool in pools]
    return found


def port(asked: Asked) -> Mapping[str, Any]:
    return {"fixed_ip": [Block(one) for one in asked.sent.get("fixed_ips", ())]} if asked.sent.get("fixed_ips") else {}


def floating_ip(asked: Asked) -> Mapping[str, Any]:
    """The provider names the network that the address is of."""
    network = str(asked.sent.get("floating_network_id") or "")
    return {"pool": asked.name_of("networks", network) if network else "<pool>"}


def external(asked: Asked) -> Mapping[str, Any]:
    names = ("physical_network", "network_type", "segmentation_id")
    found = {name: asked.sent[f"provider:{name}"] for name in names if f"provider:{name}" in asked.sent}
    return {"segments": [Block(found)]} if found else {}


def route(asked: Asked) -> Mapping[str, Any]:
    routes = asked.sent.get("routes") or [{}]
    names = (("destination", "destination_cidr"), ("nexthop", "next_hop"))
    return {to: routes[0].get(name) or f"<{to}>" for name, to in names}


def image(asked: Asked) -> Mapping[str, Any]:
    source = {"image_source_url": asked.sent["url"], "web_download": True} if asked.sent.get("url") else {}
    return {"container_format": "bare", **(source or {"local_file_path": "<file>"})}


def stack(asked: Asked) -> Mapping[str, Any]:
    found: dict[str, Any] = {"template_opts": {"Bin": asked.sent.get("template") or "<template>"}}
    if environment := asked.sent.get("environment"):
        found["environment_opts"] = {"Bin": environment}
    if tags := [tag.strip() for tag in str(asked.sent.get("tags") or "").split(",") if tag.strip()]:
        found["tags"] = tags
    return found


def credential(asked: Asked) -> Mapping[str, Any]:
    return {"roles": [one["name"] for one in asked.sent["roles"]]} if asked.sent.get("roles") else {}


def network(asked: Asked) -> list[Made]:
    """A network with its subnet and the way out, which refer to one another."""
    sent, name = asked.sent, asked.sent.get("name") or "<name>"
    title = label(sent.get("name") or "network")
    found = [Made(NETWORK, title, {"name": name, **{key: sent[key] for key in ("description",) if sent.get(key)}})]
    if sent.get("cidr"):
        arguments = {
            "network_id": Said(f"{NETWORK}.{title}.id"),
            "cidr": sent["cidr"],
            "ip_version": 6 if ":" in str(sent["cidr"]) else 4,
            "name": name,
            **({"dns_nameservers": sent["dns"]} if sent.get("dns") else {}),
        }
        found.append(Made(SUBNET, title, arguments))
        if sent.get("router"):
            tied = {"router_id": sent["router"], "subnet_id": Said(f"{SUBNET}.{title}.id")}
            found.append(Made("openstack_networking_router_interface_v2", title, tied))
    return found


NETWORK, SUBNET = "openstack_networking_network_v2", "openstack_networking_subnet_v2"
VOLUME = {
    **same("size!", "name", "description", "availability_zone", "volume_type", "snapshot_id"),
    "imageRef": "image_id",
    "source_volid": "source_vol_id",
}
MEMBER = "openstack_identity_role_assignment_v3"
ATTACHED = "openstack_compute_volume_attach_v2"
NEW_SUBNET = Resource(
    SUBNET,
    {
        **same("network_id!", "cidr", "name", "description", "ip_version", "gateway_ip", "enable_dhcp"),
        "dns_nameservers": "dns_nameservers",
        "subnetpool_id": "subnetpool_id",
        "prefixlen": "prefix_length",
    },
    more=subnet,
    read=("allocation_pools",),
)
RESOURCES: Mapping[tuple[str, str], Resource | Callable[[Asked], list[Made]]] = {
    ("servers", "create"): Resource(
        "openstack_compute_instance_v2",
        {
            **same("name!", "availability_zone", "metadata", "tags", "config_drive"),
            "flavorRef": "flavor_id!",
            "imageRef": "image_id",
            "key_name": "key_pair",
        },
        more=server,
        read=(
            *("networks", "block_device_mapping_v2", "security_groups", "user_data"),
            *("min_count", "max_count", "os:scheduler_hints"),
        ),
    ),
    ("server-volumes", "create"): Resource(
        ATTACHED, {"volumeId": "volume_id!", "device": "device"}, {"in": "instance_id!"}
    ),
    ("volumes", "attach"): Resource(ATTACHED, {"volumeId": "volume_id!"}, {"server": "instance_id!"}),
    ("server-interfaces", "create"): Resource(
        "openstack_compute_interface_attach_v2",
        {"port_id": "port_id", "net_id": "network_id", "fixed_ips/0/ip_address": "fixed_ip"},
        {"in": "instance_id!"},
    ),
    ("keypairs", "create"): Resource("openstack_compute_keypair_v2", same("name!", "public_key")),
    ("server-groups", "create"): Resource(
        "openstack_compute_servergroup_v2",
        same("name!"),
        more=lambda asked: {"policies": [asked.sent.get("policy") or "<policy>"]},
        read=("policy",),
    ),
    ("flavors", "create"): Resource(
        "openstack_compute_flavor_v2",
        {
            **same("name!", "vcpus!", "ram!", "disk!", "swap"),
            "OS-FLV-EXT-DATA:ephemeral": "ephemeral",
            "os-flavor-access:is_public": "is_public",
        },
    ),
    ("flavors", "grant"): Resource(
        "openstack_compute_flavor_access_v2", {"tenant": "tenant_id!"}, {"id": "flavor_id!"}
    ),
    ("aggregates", "create"): Resource(
        "openstack_compute_aggregate_v2", {"name": "name!", "availability_zone": "zone"}
    ),
    ("images", "create"): Resource(
        "openstack_images_image_v2",
        {
            **same("name!", "disk_format!", "visibility", "protected", "tags"),
            "min_disk": "min_disk_gb",
            "min_ram": "min_ram_mb",
        },
        more=image,
        read=("url", "file"),
    ),
    ("images", "share"): Resource("openstack_images_image_access_v2", {"member": "member_id!"}, {"id": "image_id!"}),
    ("images", "answer"): Resource("openstack_images_image_access_accept_v2", same("status!"), {"id": "image_id!"}),
    ("images", "volume"): Resource("openstack_blockstorage_volume_v3", VOLUME),
    ("volumes", "create"): Resource("openstack_blockstorage_volume_v3", VOLUME),
    ("volume-types", "create"): Resource(
        "openstack_blockstorage_volume_type_v3",
        {**same("name!", "description", "extra_specs"), "os-volume-type-access:is_public": "is_public"},
    ),
    ("volume-types", "grant"): Resource(
        "openstack_blockstorage_volume_type_access_v3", {"project": "project_id!"}, {"id": "volume_type_id!"}
    ),
    ("networks", "create"): network,
    ("networks", "subnet"): NEW_SUBNET,
    ("subnets", "create"): NEW_SUBNET,
    ("external-networks", "create"): Resource(
        NETWORK,
        {**same("name", "description", "shared"), "router:external": "external", "project_id": "tenant_id"},
        more=external,
        read=("provider:physical_network", "provider:network_type", "provider:segmentation_id"),
    ),
    ("subnet-pools", "create"): Resource(
        "openstack_networking_subnetpool_v2",
        same("name!", "prefixes!", "default_prefixlen", "min_prefixlen", "max_prefixlen", "description"),
    ),
    ("routers", "create"): Resource(
        "openstack_networking_router_v2", {"name": "name", "external_gateway_info/network_id": "external_network_id"}
    ),
    ("routers", "add-interface"): Resource(
        "openstack_networking_router_interface_v2", same("subnet_id!"), {"id": "router_id!"}
    ),
    ("routers", "add-route"): Resource(
        "openstack_networking_router_route_v2", given={"id": "router_id!"}, more=route, read=("routes",)
    ),
    ("ports", "create"): Resource(
        "openstack_networking_port_v2",
        {**same("network_id!", "name", "description"), "security_groups": "security_group_ids"},
        more=port,
        read=("fixed_ips",),
    ),
    ("floating-ips", "create"): Resource(
        "openstack_networking_floatingip_v2",
        {**same("port_id", "description"), "floating_ip_address": "address"},
        more=floating_ip,
        read=("floating_network_id",),
    ),
    ("floating-ips", "associate"): Resource(
        "openstack_networking_floatingip_associate_v2",
        {"port_id": "port_id!", "fixed_ip_address": "fixed_ip"},
        more=lambda asked: {"floating_ip": asked.row.get("floating_ip_address") or "<floating_ip>"},
    ),
    ("security-groups", "create"): Resource("openstack_networking_secgroup_v2", same("name!", "description")),
    ("rules", "create"): Resource(
        "openstack_networking_secgroup_rule_v2",
        same(
            *("security_group_id!", "direction!", "ethertype!", "protocol", "port_range_min", "port_range_max"),
            *("remote_ip_prefix", "remote_group_id", "description"),
        ),
    ),
    ("stacks", "create"): Resource(
        "openstack_orchestration_stack_v1",
        {
            "stack_name": "name!",
            "parameters": "parameters",
            "timeout_mins": "timeout",
            **same("disable_rollback"),
        },
        more=stack,
        read=("template", "environment", "tags"),
    ),
    ("credentials", "create"): Resource(
        "openstack_identity_application_credential_v3",
        same("name!", "description", "unrestricted", "expires_at"),
        more=credential,
        read=("roles",),
    ),
    ("ec2-keys", "create"): Resource("openstack_identity_ec2_credential_v3", {"tenant_id": "project_id"}),
    ("projects", "create"): Resource(
        "openstack_identity_project_v3", same("name!", "description", "domain_id", "enabled")
    ),
    ("domains", "create"): Resource(
        "openstack_identity_project_v3",
        same("name!", "description", "enabled"),
        more=lambda asked: {"is_domain": True},
    ),
    ("users", "create"): Resource(
        "openstack_identity_user_v3",
        same("name!", "description", "password", "default_project_id", "domain_id", "enabled"),
    ),
    ("groups", "create"): Resource("openstack_identity_group_v3", same("name!", "description", "domain_id")),
    ("groups", "add-user"): Resource(
        "openstack_identity_user_membership_v3", given={"user_id": "user_id!", "id": "group_id!"}
    ),
    ("roles", "create"): Resource("openstack_identity_role_v3", same("name!", "domain_id")),
    **{
        (f"{where}s", f"grant{suffix}"): Resource(
            MEMBER, given={"id": f"{where}_id!", f"{who}_id": f"{who}_id!", "role_id": "role_id!"}
        )
        for where in ("project", "domain")
        for suffix, who in (("", "user"), ("-group", "group"))
    },
    ("projects", "quota-compute"): Resource(
        "openstack_compute_quotaset_v2",
        same("instances", "cores", "ram", "key_pairs", "server_groups"),
        {"id": "project_id!"},
    ),
    ("projects", "quota-volume"): Resource(
        "openstack_blockstorage_quotaset_v3", same("volumes", "snapshots", "gigabytes"), {"id": "project_id!"}
    ),
    ("projects", "quota-network"): Resource(
        "openstack_networking_quota_v2",
        same("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule"),
        {"id": "project_id!"},
    ),
    ("containers", "create"): Resource("openstack_objectstorage_container_v1", same("name!")),
    ("objects", "create"): Resource(
        "openstack_objectstorage_object_v1",
        same("name!"),
        {"container": "container_name!"},
        more=lambda asked: {"source": "<file>"},
    ),
}
"""By kind and action."""


def made(kind: str, action: str, asked: Asked) -> list[Made]:
    """The resources of Terraform that a form stands for; none where the provider has none."""
    found = RESOURCES.get((kind, action))
    if isinstance(found, Resource):
        name = asked.sent.get("name") or asked.sent.get("stack_name") or found.type.split("_")[2]
        return [found.made(asked, label(str(name)))]
    return found(asked) if found is not None else []


def written(resources: Sequence[Made]) -> str:
    """As a file of Terraform."""
    return "\n\n".join(_resource(one) for one in resources)


def _resource(one: Made) -> str:
    lines = [f'resource "{one.type}" "{one.label}" {{', *_lines(one.arguments, "  ")]
    if one.left:
        lines.append(f"  # The provider takes no {', '.join(one.left)}.")
    return "\n".join([*lines, "}"])


def _lines(arguments: Mapping[str, Any], before: str) -> list[str]:
    plain = {name: value for name, value in arguments.items() if not _blocks(value)}
    wide = max(map(len, plain), default=0)
    lines = [f"{before}{name.ljust(wide)} = {expression(value)}" for name, value in plain.items()]
    for name, value in arguments.items():
        for block in _blocks(value):
            lines += ["", f"{before}{name} {{", *_lines(block.arguments, f"{before}  "), f"{before}}}"]
    return lines


def _blocks(value: Any) -> list[Block]:
    return [one for one in value if isinstance(one, Block)] if isinstance(value, list) else []


def expression(value: Any) -> str:
    """A value in HCL's syntax."""
    if isinstance(value, Said):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{quoted(str(name))} = {expression(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(expression(one) for one in value) + "]"
    return quoted(str(value))


ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text: str) -> str:
    """A quoted template that means this very text: nothing in it is evaluated."""
    found = re.sub(r'["\\\x00-\x1f\x7f]', lambda match: ESCAPED.get(match[0], f"\\u{ord(match[0]):04x}"), text)
    # "$${" is a dollar and a brace; after another dollar it would be read otherwise.
    found = re.sub(r"([$%]+)\{", lambda match: _kept(match[1]), found)
    return f'"{found}"'


def _kept(marks: str) -> str:
    return f"{marks * 2}{{" if len(marks) == 1 else "".join(f"\\u{ord(one):04x}" for one in marks) + "{"


def label(text: str) -> str:
    """A name of Terraform's own for a resource."""
    found = re.sub(r"[^A-Za-z0-9_-]", "_", text)[:MOST_LABEL]
    return found if re.match(r"[A-Za-z_]", found) else f"_{found}"
