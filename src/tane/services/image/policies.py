"""Default policy of image under upstream's rule names (glance.policies, secure RBAC)."""

from __future__ import annotations

from tane.web.policy import ADMIN, ANYONE, MEMBER, READER, Rule

RULES = (
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
    Rule("service_api", "role:service or role:admin"),
    Rule("add_image_location", f"rule:service_api or {MEMBER}"),
    Rule("fetch_image_location", "rule:service_api"),
    Rule("stores_info_detail", f"{ADMIN} or rule:service_api"),
    *(Rule(name, ADMIN, "Upstream asks tasks_api_access as well.") for name in ("get_tasks", "get_task", "add_task")),
    Rule("tasks_api_access", ADMIN),
    Rule("get_image_schema", ANYONE, "Schemas and the list of import methods: upstream asks no rule for them."),
)
"""Whose images a caller sees beside its own (public, community, shared) is decided in the domain."""
