"""Default policy of network under upstream's rule names (neutron.conf.policies, secure RBAC)."""

from __future__ import annotations

from tane.web.policy import ADMIN, ANYONE, MANAGER, MEMBER, PROJECT, READER, Rule, scoped

RESOURCES = ("network", "subnet", "subnetpool", "port", "router", "floatingip", "security_group", "security_group_rule")

ADMIN_ATTRIBUTES = (
    *(
        f"{verb}_network:{name}"
        for verb in ("create", "update")
        for name in (
            "shared",
            "is_default",
            "router:external",
            "provider:network_type",
            "provider:physical_network",
            "provider:segmentation_id",
        )
    ),
    "get_network:provider:network_type",
    *(f"{verb}_port:{name}" for verb in ("create", "update") for name in ("binding:host_id", "binding:profile")),
    "get_port:binding:host_id",
    *(
        f"{verb}_router:external_gateway_info:{name}"
        for verb in ("create", "update")
        for name in ("enable_snat", "external_fixed_ips")
    ),
    *(f"{verb}_router:distributed" for verb in ("create", "get", "update")),
    "create_subnetpool:shared",
    "create_subnetpool:is_default",
    "update_subnetpool:is_default",
    "create_subnet:service_types",
    "update_subnet:service_types",
)

NET_OWNER = "project_id:%(network:project_id)s"
NET_OWNER_MEMBER = f"{ADMIN} or (role:member and {NET_OWNER})"
NET_OWNER_MANAGER = f"{ADMIN} or (role:manager and {NET_OWNER})"
NET_OWNER_OR_SHARED = f"{NET_OWNER_MEMBER} or True:%(network:shared)s"

_PAIRS = ("allowed_address_pairs", "allowed_address_pairs:mac_address", "allowed_address_pairs:ip_address")
PORT_ATTRIBUTES = {
    "create_port:device_owner": ADMIN,
    "create_port:mac_address": NET_OWNER_MEMBER,
    "create_port:fixed_ips": NET_OWNER_OR_SHARED,
    "create_port:fixed_ips:ip_address": NET_OWNER_MEMBER,
    "create_port:fixed_ips:subnet_id": NET_OWNER_OR_SHARED,
    "create_port:port_security_enabled": NET_OWNER_MEMBER,
    **{f"create_port:{name}": NET_OWNER_MEMBER for name in _PAIRS},
    "update_port:device_owner": ADMIN,
    "update_port:mac_address": NET_OWNER_MANAGER,
    "update_port:fixed_ips": NET_OWNER_MEMBER,
    "update_port:fixed_ips:ip_address": NET_OWNER_MEMBER,
    "update_port:fixed_ips:subnet_id": NET_OWNER_OR_SHARED,
    "update_port:port_security_enabled": NET_OWNER_MEMBER,
    **{f"update_port:{name}": NET_OWNER_MEMBER for name in _PAIRS},
}
"""Rules of what is asked of a port, checked against its network's owner (``network:project_id``) and whether that is
shared (``network:shared``), once the network is known. ``device_owner`` is only asked about for owners that begin with
``network:``; upstream lets the network's owner write those, too: here such a port would be an unfiltered one."""

RULES = (
    *scoped(
        PROJECT,
        (
            *(Rule(f"get_{name}", READER) for name in RESOURCES),
            *(Rule(f"{verb}_{name}", MEMBER) for name in RESOURCES for verb in ("create", "update", "delete")),
            *(Rule(f"{verb}_router_interface", MEMBER) for verb in ("add", "remove")),
            *(Rule(f"{verb}_extraroutes", MEMBER) for verb in ("add", "remove")),
            Rule("get_tags", READER),
            Rule("update_tags", MEMBER),
            Rule("delete_tags", MEMBER),
            *(Rule(name, ADMIN) for name in ADMIN_ATTRIBUTES),
            *(Rule(name, check) for name, check in PORT_ATTRIBUTES.items()),
            Rule("create_floatingip:floating_ip_address", MANAGER),
            Rule("get_quota", READER),
            Rule("get_quotas", ADMIN),
            Rule("update_quota", ADMIN),
            Rule("delete_quota", ADMIN),
            Rule("regular_user", READER, "Lists that are empty for those who may see nothing of them."),
            Rule("get_agent", ADMIN),
            Rule("update_agent", ADMIN),
            Rule("delete_agent", ADMIN),
            Rule("get_service_provider", READER),
            Rule("get_network_ip_availability", ADMIN),
            Rule("get_availability_zone", ANYONE),
        ),
    ),
    Rule("get_extension", ANYONE, "Upstream asks no rule for it, so tokens of every scope may."),
)
