"""The metadata every service's ``tables.py`` adds its tables to, and the column types they share."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def created_at() -> Column:  # type: ignore[type-arg]
    """A creation time column; naive UTC."""
    return Column("created_at", DateTime, nullable=False)


def updated_at() -> Column:  # type: ignore[type-arg]
    """A last-change time column; NULL until the first change."""
    return Column("updated_at", DateTime)


def project_id() -> Column:  # type: ignore[type-arg]
    """The owning project of a row."""
    return Column("project_id", String(64), nullable=False, index=True)
