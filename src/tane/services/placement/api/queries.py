"""Queries of resources, traits and aggregates, as lists of providers and of candidates have them (placement.util)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

from tane.hosts.offers import MOST
from tane.services.placement.api.common import BAD, MISSING
from tane.services.placement.domain.asked import Asked, Group
from tane.web.codec import whole
from tane.web.errors import BadRequest
from tane.web.request import Request
from tane.web.versions import Version

NUMBERED, NAMED = r"[1-9][0-9]*", r"[a-zA-Z0-9_-]{1,64}"
PARTS: Mapping[str, Version] = {"resources": (1, 10), "required": (1, 17), "member_of": (1, 21), "in_tree": (1, 31)}
WHOLE: Mapping[str, Version] = {
    "limit": (1, 16),
    "group_policy": (1, 25),
    "root_required": (1, 35),
    "same_subtree": (1, 36),
}
Traits = tuple[tuple[frozenset[str], ...], frozenset[str]]


def wrong(text: str, code: str | None = None) -> BadRequest:
    return BadRequest(f"Invalid query string parameters: {text}", type=code)


def refuse_unknown(request: Request, name: str) -> None:
    raise wrong(f"Additional properties are not allowed ('{name}' was unexpected)")


def resources(text: str) -> dict[str, int]:
    """``VCPU:2,MEMORY_MB:64``. :raises BadRequest:"""
    form = "Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024."
    wanted = {}
    for part in text.split(","):
        name, colon, amount = part.partition(":")
        if not colon or not name:
            raise BadRequest(f"Badly formed resources parameter. {form} Got: {part or 'empty string'}.")
        number = whole(amount)
        if number is None:
            raise BadRequest(f"Requested resource {name} expected positive integer amount. Got: {amount}.")
        if not 1 <= number <= MOST:
            raise BadRequest(f"Requested resource {name} requires amount >= 1, and at most {MOST}. Got: {number}.")
        wanted[name] = number
    return wanted


def traits(request: Request, name: str, *, any_of: bool = True) -> Traits:
    """Of each set one is wanted, and none of the others. :raises BadRequest:"""
    wanted: list[frozenset[str]] = []
    unwanted: set[str] = set()
    newest = request.version >= (1, 39) and any_of
    for text in request.params(name) if newest else request.params(name)[-1:]:
        if text.startswith("in:"):
            one = frozenset(part.strip() for part in text[3:].split(","))
            if not newest:
                raise wrong(
                    f"The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported since microversion 1.39. Got: {text}"
                )
            if any(not part or part.startswith("!") for part in one):
                raise wrong(
                    f"The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' has no empty and no forbidden traits. Got: {text}"
                )
            wanted.append(one)
            continue
        for part in (part.strip() for part in text.split(",")):
            if not part.lstrip("!") or (part.startswith("!") and request.version < (1, 22)):
                raise wrong(f"Expected '{name}' parameter value of the form: HW_CPU_X86_VMX,CUSTOM_MAGIC. Got: {text}")
            if part.startswith("!"):
                unwanted.add(part.lstrip("!"))
            else:
                wanted.append(frozenset((part,)))
    if both := [one for one in wanted if one <= unwanted]:
        told = ", ".join(sorted(both[0]))
        raise BadRequest(
            f"Conflicting required and forbidden traits found in the following traits keys: {name}: ({told})"
        )
    return tuple(wanted), frozenset(unwanted)


def aggregates(request: Request, name: str) -> Traits:
    """Of each set one is wanted, and none of the others. :raises BadRequest:"""
    values = request.params(name)
    if len(values) > 1 and request.version < (1, 24):
        raise BadRequest(f"Multiple {name} parameters are not supported")
    wanted: list[frozenset[str]] = []
    unwanted: set[str] = set()
    for value in values:
        forbidden = value.startswith("!")
        text = value.removeprefix("!")
        if "," in text and not text.startswith("in:"):
            raise BadRequest(
                "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the valid "
                f"microversion. Got: {value}"
            )
        if forbidden and request.version < (1, 32):
            raise BadRequest(f"Forbidden {name} parameters are not supported in the specified microversion")
        found = frozenset(_uuid("member_of", part) for part in text.removeprefix("in:").split(","))
        if forbidden:
            unwanted |= found
        else:
            wanted.append(found)
    return tuple(wanted), frozenset(unwanted)


def _uuid(name: str, text: str) -> str:
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        raise wrong(f"Expected '{name}' parameter to contain valid UUID(s). Got: {text}") from None


def in_tree(text: str) -> str:
    return _uuid("in_tree", text)


def asked(request: Request) -> Asked:
    """What a request for candidates asks. :raises BadRequest: naming the parameter."""
    suffixes = _suffixes(request)
    groups = {suffix: _group(request, suffix) for suffix in suffixes}
    _refuse_without_resources(request, groups)
    numbered = [suffix for suffix in groups if suffix]
    policy = request.param("group_policy")
    if policy not in (None, "none", "isolate"):
        raise wrong(f"'{policy}' is not one of ['none', 'isolate'] (group_policy)")
    if policy is None and len(numbered) > 1:
        raise BadRequest(
            'The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.'
        )
    limit = request.param("limit")
    if limit is not None and not re.fullmatch(r"[1-9][0-9]{0,17}", limit):
        raise wrong(f"'{limit}' does not match '^[1-9][0-9]*$' (limit)")
    required, forbidden = traits(request, "root_required", any_of=False)
    return Asked(
        groups=groups,
        isolate=policy == "isolate",
        limit=None if limit is None else int(limit),
        root_required=frozenset(trait for one in required for trait in one),
        root_forbidden=forbidden,
    )


def _suffixes(request: Request) -> list[str]:
    """Those of the groups, in the order in which they are named."""
    version = request.version
    tail = "" if version < (1, 25) else f"({NAMED})?" if version >= (1, 33) else f"({NUMBERED})?"
    found: dict[str, None] = {}
    for name, _ in request.query:
        if version >= WHOLE.get(name, (99, 0)):
            continue
        kind = next(
            (kind for kind, since in PARTS.items() if version >= since and re.fullmatch(kind + tail, name)), None
        )
        if kind is None:
            refuse_unknown(request, name)
        else:
            found[name.removeprefix(kind)] = None
    return list(found)


def _group(request: Request, suffix: str) -> Group:
    amounts, tree = request.param(f"resources{suffix}"), request.param(f"in_tree{suffix}")
    required, forbidden = traits(request, f"required{suffix}")
    member_of, not_member_of = aggregates(request, f"member_of{suffix}")
    return Group(
        resources={} if amounts is None else resources(amounts),
        required=required,
        forbidden=forbidden,
        member_of=member_of,
        not_member_of=not_member_of,
        in_tree=None if tree is None else in_tree(tree),
    )


def _refuse_without_resources(request: Request, groups: Mapping[str, Group]) -> None:
    empty = [suffix for suffix, group in groups.items() if not group.resources]
    if len(empty) == len(groups):
        raise BadRequest("There must be at least one resources or resources[$S] parameter.", type=MISSING)
    together = {suffix for text in request.params("same_subtree") for suffix in text.split(",")}
    if unreal := sorted(together - {*groups}):
        raise BadRequest(f"Real suffixes should be specified in `same_subtree`: {unreal} not found.", type=BAD)
    for suffix in empty:
        if suffix not in together and request.version >= (1, 36):
            raise BadRequest(
                "Resourceless suffixed group request should be specified in `same_subtree` query param: bad group(s) - "
                f"['{suffix}'].",
                type=BAD,
            )
        if suffix not in together:
            raise BadRequest("All request groups must specify resources.")
