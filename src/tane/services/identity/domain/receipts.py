"""Multi-factor rules, and receipts: proof of the methods that succeeded, when the user's rules ask for more.

Source: Identity API v3, "Multi-factor authentication: receipts".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from cryptography.fernet import InvalidToken

from tane.services.identity.domain import keys
from tane.services.identity.domain.memory import Desk
from tane.services.identity.domain.methods import NAMES
from tane.services.identity.domain.tokens import EPOCH, REFUSED, micro, project_at
from tane.services.identity.drivers import User
from tane.web.codec import iso_micro
from tane.web.errors import Unauthorized

HEADER = "Openstack-Auth-Receipt"


class Receipt(msgspec.Struct, array_like=True):
    user_id: str
    methods: list[str]
    expires_at: int
    epoch: int


class MoreMethodsNeeded(Unauthorized):
    """401 with a receipt. The methods that the rules still ask for stand in the body."""

    def __init__(self, desk: Desk, user: User, methods: list[str]) -> None:
        super().__init__(REFUSED)
        desk.must_wait()
        domain = project_at(desk, user.domain_id)
        ends = desk.now + timedelta(seconds=desk.core.config.receipt_ttl)
        receipt = Receipt(user.id, methods, micro(ends), _epoch(desk, user))
        text = keys.cipher(desk, keys.RECEIPT).encrypt(msgspec.msgpack.encode(receipt)).decode().rstrip("=")
        self.headers = {HEADER: text}
        self.body = {
            "receipt": {
                "methods": methods,
                "expires_at": _iso(ends),
                "issued_at": _iso(desk.now),
                "user": {
                    "id": user.id,
                    "name": user.name,
                    "domain": {"id": user.domain_id, "name": domain.name if domain else ""},
                },
            },
            "required_auth_methods": rules_of(user),
        }


def rules_of(user: User) -> list[list[str]]:
    """The user's multi-factor rules, as far as they name methods there are."""
    if not user.options.get("multi_factor_auth_enabled", True):
        return []
    rules = user.options.get("multi_factor_auth_rules") or []
    known = [[method for method in dict.fromkeys(rule) if method in NAMES] for rule in rules]
    return [rule for rule in known if rule]


def satisfies_rules(user: User, used: Sequence[str]) -> bool:
    rules = rules_of(user)
    return not rules or any(set(rule) <= set(used) for rule in rules)


def methods_of(desk: Desk, text: str, user: User) -> tuple[str, ...]:
    """The methods a receipt vouches for. :raises Unauthorized: expired, of another user, or no receipt."""
    padded = text + "=" * (-len(text) % 4)
    try:
        receipt = msgspec.msgpack.decode(keys.cipher(desk, keys.RECEIPT).decrypt(padded.encode()), type=Receipt)
    except (InvalidToken, msgspec.DecodeError, UnicodeEncodeError):
        raise Unauthorized(REFUSED) from None
    stale = (receipt.user_id, receipt.epoch) != (user.id, _epoch(desk, user))
    if stale or EPOCH + timedelta(microseconds=receipt.expires_at) <= desk.now:
        raise Unauthorized(REFUSED)
    return tuple(receipt.methods)


def _epoch(desk: Desk, user: User) -> int:
    """Counted up by what ends the user's tokens; both parts only ever grow."""
    domain = project_at(desk, user.domain_id)
    return user.token_epoch + (domain.token_epoch if domain is not None else 0)


def _iso(moment: datetime) -> str:
    return f"{iso_micro(moment)}Z"
