"""Policies of buckets: who else may do what, and what nobody may, by whichever API.

A documented part of Amazon's language; what is not of it is refused by its name. A statement that denies holds for
everybody who asks for objects or lists them, the owner's users and signed addresses among them. One that allows lets
strangers in beside the access lists; nobody writes without a name, whatever it says. The bucket's own settings, the
policy among them, are the owner's whatever it says: nobody locks themselves out.

Source: Amazon S3 User Guide, "Policies and permissions in Amazon S3".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from tane.web.context import Context

MOST_BYTES, MOST_STATEMENTS, MOST_LIST, MOST_STARS = 20 << 10, 50, 100, 8
MOST_NAMES = 500
"""Actions, resources, principals and values of conditions of a policy: all are looked at for each request."""
MOST_SOUGHT, A_QUESTION = 2048, 8
"""Characters that its patterns have between stars: each costs a step for each of a name, and many more in a piece with
a question mark."""
KIND = "policy"
FLAG = "s3-policy"
"""In the metadata of a container that has one: others are not asked."""
SEGMENTS = "+segments"
"""Follows the name of the container in which the parts of a bucket's large objects lie."""
VERSIONS = ("2012-10-17", "2008-10-17")
ARN = "arn:aws:s3:::"
OF_BUCKETS = ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:DeleteBucket")
OF_VERSIONS = (
    *("s3:GetObjectVersion", "s3:GetObjectVersionTagging", "s3:PutObjectVersionTagging"),
    *("s3:DeleteObjectVersion", "s3:DeleteBucket"),
)
"""What else is the owner's, and is somebody else's where a policy says so by name."""
OF_OBJECTS = (
    *("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:PutObject", "s3:PutObjectTagging"),
    *("s3:GetObjectVersionTagging", "s3:PutObjectVersionTagging"),
    *("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
)
ACTIONS = (*OF_BUCKETS, *OF_OBJECTS)
"""Those that are asked about; a pattern must fit one of them."""
MATCHING = {
    ("get_object", "read"): "s3:GetObject",
    ("get_object", "owner"): "s3:GetObjectVersion",
    ("get_object", "write"): "s3:ListMultipartUploadParts",
    ("put_object", "write"): "s3:PutObject",
    ("put_object", "owner"): "s3:PutObject",
    ("post_object", "write"): "s3:PutObject",
    ("post_object", "owner"): "s3:PutObject",
    ("copy_object", "write"): "s3:PutObject",
    ("delete_object", "write"): "s3:DeleteObject",
    ("delete_object", "owner"): "s3:DeleteObjectVersion",
    ("get_container", "list"): "s3:ListBucket",
    ("delete_container", "owner"): "s3:DeleteBucket",
}
"""By rule and kind of access: the action that a call is, unless it says it is another one."""
PRINCIPAL = re.compile(r"(?:arn:aws:iam::)?([0-9A-Za-z-]{1,64})(?::root|:user/([0-9A-Za-z_.@-]{1,64}))?\Z")
SID = re.compile(r"[0-9A-Za-z]{0,255}\Z")


class Malformed(Exception):
    """It is no policy, or has what is not offered; the message says what."""


class _Statement(msgspec.Struct, forbid_unknown_fields=True):
    """As it is sent."""

    Effect: str
    Principal: Any
    Action: str | list[str]
    Resource: str | list[str]
    Sid: str = ""
    Condition: dict[str, dict[str, Any]] = {}


class _Policy(msgspec.Struct, forbid_unknown_fields=True):
    Statement: _Statement | list[_Statement]
    Version: str = VERSIONS[1]
    Id: str = ""


@dataclass(frozen=True)
class Asked:
    """What a request is to a policy. ``prefix``: that a listing is asked for."""

    ctx: Context
    address: str
    secure: bool
    prefix: str | None = None


Condition = Callable[[Asked], bool]


@dataclass(frozen=True)
class Statement:
    """``people``: (project, user), "*" for any; none for everybody, also without a name. ``resources``: patterns of a
    name, "" for the bucket itself."""

    allows: bool
    people: tuple[tuple[str, str], ...]
    actions: frozenset[str]
    resources: tuple[str, ...]
    whole: bool
    conditions: tuple[Condition, ...]

    def fits(self, asked: Asked, action: str, name: str | None) -> bool:
        """``name``: of the object; "" for the bucket, None for any object of it."""
        return (
            action in self.actions
            and (any(_same(one, asked.ctx) for one in self.people) if self.people else True)
            and (self.whole if name == "" else name is None or any(like(name, one) for one in self.resources))
            and all(condition(asked) for condition in self.conditions)
        )


def _same(one: tuple[str, str], ctx: Context) -> bool:
    return bool(ctx.user_id) and one[0] == ctx.project_id and one[1] in ("*", ctx.user_id)


def like(text: str, pattern: str) -> bool:
    """Whether a pattern with "*" and "?" fits. What is between stars is looked for from left to right, once each, which
    is as good as trying all ways, and costs as much as the texts are long."""
    first, *rest = pattern.split("*")
    if not rest:
        return len(text) == len(pattern) and _begins(text, pattern)
    *middle, last = rest
    if len(text) < len(first) + len(last) or not _begins(text, first):
        return False
    if not _begins(text[len(text) - len(last) :], last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = _find(text, piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _begins(text: str, piece: str) -> bool:
    if "?" not in piece:
        return text.startswith(piece)
    return all(wanted in ("?", char) for wanted, char in zip(piece, text, strict=False))


def _find(text: str, piece: str, begin: int, end: int) -> int:
    if "?" not in piece:
        return text.find(piece, begin, end)
    found = _searched(piece).search(text, begin, end)
    return -1 if found is None else found.start()


@lru_cache(maxsize=1024)
def _searched(piece: str) -> re.Pattern[str]:
    return re.compile("".join("." if char == "?" else re.escape(char) for char in piece), re.DOTALL)


# ---------------------------------------------------------------------------------------------------------- reading


@lru_cache(maxsize=256)
def parsed(text: str, bucket: str) -> tuple[Statement, ...]:
    """The statements of a bucket's policy. :raises Malformed:"""
    if len(text.encode()) > MOST_BYTES:
        raise Malformed(f"Policies are limited to {MOST_BYTES} bytes.")
    try:
        found = msgspec.json.decode(text, type=_Policy)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Malformed(f"The policy is not valid: {str(error)[:200]}") from None
    if found.Version not in VERSIONS:
        raise Malformed(f"The policy must have the version {VERSIONS[0]}.")
    given = found.Statement if isinstance(found.Statement, list) else [found.Statement]
    if not 1 <= len(given) <= MOST_STATEMENTS:
        raise Malformed(f"A policy has 1 to {MOST_STATEMENTS} statements.")
    texts = [list(_texts(one)) for one in given]
    if sum(map(len, texts)) > MOST_NAMES:
        raise Malformed(f"A policy names at most {MOST_NAMES} actions, resources, principals and values of conditions.")
    if sum(_sought(text) for each in texts for text in each if isinstance(text, str)) > MOST_SOUGHT:
        raise Malformed(
            f"The patterns of a policy have at most {MOST_SOUGHT} characters between stars; a piece with a question "
            f"mark counts {A_QUESTION} times."
        )
    return tuple(_statement(one, bucket) for one in given)


NOTHING = (Statement(False, (), frozenset(ACTIONS), ("*",), True, ()),)


def kept(text: str, bucket: str) -> tuple[Statement, ...]:
    """Of a policy that is there. One that was taken when more was taken than today denies everything to everybody: its
    owner sets it anew."""
    try:
        return parsed(text, bucket)
    except Malformed:
        return NOTHING


def _texts(given: _Statement) -> Iterator[Any]:
    """What a statement names, by anything."""
    people = given.Principal.get("AWS") if isinstance(given.Principal, dict) else given.Principal
    values = [value for keys in given.Condition.values() for value in keys.values()]
    for one in (given.Action, given.Resource, people, *values):
        yield from one if isinstance(one, list) else [one]


def _sought(text: str) -> int:
    return sum(len(piece) * (A_QUESTION if "?" in piece else 1) for piece in text.split("*")[1:-1])


def _statement(given: _Statement, bucket: str) -> Statement:
    if given.Effect not in ("Allow", "Deny"):
        raise Malformed(f"Invalid effect: {given.Effect[:100]}")
    if not SID.match(given.Sid):
        raise Malformed("A Sid has letters and digits only.")
    resources, whole = [], False
    for text in _list(given.Resource, "Resource"):
        where = text.removeprefix(ARN)
        name, slash, pattern = where.partition("/")
        if where == text or name != bucket or pattern.count("*") > MOST_STARS or len(pattern) > 1024:
            raise Malformed(f"Policy has invalid resource: {text[:200]}")
        whole |= not slash
        resources += [pattern] if slash else []
    actions = frozenset(one for text in _list(given.Action, "Action") for one in _actions(text))
    if not (actions & set(OF_BUCKETS) if whole else False) and not (actions & set(OF_OBJECTS) if resources else False):
        raise Malformed("Action does not apply to any resource(s) in statement")
    people, allows = _people(given.Principal), given.Effect == "Allow"
    conditions = tuple(_conditions(given.Condition, allows=allows))
    return Statement(allows, people, actions, tuple(resources), whole, conditions)


def _list(given: str | list[str], what: str) -> list[str]:
    found = [given] if isinstance(given, str) else given
    if not 1 <= len(found) <= MOST_LIST:
        raise Malformed(f"{what} has 1 to {MOST_LIST} entries.")
    return found


def _actions(text: str) -> list[str]:
    if text.count("*") > MOST_STARS or len(text) > 100:
        raise Malformed(f"Policy has invalid action: {text[:100]}")
    found = [one for one in ACTIONS if text == "*" or like(one.lower(), text.lower())]
    if not found:
        raise Malformed(f"Policy has invalid action, or one that is not implemented: {text}")
    return found


def _people(given: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(given, dict):
        if set(given) != {"AWS"}:
            raise Malformed(f"Not implemented in Principal: {', '.join(sorted(set(given) - {'AWS'}))[:100]}")
        given = given["AWS"]
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not 1 <= len(texts) <= MOST_LIST:
        raise Malformed("Invalid principal in policy")
    if "*" in texts:
        return ()
    found = []
    for text in texts:
        match = PRINCIPAL.match(text) if isinstance(text, str) else None
        if match is None:
            raise Malformed(f"Invalid principal in policy: {str(text)[:100]}")
        found.append((match[1], match[2] or "*"))
    return tuple(found)


def _conditions(given: dict[str, dict[str, Any]], *, allows: bool) -> list[Condition]:
    found = []
    for operator, keys in given.items():
        for key, value in keys.items():
            values = value if isinstance(value, list) else [value]
            make = CONDITIONS.get((operator, key.lower()))
            if make is None or not 1 <= len(values) <= MOST_LIST:
                raise Malformed(f"Conditions of this kind are not implemented: {operator[:50]} {key[:100]}")
            found.append(make(values, allows))
    return found


def _address(values: Sequence[Any], *, inside: bool, allows: bool) -> Condition:
    try:
        nets = [ipaddress.ip_network(str(one), strict=False) for one in values]
    except ValueError:
        raise Malformed("aws:SourceIp is an address or a network, as 192.0.2.0/24.") from None

    def check(asked: Asked) -> bool:
        try:
            address = ipaddress.ip_address(asked.address)
        except ValueError:
            # Nobody is let in, or spared, by an address that is not known.
            return not allows
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in net for net in nets) is inside

    return check


def _secure(values: Sequence[Any], _: bool) -> Condition:
    wanted = {str(one).lower() for one in values}
    if len(wanted) != 1 or not wanted <= {"true", "false"}:
        raise Malformed("aws:SecureTransport is true or false.")
    return lambda asked: asked.secure is (wanted == {"true"})


def _prefix(values: Sequence[Any], *, pattern: bool) -> Condition:
    texts = [one for one in values if isinstance(one, str) and len(one) <= 1024 and one.count("*") <= MOST_STARS]
    if len(texts) != len(values):
        raise Malformed("s3:prefix is a text.")

    def check(asked: Asked) -> bool:
        given = asked.prefix
        return given is not None and any(like(given, one) if pattern else given == one for one in texts)

    return check


CONDITIONS: dict[tuple[str, str], Callable[[Sequence[Any], bool], Condition]] = {
    ("IpAddress", "aws:sourceip"): lambda values, allows: _address(values, inside=True, allows=allows),
    ("NotIpAddress", "aws:sourceip"): lambda values, allows: _address(values, inside=False, allows=allows),
    ("Bool", "aws:securetransport"): _secure,
    ("StringEquals", "s3:prefix"): lambda values, _: _prefix(values, pattern=False),
    ("StringLike", "s3:prefix"): lambda values, _: _prefix(values, pattern=True),
}


# ------------------------------------------------------------------------------------------------------- evaluating


def denies(statements: Sequence[Statement], asked: Asked, action: str, name: str | None) -> bool:
    return any(not one.allows and one.fits(asked, action, name) for one in statements)


def allows(statements: Sequence[Statement], asked: Asked, action: str, name: str) -> bool:
    return any(one.allows and one.fits(asked, action, name) for one in statements)


def is_public(statements: Sequence[Statement]) -> bool:
    """Whether it lets in somebody that it does not name, from anywhere.

    Source: Amazon S3 User Guide, "The meaning of public".
    """
    return any(one.allows and not one.people and not one.conditions for one in statements)
