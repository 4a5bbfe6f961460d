"""Delegation by OAuth 1.0a: a consumer asks for a request token, a user authorizes it with roles on the project asked
for, the consumer exchanges it for an access token, by which it logs in as that user with those roles.

Source: Identity API v3 extension OS-OAUTH1; RFC 5849. A signed request is good once.
"""

from __future__ import annotations

import hmac
import secrets
import string
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import new_id, require
from tane.services.identity.domain.memory import Desk
from tane.services.identity.domain.methods import OAUTH1, Proof, is_enabled
from tane.services.identity.domain.oauth_signatures import SignedPost, check, needed, parameters, used
from tane.services.identity.domain.tokens import REFUSED, user_at
from tane.services.identity.domain.trusts import role_ids
from tane.services.identity.store import assignments, rows
from tane.services.identity.store import oauth as store
from tane.services.identity.tables import access_token, consumer, project, request_token, role
from tane.web.context import Context
from tane.web.errors import Forbidden, Unauthorized

VERIFIER_CHARACTERS = string.ascii_letters + string.digits
VERIFIER_LENGTH = 8


def create_request_token(core: Core, call: SignedPost, project_id: str) -> Row[Any]:
    """What a consumer asks a user for: to act on a project.

    :raises NotFound: unknown consumer or project. :raises Unauthorized: the signature is wrong.
    """
    given = parameters(call)
    [consumer_id] = needed(given, "oauth_consumer_key")
    needed({"Requested-Project-Id": project_id}, "Requested-Project-Id")
    with core.db.read() as tx:
        asking = require(tx, consumer, consumer_id, "consumer")
        if not check(call, given, tx.now, asking.secret, ""):
            raise Unauthorized("Invalid signature")
        needed(given, "oauth_callback")
    with core.db.write() as tx:
        require(tx, consumer, consumer_id, "consumer")
        require(tx, project, project_id, "project", is_domain=False)
        _take(tx, given)
        values = {"consumer_id": consumer_id, "project_id": project_id}
        return _add(tx, request_token, values, core.config.request_token_duration)


def authorize(core: Core, ctx: Context, token_id: str, wanted: Sequence[Mapping[str, str]]) -> str:
    """Let the consumer of a request token act as the caller with these roles; returns the verifier, which the user
    hands to the consumer.

    :raises Forbidden: the caller acts by a delegation. :raises Unauthorized: expired; a role the caller does not have.
    """
    refuse_delegated(ctx, "authorize a request token")
    with core.db.write() as tx:
        asked = require(tx, request_token, token_id, "request token")
        _refuse_expired(asked, tx.now, "Request")
        given = role_ids(tx, wanted)
        held = assignments.effective_roles(tx, ctx.user_id, "project", asked.project_id)
        if not set(given) <= {row.id for row in held}:
            raise Unauthorized("authorizing user does not have role required")
        verifier = "".join(secrets.choice(VERIFIER_CHARACTERS) for _ in range(VERIFIER_LENGTH))
        values = {"authorizing_user_id": ctx.user_id, "role_ids": given, "verifier": verifier}
        rows.change(tx, request_token, token_id, values)
        audit.record(tx, "updated", "request_token", token_id, user=ctx.user_id, consumer=asked.consumer_id)
        return verifier


def create_access_token(core: Core, call: SignedPost) -> Row[Any]:
    """Exchange an authorized request token, which ends with that.

    :raises NotFound: there is no such request token (any more). :raises Unauthorized: expired, not authorized yet, not
    the consumer's, or wrongly signed.
    """
    given = parameters(call)
    consumer_id, token_id, verifier = needed(given, "oauth_consumer_key", "oauth_token", "oauth_verifier")
    with core.db.read() as tx:
        _authorized(tx, call, given)
    with core.db.write() as tx:
        # Looked at again: of two exchanges at a time one finds it gone, and its user may have authorized it anew.
        asked = require(tx, request_token, token_id, "request token", verifier=verifier)
        _take(tx, given)
        rows.remove(tx, request_token, token_id)
        values = {name: getattr(asked, name) for name in ("project_id", "authorizing_user_id", "role_ids")}
        return _add(tx, access_token, {"consumer_id": consumer_id, **values}, core.config.access_token_duration)


def _authorized(tx: Tx, call: SignedPost, given: Mapping[str, str]) -> None:
    """:raises Unauthorized: this call may not exchange its request token."""
    asked = require(tx, request_token, given["oauth_token"], "request token")
    _refuse_expired(asked, tx.now, "Request")
    asking = rows.get(tx, consumer, given["oauth_consumer_key"])
    if asking is None:
        raise Unauthorized("Provided consumer does not exist.")
    if asked.consumer_id != asking.id:
        raise Unauthorized("Provided consumer key does not match stored consumer key.")
    if not _same(asked.verifier or "", given["oauth_verifier"]):
        raise Unauthorized("Provided verifier does not match stored verifier")
    if not check(call, given, tx.now, asking.secret, asked.secret):
        raise Unauthorized("Invalid signature")


def prove(desk: Desk, call: SignedPost | None) -> Proof:
    """The method ``oauth1`` of a login: the call is signed by the consumer and by its access token.

    :raises NotFound: no such access token. :raises Unauthorized: expired, wrongly signed, not this consumer's, used.
    """
    desk.must_wait()
    if call is None:
        raise Unauthorized(REFUSED)
    given = parameters(call)
    consumer_id, token_id = needed(given, "oauth_consumer_key", "oauth_token")
    access = require(desk.tx, access_token, token_id, "access token")
    _refuse_expired(access, desk.now, "Access")
    asking = rows.get(desk.tx, consumer, access.consumer_id)
    if asking is None or consumer_id != asking.id or not check(call, given, desk.now, asking.secret, access.secret):
        raise Unauthorized("Could not validate the access token")
    user = user_at(desk, access.authorizing_user_id)
    if user is None or not is_enabled(desk, user):
        raise Unauthorized(REFUSED)
    desk.close()
    with desk.core.db.write() as tx:
        _take(tx, given)
    return Proof(user, (OAUTH1,), access_token_id=access.id, project_id=access.project_id)


def index(core: Core, ctx: Context, user_id: str) -> list[Row[Any]]:
    """The access tokens that a user has authorized."""
    refuse_delegated(ctx)
    with core.db.read() as tx:
        return rows.find(tx, access_token, {"authorizing_user_id": user_id})


def show(core: Core, ctx: Context, user_id: str, token_id: str) -> Row[Any]:
    refuse_delegated(ctx)
    with core.db.read() as tx:
        return _require(tx, user_id, token_id)


def roles(core: Core, ctx: Context, user_id: str, token_id: str) -> list[Row[Any]]:
    """The roles that were delegated."""
    refuse_delegated(ctx)
    with core.db.read() as tx:
        return rows.find(tx, role, {"id": _require(tx, user_id, token_id).role_ids})


def delete(core: Core, ctx: Context, user_id: str, token_id: str) -> None:
    """Ends every token that was made of it, too."""
    refuse_delegated(ctx)
    with core.db.write() as tx:
        _require(tx, user_id, token_id)
        rows.remove(tx, access_token, token_id)
        audit.record(tx, "deleted", "access_token", token_id, user=user_id)


def forget_expired(core: Core) -> int:
    """Delete tokens that have expired; returns how many."""
    with core.db.write() as tx:
        return store.forget_expired(tx, tx.now)


def refuse_delegated(ctx: Context, action: str = "manage OAuth access tokens") -> None:
    """:raises Forbidden: the caller acts by a delegation: what it made would be none of it any more."""
    if ctx.trust_id or ctx.application_credential_id or ctx.access_token_id:
        raise Forbidden(f"Cannot {action} with a token issued via delegation.")


def _require(tx: Tx, user_id: str, token_id: str) -> Row[Any]:
    return require(tx, access_token, token_id, "access token", authorizing_user_id=user_id)


def _add(tx: Tx, table: Any, values: Mapping[str, Any], seconds: int) -> Row[Any]:
    token_id = new_id()
    ends = tx.now + timedelta(seconds=seconds) if seconds else None
    own = {"id": token_id, "secret": secrets.token_hex(16), "expires_at": ends, "created_at": tx.now}
    rows.add(tx, table, {**values, **own})
    audit.record(tx, "created", table.name, token_id, consumer=values["consumer_id"])
    return require(tx, table, token_id, table.name)


def _take(tx: Tx, given: Mapping[str, str]) -> None:
    if not store.take(tx, *used(given)):
        raise Unauthorized("The signed request was used before.")


def _refuse_expired(row: Row[Any], now: datetime, kind: str) -> None:
    if row.expires_at is not None and row.expires_at <= now:
        raise Unauthorized(f"{kind} token is expired")


def _same(one: str, other: str) -> bool:
    return bool(one) and hmac.compare_digest(one.encode(), other.encode(errors="surrogatepass"))
