"""Default policy of placement under upstream's rule names (placement.policies)."""

from __future__ import annotations

from tane.web.policy import ADMIN, PROJECT, Rule

NOT_BUILT = (
    *("resource_providers:create", "resource_providers:update", "resource_providers:delete"),
    *("allocations:update", "allocations:delete", "allocations:manage", "reshaper:reshape"),
)
RULES = (
    Rule("placement:resource_providers:list", ADMIN, "List resource providers.", PROJECT),
    Rule("placement:resource_providers:show", ADMIN, "Show a resource provider.", PROJECT),
    Rule("placement:resource_providers:inventories:list", ADMIN, "What a provider has.", PROJECT),
    Rule("placement:resource_providers:inventories:show", ADMIN, "What a provider has of a class.", PROJECT),
    Rule("placement:resource_providers:inventories:create", ADMIN, "Say what a provider has of a class.", PROJECT),
    Rule("placement:resource_providers:inventories:update", ADMIN, "Change what a provider has.", PROJECT),
    Rule("placement:resource_providers:inventories:delete", ADMIN, "Take back what a provider has.", PROJECT),
    Rule("placement:resource_providers:usages", ADMIN, "What is claimed of a provider.", PROJECT),
    Rule("placement:resource_providers:aggregates:list", ADMIN, "A provider's aggregates.", PROJECT),
    Rule("placement:resource_providers:aggregates:update", ADMIN, "Put a provider into aggregates.", PROJECT),
    Rule("placement:resource_providers:traits:list", ADMIN, "A provider's traits.", PROJECT),
    Rule("placement:resource_providers:traits:update", ADMIN, "Give a provider traits.", PROJECT),
    Rule("placement:resource_providers:traits:delete", ADMIN, "Take a provider's traits.", PROJECT),
    Rule("placement:resource_providers:allocations:list", ADMIN, "Who claims what of a provider.", PROJECT),
    Rule("placement:allocations:list", ADMIN, "What a consumer claims.", PROJECT),
    Rule("placement:allocation_candidates:list", ADMIN, "Which providers could give something.", PROJECT),
    Rule("placement:usages", ADMIN, "What a project claims.", PROJECT),
    Rule("placement:resource_classes:list", ADMIN, "List resource classes.", PROJECT),
    Rule("placement:resource_classes:show", ADMIN, "Show a resource class.", PROJECT),
    Rule("placement:resource_classes:create", ADMIN, "Add a resource class.", PROJECT),
    Rule("placement:resource_classes:update", ADMIN, "Add or rename a resource class.", PROJECT),
    Rule("placement:resource_classes:delete", ADMIN, "Remove a resource class.", PROJECT),
    Rule("placement:traits:list", ADMIN, "List traits.", PROJECT),
    Rule("placement:traits:show", ADMIN, "Whether there is a trait.", PROJECT),
    Rule("placement:traits:update", ADMIN, "Add a trait.", PROJECT),
    Rule("placement:traits:delete", ADMIN, "Remove a trait.", PROJECT),
    *(Rule(f"placement:{name}", ADMIN, "Not built: answers 501.", PROJECT) for name in NOT_BUILT),
)
