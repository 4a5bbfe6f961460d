"""Tables of image.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "image",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("disk_format", sa.String(length=20), nullable=True),
        sa.Column("container_format", sa.String(length=20), nullable=True),
        sa.Column("min_disk", sa.Integer(), nullable=False),
        sa.Column("min_ram", sa.Integer(), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("os_hidden", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("virtual_size", sa.BigInteger(), nullable=True),
        sa.Column("checksum", sa.String(length=32), nullable=True),
        sa.Column("os_hash_algo", sa.String(length=16), nullable=True),
        sa.Column("os_hash_value", sa.String(length=128), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("upload_id", sa.String(length=36), nullable=True),
        sa.Column("upload_seen", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
    )
    op.create_index(op.f("ix_image_name"), "image", ["name"], unique=False)
    op.create_index(op.f("ix_image_os_hash_value"), "image", ["os_hash_value"], unique=False)
    op.create_index(op.f("ix_image_project_id"), "image", ["project_id"], unique=False)
    op.create_table(
        "image_member",
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.Column("member_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name=op.f("fk_image_member_image_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", "member_id", name=op.f("pk_image_member")),
    )
    op.create_index(op.f("ix_image_member_member_id"), "image_member", ["member_id"], unique=False)
    op.create_table(
        "image_property",
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_image_property_image_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image_id", "name", name=op.f("pk_image_property")),
    )
    op.create_table(
        "image_tag",
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name=op.f("fk_image_tag_image_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", "value", name=op.f("pk_image_tag")),
    )


def downgrade() -> None:
    op.drop_table("image_tag")
    op.drop_table("image_property")
    op.drop_index(op.f("ix_image_member_member_id"), table_name="image_member")
    op.drop_table("image_member")
    op.drop_index(op.f("ix_image_project_id"), table_name="image")
    op.drop_index(op.f("ix_image_os_hash_value"), table_name="image")
    op.drop_index(op.f("ix_image_name"), table_name="image")
    op.drop_table("image")
