"""SQL of application credentials and their access rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import access_rule, application_credential, application_credential_rule


def named(tx: Tx, user_id: str, name: str) -> Row[Any] | None:
    return tx.first(
        select(application_credential).where(
            application_credential.c.user_id == user_id, application_credential.c.name == name
        )
    )


def rules_of(tx: Tx, credential_ids: Iterable[str]) -> list[Row[Any]]:
    """The access rules of credentials, each with the credential's id, in one query."""
    link = application_credential_rule
    return tx.all(
        select(access_rule, link.c.application_credential_id)
        .join(link, link.c.access_rule_id == access_rule.c.id)
        .where(link.c.application_credential_id.in_(list(credential_ids)))
        .order_by(access_rule.c.id)
    )


def make_rules(tx: Tx, values: Sequence[Mapping[str, str]]) -> None:
    tx.execute(insert(access_rule), list(values))


def add_rules(tx: Tx, credential_id: str, rule_ids: Sequence[str]) -> None:
    if rule_ids:
        links = [{"application_credential_id": credential_id, "access_rule_id": rule_id} for rule_id in rule_ids]
        tx.execute(insert(application_credential_rule), links)


def rule_in_use(tx: Tx, rule_id: str) -> bool:
    link = application_credential_rule
    return tx.row(link, access_rule_id=rule_id) is not None
