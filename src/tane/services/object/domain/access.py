"""Who may do what: the owner's project by policy, strangers by access lists and signed addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.documents import load
from tane.services.identity import interface as identity
from tane.services.object.domain import acl, policies, room, tempurl
from tane.services.object.domain.policies import Asked, Statement
from tane.services.object.store import documents, places
from tane.web.context import Context
from tane.web.errors import Forbidden, NotFound, Unauthorized
from tane.web.request import Request

RESELLER_PREFIX = "AUTH_"
LOGGED = "s3-logging"
"""In the metadata of a container whose calls are written down: where to."""
Kind = Literal["owner", "read", "write", "list"]
GROWS = {f"{word}_{place}" for word in ("put", "post", "copy") for place in ("account", "container", "object")}
"""Rules of calls after which there is more to keep."""


@dataclass
class Visit:
    """A request that is let in. ``row``: the account, its container and object as far as they are there (see
    :mod:`tane.services.object.store.places`), None without an account. ``owner``: as one of the account's own, not by
    an access list. ``signed``: by a signed address."""

    account: str
    container: str
    name: str
    row: Row[Any] | None
    owner: bool
    signed: tempurl.Signed | None = None

    @property
    def there(self) -> Row[Any]:
        """:raises NotFound: there is no such container."""
        if self.row is None or self.row.container_id is None:
            raise NotFound("The resource could not be found.")
        return self.row

    @property
    def object(self) -> Row[Any]:
        """:raises NotFound: there is no such object."""
        row = self.there
        if row.id is None:
            raise NotFound("The resource could not be found.")
        return row

    @property
    def account_meta(self) -> dict[str, str]:
        found: dict[str, str] = load(self.row.account_meta) if self.row is not None else {}
        return found

    @property
    def container_meta(self) -> dict[str, str]:
        if self.row is None or self.row.container_id is None:
            return {}
        found: dict[str, str] = load(self.row.container_meta)
        return found


def identify(request: Request) -> Context:
    """The caller; a stranger where no token, or none that is good, was sent. Not inside a transaction."""
    if request.authenticate is None or not request.headers.get("x-auth-token"):
        return request.ctx
    if not request.ctx.user_id:
        try:
            request.ctx = request.authenticate()
        except Unauthorized:
            # A container may be open to strangers; who is not let in is told 401.
            return request.ctx
    return request.ctx


def kind_of(request: Request, otherwise: Kind) -> Kind:
    """Whose right a call needs: what is named by its version is the owner's, whatever may be done with what is current.
    A signed address says nothing of versions: there the parameter is not looked at, as in the real service."""
    named = request.param("version-id") is not None and not tempurl.is_signed(request)
    return "owner" if named else otherwise


def project_of(account: str) -> str:
    """Whose account it is; empty for a name that belongs to nobody."""
    return account.removeprefix(RESELLER_PREFIX) if account.startswith(RESELLER_PREFIX) else ""


def admit(
    request: Request,
    tx: Tx,
    rule: str,
    kind: Kind,
    at: tuple[str, str, str],
    signed: tempurl.Signed | None = None,
    *,
    outline: bool = False,
    folder: str | None = None,
    action: str = "",
    prefix: str = "",
) -> Visit:
    """Let the caller in, or not, to the place ``at`` (account, container, object; "" for none). ``outline``: nothing
    large of the object is read. ``folder``: what is to be listed are names that begin so, for a web site. ``action``:
    what a bucket's policy calls it, where ``rule`` and ``kind`` do not say it; ``prefix``: of what is to be listed.

    :raises Unauthorized: a stranger. :raises Forbidden: someone with a token.
    """
    account, container, name = at
    found = places.outline_in if outline else places.object_in
    row = found(tx, *at) if name else places.place(tx, account, container)
    visit = Visit(account, container, name, row, False)
    if row is not None and row.container_id is not None and LOGGED in row.container_meta:
        request.notes[account, container] = row.container_meta
    project = project_of(account)
    action = action or policies.MATCHING.get((rule, kind), "")
    statements, asked = _policy(tx, visit), Asked(request.ctx, request.remote, _is_secure(request), prefix)
    if signed is not None or tempurl.is_signed(request):
        signs = at if folder is None else (account, container, folder)
        listing = folder is not None
        checked = signed or tempurl.check(request, visit.account_meta, visit.container_meta, signs, listing=listing)
        visit.signed = checked
        if kind == "owner":
            # What is signed is the object: not its versions, not its container.
            raise refused(request)
        _refuse_denied(request, visit, statements, asked, action)
        _refuse_ended(request, project)
        if rule in GROWS:
            room.check_room(request.core)
        return visit
    _refuse_denied(request, visit, statements, asked, action)
    visit.owner = bool(project and request.ctx.user_id) and request.allows(
        f"object_store:{rule}", {"project_id": project, "user_id": request.ctx.user_id}
    )
    if not visit.owner and not _listed(request, visit, kind) and not _allowed(visit, statements, asked, action, kind):
        raise refused(request)
    if not visit.owner:
        _refuse_ended(request, project)
    if rule in GROWS:
        room.check_room(request.core)
    return visit


def _refuse_ended(request: Request, project_id: str) -> None:
    """What a project opened to others is closed with it. :raises Unauthorized: :raises Forbidden:"""
    if project_id and not identity.is_open(request.core, project_id):
        raise refused(request)


def may_change(request: Request, visit: Visit) -> bool:
    """Whether the caller may change the account or container that is looked at: with its keys of signed addresses one
    can, and its access lists name others."""
    if not visit.owner:
        return False
    target = {"project_id": project_of(visit.account), "user_id": request.ctx.user_id}
    return request.allows(f"object_store:post_{'container' if visit.container else 'account'}", target)


def refuse_denied(request: Request, tx: Tx, visit: Visit) -> None:
    """Of what is read because something else was let in to. :raises Forbidden: a policy denies it.
    :raises Unauthorized:"""
    asked = Asked(request.ctx, request.remote, _is_secure(request))
    _refuse_denied(request, visit, _policy(tx, visit), asked, "s3:GetObject")


def _is_secure(request: Request) -> bool:
    return request.base_url.startswith("https:")


def _policy(tx: Tx, visit: Visit) -> tuple[Statement, ...]:
    """What the bucket's policy says. Of where its parts lie, what the bucket's says of any object of it is what it
    denies: which part is of which object nobody asks."""
    row, bucket = visit.row, visit.container
    if row is not None and bucket.endswith(policies.SEGMENTS):
        bucket = bucket.removesuffix(policies.SEGMENTS)
        row = places.place(tx, visit.account, bucket)
    if row is None or row.container_id is None or policies.FLAG not in row.container_meta:
        return ()
    text = documents.find(tx, row.container_id, policies.KIND)
    found = policies.kept(text, bucket) if text else ()
    return found if bucket == visit.container else tuple(one for one in found if not one.allows)


def learn(tx: Tx, account: str, container: str) -> None:
    """Read a bucket's policy now, so that who asks it next, with the writer held, need not."""
    _policy(tx, Visit(account, container, "", places.place(tx, account, container), False))


def _refuse_denied(
    request: Request, visit: Visit, statements: tuple[Statement, ...], asked: Asked, action: str
) -> None:
    name: str | None = "" if action in policies.OF_BUCKETS else visit.name or None
    if visit.container.endswith(policies.SEGMENTS) and name:
        name = None
    if action and statements and policies.denies(statements, asked, action, name):
        raise refused(request)


def _allowed(visit: Visit, statements: tuple[Statement, ...], asked: Asked, action: str, kind: Kind) -> bool:
    """Nobody writes without a name. A pattern of names is nobody's object: lists of parts are for access lists."""
    if not action or not statements or not (asked.ctx.user_id or kind in ("read", "list")):
        return False
    if kind == "owner" and action not in policies.OF_VERSIONS:
        return False
    is_bucket = action in policies.OF_BUCKETS
    if not is_bucket and not visit.name:
        return False
    return policies.allows(statements, asked, action, "" if is_bucket else visit.name)


def refused(request: Request) -> Unauthorized | Forbidden:
    if not request.ctx.user_id:
        return Unauthorized(
            "This server could not verify that you are authorized to access the document you requested."
        )
    return Forbidden("Access was denied to this resource.")


def _listed(request: Request, visit: Visit, kind: Kind) -> bool:
    """Whether the container's access lists open it to the caller."""
    row = visit.row
    if kind == "owner" or row is None or row.container_id is None:
        return False
    found = acl.parsed(row.write_acl if kind == "write" else row.read_acl)
    open_to_all = kind == "read" or (kind == "list" and found.rlistings)
    if open_to_all and acl.refers(found, request.headers.get("referer", "")):
        return True
    return acl.names(found, request.ctx, row.project_domain_id)


def account_of(request: Request, tx: Tx, visit: Visit) -> int:
    """The id of the account, which is made by its first change.

    :raises NotFound: there is no such project.
    """
    if visit.row is not None:
        return int(visit.row.account_id)
    with request.core.db.read() as control:
        project = identity.project_row(control, project_of(visit.account))
    if project is None:
        raise NotFound("The resource could not be found.")
    return places.add_account(tx, visit.account, str(project.domain_id or ""))
