"""Access lists of containers: ``X-Container-Read``, ``X-Container-Write``.

Source: Swift's "Access Control Lists (ACLs)", "Container ACLs", and its Keystone middleware.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from tane.web.context import Context
from tane.web.errors import BadRequest

REFERRERS = (".r", ".ref", ".referer", ".referrer")
DEFAULT_DOMAIN = "default"


@dataclass(frozen=True)
class Acl:
    """``referrers``: host names, "*" for all, in order; ``-`` before one takes it away. ``groups``: the rest."""

    referrers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def rlistings(self) -> bool:
        return ".rlistings" in self.groups


def cleaned(header: str, value: str) -> str:
    """The list as it is kept. :raises BadRequest: it is none."""
    kept = []
    for part in _parts(value):
        if not part.startswith("."):
            kept.append(part)
            continue
        kind, colon, host = part.partition(":")
        kind, host = kind.strip(), host.strip()
        if kind not in REFERRERS:
            if colon or kind != ".rlistings":
                raise BadRequest(f'Unknown designator {kind!r} in ACL: "{part}"')
            kept.append(kind)
            continue
        if header == "x-container-write":
            raise BadRequest(f'Referrers not allowed in write ACL: "{part}"')
        negate = host.startswith("-")
        host = host.removeprefix("-").strip()
        if host != "*" and host.startswith("*"):
            host = host[1:].strip()
        if not host or host == ".":
            raise BadRequest(f'No host/domain value after referrer designation in ACL: "{part}"')
        kept.append(f".r:{'-' if negate else ''}{host}")
    return ",".join(kept)


def _parts(value: str) -> Iterator[str]:
    return (part for part in (text.strip() for text in value.split(",")) if part)


@lru_cache(maxsize=4096)
def parsed(text: str) -> Acl:
    referrers, groups = [], []
    for part in _parts(text):
        if part.startswith(".r:"):
            referrers.append(part.removeprefix(".r:"))
        else:
            groups.append(unquote(part))
    return Acl(tuple(referrers), tuple(groups))


def refers(acl: Acl, referer: str) -> bool:
    """Whether who comes from the page ``referer`` is let in; the last entry that fits decides."""
    allowed = False
    if not acl.referrers:
        return False
    try:
        host = (urlsplit(referer).hostname or "unknown") if referer else "unknown"
    except ValueError:
        host = "unknown"
    for entry in acl.referrers:
        wanted = entry.removeprefix("-")
        if wanted == "*" or wanted == host or (wanted.startswith(".") and host.endswith(wanted)):
            allowed = not entry.startswith("-")
    return allowed


def names(acl: Acl, ctx: Context, owner_domain: str) -> bool:
    """Whether the caller is on the list: as user of a project (``project:user``, ``*`` for either), or by a role.

    Names count only where owner, project and user are all of the default domain: elsewhere a name tells nobody.
    """
    if not ctx.user_id:
        return False
    by_name = owner_domain == ctx.project_domain_id == ctx.user_domain_id == DEFAULT_DOMAIN
    projects = {"*", ctx.project_id, *([ctx.project_name] if by_name else [])} - {""}
    users = {"*", ctx.user_id, *([ctx.user_name] if by_name else [])} - {""}
    roles = {role.lower() for role in ctx.roles}
    for group in acl.groups:
        project, colon, user = group.partition(":")
        if colon:
            if user in users and (project in projects) and (ctx.project_id or project == "*"):
                return True
        elif ctx.project_id and group.lower() in roles:
            return True
    return False
