"""Users in the cloud's own database, with the rules of Keystone's ``[security_compliance]``."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.config import Config
from tane.db import Tx
from tane.services.identity.domain.passwords import check_password
from tane.services.identity.drivers.base import User
from tane.services.identity.store import rows
from tane.services.identity.tables import old_password, user
from tane.web.errors import BadRequest

COMPARISONS = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


class SqlUsers:
    """See :class:`tane.services.identity.drivers.base.UserDriver`."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def get(self, tx: Tx, user_id: str) -> User | None:
        row = rows.get(tx, user, user_id)
        return None if row is None else self._user(row, tx.now)

    def named(self, tx: Tx, name: str, domain_id: str) -> User | None:
        row = tx.first(select(user).where(rows.equal(user.c.name, name), user.c.domain_id == domain_id))
        return None if row is None else self._user(row, tx.now)

    def index(self, tx: Tx, filters: Mapping[str, Any]) -> list[User]:
        statement = select(user).order_by(user.c.id)
        for name, value in filters.items():
            if name == "password_expires_at":
                for comparison, moment in value:
                    statement = statement.where(COMPARISONS[comparison](user.c.password_expires_at, moment))
            elif name != "enabled":
                statement = statement.where(rows.condition(user, name, value))
        found = [self._user(row, tx.now) for row in tx.all(statement)]
        return [one for one in found if "enabled" not in filters or one.enabled == filters["enabled"]]

    def create(self, tx: Tx, user_id: str, values: Mapping[str, Any]) -> None:
        given = dict(values)
        hashed, options = given.pop("password_hash", None), given.get("options", {})
        given |= {"id": user_id, "options": options, "created_at": tx.now}
        if hashed is not None:
            given |= self._password(hashed, options, tx.now, own=False)
        if self._config.disable_user_account_days_inactive:
            given["last_active_at"] = tx.now
        rows.add(tx, user, given)

    def update(self, tx: Tx, user_id: str, values: Mapping[str, Any]) -> None:
        given = dict(values)
        hashed = given.pop("password_hash", None)
        row = rows.get(tx, user, user_id)
        if row is None:
            raise LookupError(user_id)
        if given.get("enabled"):
            given |= {"failed_auth_count": 0, "failed_auth_at": None}
            if self._config.disable_user_account_days_inactive:
                given["last_active_at"] = tx.now
        if hashed is not None:
            given |= self._password(hashed, given.get("options", row.options), tx.now, own=False)
            self._keep_old(tx, user_id, row.password_hash)
        rows.change(tx, user, user_id, given)

    def delete(self, tx: Tx, user_id: str) -> None:
        rows.remove(tx, user, user_id)

    def end_tokens(self, tx: Tx, user_id: str) -> None:
        tx.update(user, {"id": user_id}, token_epoch=user.c.token_epoch + 1)

    def check_password(self, user: User, password: str) -> bool:
        return check_password(password, user.password_hash)

    @property
    def notes_logins(self) -> bool:
        return bool(self._config.lockout_failure_attempts or self._config.disable_user_account_days_inactive)

    def login_refused(self, tx: Tx, user: User) -> str | None:
        most, seconds = self._config.lockout_failure_attempts, self._config.lockout_duration
        if not self.notes_logins:
            return None
        row = self._find(tx, user.id)
        if row is None:
            return f"Could not find user: {user.id}."
        if self._inactive(row, tx.now):
            return f"The account is disabled for user: {user.id}."
        if not most or user.options.get("ignore_lockout_failure_attempts"):
            return None
        if row.failed_auth_count < most:
            return None
        if seconds and row.failed_auth_at + timedelta(seconds=seconds) <= tx.now:
            return None
        return f"The account is locked for user: {user.id}."

    def login_failed(self, tx: Tx, user: User) -> None:
        most, seconds = self._config.lockout_failure_attempts, self._config.lockout_duration
        if not most:
            return
        row = self._find(tx, user.id)
        if row is None:
            return
        served = row.failed_auth_count >= most and seconds and row.failed_auth_at + timedelta(seconds=seconds) <= tx.now
        count = 1 if served else row.failed_auth_count + 1
        self._change(tx, user.id, {"failed_auth_count": count, "failed_auth_at": tx.now})

    def logged_in(self, tx: Tx, user: User) -> None:
        row = self._row(tx, user.id)
        values: dict[str, Any] = {}
        if row.failed_auth_count:
            values |= {"failed_auth_count": 0, "failed_auth_at": None}
        last = row.last_active_at
        if self._config.disable_user_account_days_inactive and (last is None or last.date() != tx.now.date()):
            values["last_active_at"] = tx.now
        self._change(tx, user.id, values)

    def change_password(self, tx: Tx, user: User, password_hash: str) -> None:
        self._keep_old(tx, user.id, user.password_hash)
        self._change(tx, user.id, self._password(password_hash, user.options, tx.now, own=True))
        self.end_tokens(tx, user.id)

    def old_passwords(self, tx: Tx, user_id: str) -> list[str]:
        count = self._config.unique_last_password_count
        if count < 1:
            return []
        found = tx.all(
            select(old_password.c.password_hash)
            .where(old_password.c.user_id == user_id)
            .order_by(old_password.c.id.desc())
            .limit(count - 1)
        )
        present = self._row(tx, user_id).password_hash
        return [hashed for hashed in (present, *(row.password_hash for row in found)) if hashed]

    def refuse_early_change(self, tx: Tx, user: User) -> None:
        days, row = self._config.minimum_password_age, self._row(tx, user.id)
        if not days or not row.password_self_service or row.password_created_at is None:
            return
        left = row.password_created_at + timedelta(days=days) - tx.now
        if left > timedelta():
            raise BadRequest(
                "You cannot change your password at this time due to the minimum password age. Once you change your "
                f"password, it must be used for {days} day(s) before it can be changed. Please try again in "
                f"{left.days} day(s) or contact your administrator to reset your password."
            )

    def _password(self, hashed: str, options: Mapping[str, Any], now: datetime, *, own: bool) -> dict[str, Any]:
        """The columns of a new password: one that an administrator set may have to be changed at once."""
        expires = None
        if self._config.password_expires_days and not options.get("ignore_password_expiry"):
            expires = (now + timedelta(days=self._config.password_expires_days)).replace(microsecond=0)
        if (
            not own
            and self._config.change_password_upon_first_use
            and not options.get("ignore_change_password_upon_first_use")
        ):
            expires = now
        return {
            "password_hash": hashed,
            "password_created_at": now,
            "password_expires_at": expires,
            "password_self_service": own,
        }

    def _keep_old(self, tx: Tx, user_id: str, hashed: str | None) -> None:
        keep = self._config.unique_last_password_count
        if keep and hashed:
            tx.insert(old_password, user_id=user_id, password_hash=hashed)
            kept = (
                select(old_password.c.id)
                .where(old_password.c.user_id == user_id)
                .order_by(old_password.c.id.desc())
                .limit(keep)
            )
            tx.execute(delete(old_password).where(old_password.c.user_id == user_id, old_password.c.id.not_in(kept)))

    def _find(self, tx: Tx, user_id: str) -> Row[Any] | None:
        return rows.get(tx, user, user_id)

    def _row(self, tx: Tx, user_id: str) -> Row[Any]:
        row = self._find(tx, user_id)
        if row is None:
            raise LookupError(user_id)
        return row

    def _change(self, tx: Tx, user_id: str, values: Mapping[str, Any]) -> None:
        if values:
            rows.change(tx, user, user_id, values)

    def _user(self, row: Row[Any], now: datetime) -> User:
        return User(
            id=row.id,
            name=row.name,
            domain_id=row.domain_id,
            enabled=row.enabled and not self._inactive(row, now),
            default_project_id=row.default_project_id,
            description=row.description,
            options=row.options,
            extra=row.extra,
            password_hash=row.password_hash,
            password_expires_at=row.password_expires_at,
            token_epoch=row.token_epoch,
        )

    def _inactive(self, row: Row[Any], now: datetime) -> bool:
        days = self._config.disable_user_account_days_inactive
        if not days or row.last_active_at is None or row.options.get("ignore_user_inactivity"):
            return False
        return bool((now.date() - row.last_active_at.date()).days > days)
