"""What a source of users must be able to do (a database, a directory, an identity provider)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tane.db import Tx


@dataclass(frozen=True)
class User:
    """A user as the rules see one, wherever it comes from.

    ``token_epoch`` is counted up when all tokens of the user shall end. ``password_hash`` is empty where the password
    is checked elsewhere.
    """

    id: str
    name: str
    domain_id: str
    enabled: bool
    default_project_id: str | None
    description: str | None
    options: dict[str, Any]
    extra: dict[str, Any]
    password_hash: str | None
    password_expires_at: datetime | None
    token_epoch: int


class UserDriver(Protocol):
    """Called with an open transaction, except where a method says otherwise."""

    def get(self, tx: Tx, user_id: str) -> User | None: ...

    def named(self, tx: Tx, name: str, domain_id: str) -> User | None: ...

    def index(self, tx: Tx, filters: Mapping[str, Any]) -> list[User]:
        """Users whose attributes equal ``filters``; ``password_expires_at`` holds (comparison, moment) pairs."""
        ...

    def create(self, tx: Tx, user_id: str, values: Mapping[str, Any]) -> None:
        """``values``: the attributes of the API, with ``password_hash`` in the place of the password."""
        ...

    def update(self, tx: Tx, user_id: str, values: Mapping[str, Any]) -> None:
        """Change attributes; whether that ends tokens is for the caller to say."""
        ...

    def delete(self, tx: Tx, user_id: str) -> None: ...

    def end_tokens(self, tx: Tx, user_id: str) -> None:
        """Count the user's token epoch up."""
        ...

    def check_password(self, user: User, password: str) -> bool:
        """Whether it is the password. Slow by design: called without a transaction."""
        ...

    def login_refused(self, tx: Tx, user: User) -> str | None:
        """Why this user may not log in now whatever the password is (locked out), or None."""
        ...

    def login_failed(self, tx: Tx, user: User) -> None:
        """Take note of a wrong password."""
        ...

    def logged_in(self, tx: Tx, user: User) -> None:
        """Take note of a right one."""
        ...

    @property
    def notes_logins(self) -> bool:
        """Whether each login has to look at and write down what happened before (lockout, inactivity)."""
        ...

    def change_password(self, tx: Tx, user: User, password_hash: str) -> None:
        """Set what the user chose; the old password goes into the history."""
        ...

    def old_passwords(self, tx: Tx, user_id: str) -> list[str]:
        """Hashes of the passwords that must not come again, the present one included."""
        ...

    def refuse_early_change(self, tx: Tx, user: User) -> None:
        """:raises BadRequest: the present password must be used for some days yet."""
        ...
