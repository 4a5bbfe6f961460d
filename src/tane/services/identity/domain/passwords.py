"""Password hashes (bcrypt). Passwords of any length count in full: they are reduced by SHA-256 first, since bcrypt
itself looks at 72 bytes only."""

from __future__ import annotations

import base64
import functools
import hashlib
import re

import bcrypt

from tane.config import Config
from tane.web.errors import BadRequest
from tane.web.request import CURRENT, NeedsHashing


def hash_password(password: str, rounds: int) -> str:
    _take_turn()
    return bcrypt.hashpw(_reduced(password), bcrypt.gensalt(rounds)).decode()


def hash_random(secret: str) -> str:
    """The hash of a password that was drawn at random: no list has it, so it needs no slow one."""
    return bcrypt.hashpw(_reduced(secret), bcrypt.gensalt(4)).decode()


def check_password(password: str, hashed: str | None) -> bool:
    """Whether the password is right; never for a user who has none."""
    if hashed is None:
        return False
    _take_turn()
    return bcrypt.checkpw(_reduced(password), hashed.encode())


def waste_time(password: str, rounds: int) -> None:
    """Take as long as the check of a password does."""
    _take_turn()
    bcrypt.checkpw(_reduced(password), _dummy(rounds))


def _take_turn() -> None:
    """:raises NeedsHashing: this is a request that is not answered where passwords are hashed. Whoever calls must have
    changed nothing before: the handler is called once more."""
    request = CURRENT.get()
    if request is not None and not request.may_hash:
        raise NeedsHashing


@functools.cache
def _dummy(rounds: int) -> bytes:
    return bcrypt.hashpw(b"", bcrypt.gensalt(rounds))


def check_strength(config: Config, password: str) -> None:
    """:raises BadRequest: the password does not match ``password_regex``."""
    if config.password_regex and not re.match(config.password_regex, password):
        detail = config.password_regex_description or config.password_regex
        raise BadRequest(f"The password does not match the requirements: {detail}.")


def refuse_old(config: Config, password: str, hashes: list[str]) -> None:
    """:raises BadRequest: it is one of these. Slow: each of them is tried."""
    if any(check_password(password, hashed) for hashed in hashes):
        raise BadRequest(
            "The new password cannot be identical to a previous password. The total number which includes the new "
            f"password must be unique is {config.unique_last_password_count}."
        )


def _reduced(password: str) -> bytes:
    return base64.b64encode(hashlib.sha256(password.encode()).digest())
