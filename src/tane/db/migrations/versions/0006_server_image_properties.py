"""Servers keep the properties of the image they were made from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # Of servers that are there already nothing was kept: an empty record is what their images without properties have.
    empty = sa.text("'{}'")
    op.add_column("server", sa.Column("image_properties", sa.JSON(), nullable=False, server_default=empty))
