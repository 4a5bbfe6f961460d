"""Default policy of placement under upstream's rule names (placement.policies)."""

from __future__ import annotations

from tane.web.policy import ADMIN, PROJECT, Rule

NOT_BUILT = (
    *("resource_providers:create", "resource_providers:update", "resource_providers:delete"),
    *("resource_providers:inventories:update", "resource_providers:inventories:delete"),
    *("resource_providers:aggregates:update", "resource_providers:traits:update", "resource_providers:traits:delete"),
    *("allocations:update", "allocations:delete", "allocations:manage", "allocation_candidates:list", "usages"),
    *("resource_classes:create", "resource_classes:update", "resource_classes:delete", "traits:update"),
    "traits:delete",
)
RULES = (
    Rule("placement:resource_providers:list", ADMIN, "List resource providers.", PROJECT),
    Rule("placement:resource_providers:show", ADMIN, "Show a resource provider.", PROJECT),
    Rule("placement:resource_providers:inventories:list", ADMIN, "What a provider has.", PROJECT),
    Rule("placement:resource_providers:inventories:show", ADMIN, "What a provider has of a class.", PROJECT),
    Rule("placement:resource_providers:usages", ADMIN, "What is claimed of a provider.", PROJECT),
    Rule("placement:resource_providers:aggregates:list", ADMIN, "A provider's aggregates.", PROJECT),
    Rule("placement:resource_providers:traits:list", ADMIN, "A provider's traits.", PROJECT),
    Rule("placement:resource_providers:allocations:list", ADMIN, "Who claims what of a provider.", PROJECT),
    Rule("placement:allocations:list", ADMIN, "What a consumer claims.", PROJECT),
    Rule("placement:resource_classes:list", ADMIN, "List resource classes.", PROJECT),
    Rule("placement:resource_classes:show", ADMIN, "Show a resource class.", PROJECT),
    Rule("placement:traits:list", ADMIN, "List traits.", PROJECT),
    Rule("placement:traits:show", ADMIN, "Whether there is a trait.", PROJECT),
    *(Rule(f"placement:{name}", ADMIN, "Not built: answers 501.", PROJECT) for name in NOT_BUILT),
)
