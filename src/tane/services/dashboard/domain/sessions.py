"""Sessions of the portal: a cookie in the browser, the token here.

The cookie's value is a secret of 256 bits. Its digest finds the row; another digest of it is the key of the token in
the row. The form token (CSRF) holds a third one, so that it need not be kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken

from tane.core import Core
from tane.services.dashboard.store import sessions as store

MOST_OF_ONE = 50
"""Sessions a user has at a time; the oldest go."""
LONGEST = 64
"""Characters of the cookie's value."""
DIGEST, ONCE, PROJECT = 32, 12, 12
"""Characters of a form's token: of a digest (128 bits), of what makes it its page's own, of its project's id. A page
has a dozen of them."""


@dataclass(frozen=True)
class Session:
    secret: str
    id: str
    user_id: str
    token: str
    address: str


def form_token(secret: str, project_id: str) -> str:
    """What the forms of a page carry that is shown with this cookie in this project. No other page has the same: what
    is sent twice is known by it."""
    mark = secrets.token_hex(ONCE // 2) + short(project_id)
    return _digest(secret, f"form {mark}")[:DIGEST] + mark


def form_project(secret: str, token: str) -> str | None:
    """The project (:func:`short`) of the page that a form is from, also after its session; None: it was not shown with
    this cookie."""
    digest, mark = token[:DIGEST], token[DIGEST:]
    return mark[ONCE:] if same(digest, _digest(secret, f"form {mark}")[:DIGEST]) else None


def short(project_id: str | None) -> str:
    """As much of a project's id as tells it from a user's others; "" for none."""
    return (project_id or "")[:PROJECT]


def owner_mark(secret: str, user_id: str) -> str:
    """What tells of a cookie, also after its session, whether it was this user's."""
    return _digest(secret, f"owner {user_id}")


def _digest(secret: str, purpose: str) -> str:
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def _cipher(secret: str) -> Fernet:
    key = hmac.new(secret.encode(), b"seal", hashlib.sha256).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def open_session(core: Core, user_id: str, token: str, expires_at: datetime, address: str) -> Session:
    """Begin one with a token that identity just issued."""
    secret = secrets.token_urlsafe(32)
    found = Session(secret, _digest(secret, "id"), user_id, token, address)
    sealed = _cipher(secret).encrypt(token.encode()).decode()
    with core.db.write() as tx:
        store.add(tx, id=found.id, user_id=user_id, address=address, sealed=sealed, expires_at=expires_at)
        store.oldest_beyond(tx, user_id, MOST_OF_ONE)
    return found


def find(core: Core, secret: str) -> Session | None:
    """The session behind a cookie; None when there is none (any more)."""
    if not secret or len(secret) > LONGEST:
        return None
    session_id = _digest(secret, "id")
    with core.db.read() as tx:
        row = store.get(tx, session_id)
        if row is None or row.expires_at <= tx.now:
            return None
    token = _token_of(secret, row.sealed)
    if token is None:
        return None
    return Session(secret, session_id, row.user_id, token, row.address)


def change_token(core: Core, session: Session, token: str, expires_at: datetime) -> None:
    """The session goes on with another token (another project)."""
    with core.db.write() as tx:
        store.reseal(tx, session.id, _cipher(session.secret).encrypt(token.encode()).decode(), expires_at)


def close(core: Core, session: Session) -> None:
    """Repeatable."""
    with core.db.write() as tx:
        store.remove(tx, session.id)


def close_if_over(core: Core, session: Session) -> None:
    """Its token is good no longer; nothing when it has another one by now."""
    with core.db.write() as tx:
        row = store.get(tx, session.id)
        if row is not None and _token_of(session.secret, row.sealed) == session.token:
            store.remove(tx, session.id)


def _token_of(secret: str, sealed: str) -> str | None:
    try:
        return _cipher(secret).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def forget_expired(core: Core) -> int:
    with core.db.write() as tx:
        return store.forget_expired(tx)


def same(one: str, other: str) -> bool:
    """Compare secrets without telling by the time taken where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
