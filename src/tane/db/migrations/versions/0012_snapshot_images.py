"""What a snapshot knows of its image, and reservations of volumes.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OF_ITS_VOLUME = """
    UPDATE volume_snapshot SET image_meta = (SELECT volume.image_meta FROM volume
        WHERE volume.id = volume_snapshot.volume_id AND volume.project_id = volume_snapshot.project_id)
    WHERE EXISTS (SELECT 1 FROM volume
        WHERE volume.id = volume_snapshot.volume_id AND volume.project_id = volume_snapshot.project_id)
"""
OTHERS_GROUPS = """
    UPDATE volume_snapshot SET group_snapshot_id = NULL WHERE group_snapshot_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM volume_group_snapshot WHERE volume_group_snapshot.id = volume_snapshot.group_snapshot_id
            AND volume_group_snapshot.project_id = volume_snapshot.project_id)
"""
"""A snapshot that went to another project with its volume is in no group of the giver's."""
RESERVED = """
    INSERT INTO volume_attachment
        (id, volume_id, project_id, server_id, status, host_name, mode, connector, created_at, updated_at)
    SELECT block_device.attachment_id, volume.id, volume.project_id, block_device.server_id, 'attaching',
        server.host_name, 'rw', '{"host": "before"}', block_device.created_at, block_device.created_at
    FROM block_device JOIN volume ON volume.id = block_device.volume_id JOIN server ON server.id =
        block_device.server_id
    WHERE volume.status IN ('attaching', 'creating', 'downloading') AND volume.project_id = server.project_id
        AND NOT EXISTS (SELECT 1 FROM volume_attachment WHERE volume_attachment.volume_id = volume.id)
"""
"""Of volumes that were being attached, or made for a server, when the release changed."""


def upgrade() -> None:
    with op.batch_alter_table("volume_snapshot", schema=None) as batch_op:
        batch_op.add_column(sa.Column("image_meta", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
    op.execute(OF_ITS_VOLUME)
    op.execute(OTHERS_GROUPS)
    op.execute(RESERVED)
    with op.batch_alter_table("volume_snapshot", schema=None) as batch_op:
        batch_op.alter_column("image_meta", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("volume_snapshot", schema=None) as batch_op:
        batch_op.drop_column("image_meta")
