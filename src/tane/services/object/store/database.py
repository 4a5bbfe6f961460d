"""The database of object storage: beside the control plane's, so that neither waits for the other's writer."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, select, text, update

from tane import ids
from tane.apart import Apart
from tane.services.object.tables import (
    blob,
    blob_check,
    blob_copy,
    container,
    document,
    held,
    mark,
    metadata,
    object_,
    upload,
    version,
)


def _keep_etags_and_accounts(connection: Connection) -> None:
    """The MD5 of manifests beside them; whose account a blob lies for."""
    for table in (object_, version):
        connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN manifest_etag VARCHAR(32) DEFAULT '' NOT NULL"))
        for row in connection.execute(select(table.c.id).where(table.c.kind == "slo")).all():
            kept = connection.execute(select(table.c.manifest).where(table.c.id == row.id)).scalar_one()
            etag = hashlib.md5(kept.encode(), usedforsecurity=False).hexdigest()
            connection.execute(update(table).where(table.c.id == row.id).values(manifest_etag=etag))
    connection.execute(text("ALTER TABLE blob ADD COLUMN account_id INTEGER"))
    for table in (version, object_):
        owner = select(container.c.account_id).join(table, table.c.container_id == container.c.id)
        first = owner.where(table.c.blob_id == blob.c.id).limit(1).scalar_subquery()
        connection.execute(update(blob).where(blob.c.account_id.is_(None)).values(account_id=first))
    for index in blob.indexes:
        index.create(connection, checkfirst=True)


def _add_uploads(connection: Connection) -> None:
    upload.create(connection)


def _add_checks(connection: Connection) -> None:
    """Copies on hosts."""
    blob_check.create(connection, checkfirst=True)
    for index in blob_copy.indexes:
        index.create(connection, checkfirst=True)


def _add_locks_and_documents(connection: Connection) -> None:
    for table in (held, document, mark):
        table.create(connection, checkfirst=True)
    for index in container.indexes:
        index.create(connection, checkfirst=True)


def _close_parts(connection: Connection) -> None:
    """What was opened to all with the bucket showed the parts of older versions, and outlived the bucket's own list."""
    opened = container.c.read_acl.in_((".r:*,.rlistings", "*:*"))
    connection.execute(update(container).where(container.c.name.endswith("+segments"), opened).values(read_acl=""))


APART = Apart(
    "objects",
    "object_schema",
    "object storage",
    (
        metadata.create_all,
        _keep_etags_and_accounts,
        _add_uploads,
        _add_checks,
        _add_locks_and_documents,
        _close_parts,
    ),
    whole=True,
    beside=("objects", f"{ids.HOST}/objects"),
)
of, exists = APART.of, APART.exists
