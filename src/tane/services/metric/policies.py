"""Policy of metrics under Gnocchi's names and with its defaults, but that reading needs the role reader and writing the
role member, as everywhere in this cloud."""

from __future__ import annotations

from tane.web.policy import ADMIN, MEMBER, PROJECT, READER, Rule, scoped

SERVICE = "rule:context_is_admin or (role:service and domain_id:None)"
WRITES = ("create resource", "update resource", "delete resource", "delete resources", "create metric", "delete metric")
READS = (
    *("get resource", "list resource", "search resource", "get resource type", "list resource type"),
    *("get archive policy", "list archive policy", "get archive policy rule", "list archive policy rule"),
    *("get metric", "list metric", "search metric", "get measures"),
)
ADMINS = (
    *("get status", "create resource type", "update resource type", "delete resource type"),
    *("create archive policy", "update archive policy", "delete archive policy"),
    *("create archive policy rule", "update archive policy rule", "delete archive policy rule"),
)

# A token without a project has none whose metrics it could see: as elsewhere in this cloud, it is of no use here.
RULES = scoped(
    PROJECT,
    (
        *(Rule(name, READER) for name in READS),
        *(Rule(name, MEMBER) for name in WRITES),
        Rule("post measures", MEMBER),
        *(Rule(name, ADMIN) for name in ADMINS),
        Rule(
            "metric:act_for_others",
            SERVICE,
            "See and change what belongs to any project, and make resources in another project's name. Tane's own.",
        ),
    ),
)

PROMETHEUS_RULES = scoped(
    PROJECT,
    (
        Rule("prometheus:read", READER, "Read what is measured of one's project."),
        Rule("prometheus:read_cloud", ADMIN, "Read what is measured of everything, and how the cloud itself is."),
    ),
)
