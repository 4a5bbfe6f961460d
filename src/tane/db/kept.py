"""Rows that are kept of what is over: as many of one owner as are of use, whatever he does and undoes."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, delete, func, select

from tane.db.database import Tx

AT_A_TIME = 1000


def forget_oldest(tx: Tx, mine: ColumnElement[bool], age: Column[object], key: Column[object], most: int) -> int:
    """Of the rows for which ``mine`` holds, delete the oldest by ``age`` beyond ``most``; ``key`` tells one from
    another. Returns how many: :data:`AT_A_TIME` at most, then it is to be called again."""
    old = select(key).where(mine).order_by(age.desc(), key.desc()).offset(most).limit(AT_A_TIME)
    found = [row[0] for row in tx.all(old)]
    return tx.count(delete(key.table).where(key.in_(found))) if found else 0


def forget_oldest_of_each(
    tx: Tx, mine: ColumnElement[bool], owner: Column[object], age: Column[object], key: Column[object], most: int
) -> int:
    """The same for every ``owner`` that has more than ``most`` such rows."""
    crowded = select(owner).where(mine).group_by(owner).having(func.count() > most)
    return sum(forget_oldest(tx, mine & (owner == row[0]), age, key, most) for row in tx.all(crowded))
