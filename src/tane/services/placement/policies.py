"""Default policy of placement under upstream's rule names (placement.policies)."""

from __future__ import annotations

from tane.web.policy import ADMIN, PROJECT, Rule

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
)
