"""Default policy of object storage. Swift has no rule names; these are its calls.

What a container's access lists allow, signed addresses and public reading are allowed whatever the rules say, as in the
real service: they are the owner's own word.
"""

from __future__ import annotations

from tane.web.policy import MANAGER, MEMBER, READER, Rule

RESELLER = "rule:context_is_admin or (role:ResellerAdmin and domain_id:None)"
READS = ("get_account", "get_container", "get_object")
WRITES = (
    "post_account",
    "put_container",
    "post_container",
    "delete_container",
    "put_object",
    "post_object",
    "delete_object",
    "copy_object",
)
RESELLS = ("put_account", "delete_account", "set_account_quota")

BYPASS = "bypass_governance"

RULES = (
    Rule("object_store:reseller", RESELLER, "Whoever may do everything in every account."),
    *(Rule(f"object_store:{name}", f"{READER} or rule:object_store:reseller") for name in READS),
    *(Rule(f"object_store:{name}", f"{MEMBER} or rule:object_store:reseller") for name in WRITES),
    *(Rule(f"object_store:{name}", "rule:object_store:reseller") for name in RESELLS),
    Rule(
        f"object_store:{BYPASS}",
        f"{MANAGER} or rule:object_store:reseller",
        "Shortening or deleting what is locked in the mode GOVERNANCE, in accounts where the caller may delete.",
    ),
)
