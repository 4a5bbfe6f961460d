"""Default policy of network under upstream's rule names (neutron.conf.policies, secure RBAC)."""

from __future__ import annotations

from tane.web.policy import ADMIN, ANYONE, MEMBER, PROJECT, READER, Rule, scoped

RESOURCES = ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule")

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
    "create_floatingip:floating_ip_address",
    "create_subnet:service_types",
    "update_subnet:service_types",
)

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
            Rule("get_quota", READER),
            Rule("get_quotas", ADMIN),
            Rule("update_quota", ADMIN),
            Rule("delete_quota", ADMIN),
            Rule("get_agent", ADMIN),
            Rule("get_network_ip_availability", ADMIN),
            Rule("get_availability_zone", ANYONE),
            Rule("get_subnetpool", READER),
            Rule("create_subnetpool", MEMBER),
        ),
    ),
    Rule("get_extension", ANYONE, "Upstream asks no rule for it, so tokens of every scope may."),
)
