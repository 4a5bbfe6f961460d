"""Password hashes (bcrypt). Passwords of any length count in full: they are reduced by SHA-256 first, since bcrypt
itself looks at 72 bytes only."""

from __future__ import annotations

import base64
import hashlib

import bcrypt


def hash_password(password: str, rounds: int) -> str:
    return bcrypt.hashpw(_reduced(password), bcrypt.gensalt(rounds)).decode()


def check_password(password: str, hashed: str | None) -> bool:
    """Whether the password is right; never for a user who has none."""
    if hashed is None:
        return False
    return bcrypt.checkpw(_reduced(password), hashed.encode())


def _reduced(password: str) -> bytes:
    return base64.b64encode(hashlib.sha256(password.encode()).digest())
