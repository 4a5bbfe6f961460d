"""Names that administrators add to those of resource classes and traits; what is said with them is kept by
:mod:`tane.hosts`."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from tane.db.schema import created_at, metadata

resource_class = Table(
    "resource_class", metadata, Column("name", String(255), primary_key=True, nullable=False), created_at()
)
trait = Table("trait", metadata, Column("name", String(255), primary_key=True, nullable=False), created_at())
