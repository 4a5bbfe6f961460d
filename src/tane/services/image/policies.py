"""Default policy of image under upstream's rule names (glance.policies, secure RBAC)."""

from __future__ import annotations

from tane.web.policy import ADMIN, ANYONE, MEMBER, PROJECT, READER, Rule, scoped

METADEF_READ = (
    "get_metadef_namespace",
    "get_metadef_namespaces",
    "get_metadef_object",
    "get_metadef_objects",
    "list_metadef_resource_types",
    "get_metadef_resource_type",
    "get_metadef_property",
    "get_metadef_properties",
    "get_metadef_tag",
    "get_metadef_tags",
)
METADEF_WRITE = (
    "modify_metadef_namespace",
    "add_metadef_namespace",
    "delete_metadef_namespace",
    "modify_metadef_object",
    "add_metadef_object",
    "delete_metadef_object",
    "add_metadef_resource_type_association",
    "remove_metadef_resource_type_association",
    "modify_metadef_property",
    "add_metadef_property",
    "remove_metadef_property",
    "modify_metadef_tag",
    "add_metadef_tag",
    "add_metadef_tags",
    "delete_metadef_tag",
    "delete_metadef_tags",
)
RULES = (
    Rule("service_api", "role:service or role:admin"),
    Rule("metadef_default", ""),
    Rule("metadef_admin", ADMIN),
    Rule("get_image_schema", ANYONE, "Schemas, import methods, stores, usage: upstream asks no rule for them."),
    *scoped(
        PROJECT,
        (
            *(Rule(name, READER) for name in ("get_image", "get_images", "get_member", "get_members")),
            *(
                Rule(name, MEMBER)
                for name in (
                    "add_image",
                    "modify_image",
                    "delete_image",
                    "upload_image",
                    "download_image",
                    "communitize_image",
                    "add_member",
                    "modify_member",
                    "delete_member",
                    "deactivate",
                    "reactivate",
                )
            ),
            Rule("publicize_image", ADMIN),
            Rule("copy_image", ADMIN),
            Rule("get_image_location", READER),
            Rule("set_image_location", MEMBER),
            Rule("delete_image_location", ADMIN),
            Rule("add_image_location", f"rule:service_api or {MEMBER}"),
            Rule("fetch_image_location", "rule:service_api"),
            Rule("stores_info_detail", f"{ADMIN} or rule:service_api"),
            *(
                Rule(name, ADMIN, "Upstream asks tasks_api_access as well.")
                for name in ("get_tasks", "get_task", "add_task")
            ),
            Rule("tasks_api_access", ADMIN),
            *(
                Rule(name, ADMIN)
                for name in (
                    "cache_list",
                    "cache_image",
                    "cache_delete",
                    "cache_clean",
                    "cache_prune",
                )
            ),
            *(
                Rule(name, ADMIN, "No call asks it: upstream keeps the name.")
                for name in ("manage_image_cache", "modify_task")
            ),
            *(Rule(name, READER, "Of a namespace that is public or the caller's own.") for name in METADEF_READ),
            *(Rule(name, "rule:metadef_admin") for name in METADEF_WRITE),
        ),
    ),
)
"""Whose images a caller sees beside its own (public, community, shared) is decided in the domain."""
