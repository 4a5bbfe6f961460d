"""Rows of accounts and containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, case, delete, func, insert, or_, select, update

from tane.db import Tx
from tane.db.documents import dump
from tane.services.object.store import stamps
from tane.services.object.tables import account, blob, container, document, object_, upload, version

POINTER = case((object_.c.kind == "slo", ""), else_=object_.c.manifest).label("manifest")
"""What an object points at; of a static large object nothing: its manifest may be of megabytes."""
FILED = blob.c.data.is_(None).label("filed")
_ACCOUNT = (
    account.c.id.label("account_id"),
    account.c.name.label("account"),
    account.c.project_domain_id,
    account.c.stamp.label("account_stamp"),
    account.c.meta.label("account_meta"),
)
_CONTAINER = (
    container.c.id.label("container_id"),
    container.c.name.label("container"),
    container.c.stamp.label("container_stamp"),
    container.c.changed,
    container.c.meta.label("container_meta"),
    container.c.read_acl,
    container.c.write_acl,
    container.c.policy,
    container.c.versions_mode,
    container.c.versions_container,
    container.c.objects,
    container.c.bytes,
)
_IN_ACCOUNT = account.outerjoin(
    container, (container.c.account_id == account.c.id) & (container.c.name == bindparam("container"))
)
_HERE = account.c.name == bindparam("account")
_PLACE = select(*_ACCOUNT, *_CONTAINER).select_from(_IN_ACCOUNT).where(_HERE)
_WITH_OBJECT = _IN_ACCOUNT.outerjoin(
    object_, (object_.c.container_id == container.c.id) & (object_.c.name == bindparam("object"))
).outerjoin(blob, blob.c.id == object_.c.blob_id)
_OWN = tuple(column for column in object_.c if column.name not in ("container_id", "name", "manifest"))
_NAME = object_.c.name.label("object_name")
_OBJECT = (
    select(*_ACCOUNT, *_CONTAINER, *_OWN, _NAME, object_.c.manifest, blob.c.data).select_from(_WITH_OBJECT).where(_HERE)
)
_OUTLINE = select(*_ACCOUNT, *_CONTAINER, *_OWN, _NAME, POINTER, FILED).select_from(_WITH_OBJECT).where(_HERE)
_MANIFEST = select(object_.c.manifest).where(object_.c.id == bindparam("wanted"))
_TOTALS = select(
    func.count().label("containers"),
    func.coalesce(func.sum(container.c.objects), 0).label("objects"),
    func.coalesce(func.sum(container.c.bytes), 0).label("bytes"),
).where(container.c.account_id == bindparam("wanted"))
_COUNT = (
    update(container)
    .where(container.c.id == bindparam("wanted"))
    .values(
        objects=container.c.objects + bindparam("more"),
        bytes=container.c.bytes + bindparam("size"),
        changed=bindparam("at"),
    )
)


def place(tx: Tx, account_name: str, container_name: str = "") -> Row[Any] | None:
    """The account, with the container if it is there (else ``container_id`` is None)."""
    return tx.execute(_PLACE, {"account": account_name, "container": container_name}).first()


def object_in(tx: Tx, account_name: str, container_name: str, object_name: str) -> Row[Any] | None:
    """The same, with the current object (else ``id`` is None) and its bytes where they are in the row (``data``)."""
    return tx.execute(_OBJECT, {"account": account_name, "container": container_name, "object": object_name}).first()


def outline_in(tx: Tx, account_name: str, container_name: str, object_name: str) -> Row[Any] | None:
    """The same without what may be large: of bytes only whether they are in a file (``filed``)."""
    return tx.execute(_OUTLINE, {"account": account_name, "container": container_name, "object": object_name}).first()


def manifest_of(tx: Tx, object_id: int) -> str:
    return str(tx.execute(_MANIFEST, {"wanted": object_id}).scalar_one())


def add_account(tx: Tx, name: str, project_domain_id: str) -> int:
    values = {"name": name, "project_domain_id": project_domain_id, "stamp": stamps.of(tx.now), "meta": "{}"}
    return _id(tx.execute(insert(account), values).inserted_primary_key)


def change_account(tx: Tx, account_id: int, meta: Mapping[str, str]) -> None:
    tx.update(account, {"id": account_id}, meta=dump(meta))


def delete_account(tx: Tx, account_id: int) -> None:
    """Empty it first: :func:`delete_container`."""
    tx.execute(delete(account).where(account.c.id == account_id))


def metas_named(tx: Tx, name: str, having: str, most: int) -> list[str]:
    """The metadata, as it is kept, of the containers of a name whose metadata has a name."""
    wanted = select(container.c.meta).where(
        container.c.name == name, container.c.meta.contains(having, autoescape=True)
    )
    return [str(row.meta) for row in tx.all(wanted.order_by(container.c.id).limit(most))]


def totals(tx: Tx, account_id: int) -> Row[Any]:
    """``containers``, ``objects``, ``bytes`` of an account."""
    return tx.execute(_TOTALS, {"wanted": account_id}).one()


def totals_by_policy(tx: Tx, account_id: int) -> list[Row[Any]]:
    """The same for each storage policy, with its name in ``policy``."""
    return tx.all(
        select(
            container.c.policy,
            func.count().label("containers"),
            func.coalesce(func.sum(container.c.objects), 0).label("objects"),
            func.coalesce(func.sum(container.c.bytes), 0).label("bytes"),
        )
        .where(container.c.account_id == account_id)
        .group_by(container.c.policy)
        .order_by(container.c.policy)
    )


def containers_of(tx: Tx, account_id: int) -> list[int]:
    return [row.id for row in tx.all(select(container.c.id).where(container.c.account_id == account_id))]


def add_container(tx: Tx, account_id: int, name: str, policy: str) -> int:
    now = stamps.of(tx.now)
    values = {"account_id": account_id, "name": name, "policy": policy, "stamp": now, "changed": now, "meta": "{}"}
    return _id(tx.execute(insert(container), values).inserted_primary_key)


def change_container(tx: Tx, container_id: int, **values: Any) -> None:
    """``meta`` is a mapping, the rest as in the table."""
    if "meta" in values:
        values["meta"] = dump(values["meta"])
    tx.update(container, {"id": container_id}, changed=stamps.of(tx.now), **values)


def delete_container(tx: Tx, container_id: int) -> bool:
    """False when something is in it: an object, or a version of one."""
    for table in (object_, version):
        if tx.first(select(table.c.id).where(table.c.container_id == container_id).limit(1)) is not None:
            return False
    # Numbers of containers may be given again: an upload of this one must not be one of another's.
    of_it = or_(upload.c.container_id == container_id, upload.c.segments_id == container_id)
    tx.execute(update(upload).where(of_it).values(dead=1, container_id=0))
    tx.execute(delete(document).where(document.c.container_id == container_id))
    return tx.count(delete(container).where(container.c.id == container_id)) == 1


def count(tx: Tx, container_id: int, more: int, size: int) -> None:
    """So many objects and bytes more (or less) are in a container."""
    tx.execute(_COUNT, {"wanted": container_id, "more": more, "size": size, "at": stamps.of(tx.now)})


def _id(key: Any) -> int:
    return int(key[0])


def containers_of_all(tx: Tx, names: Sequence[str]) -> int:
    """How many containers accounts of these names have."""
    joined = select(func.count()).select_from(container).join(account, account.c.id == container.c.account_id)
    return int(tx.scalar(joined.where(account.c.name.in_(names))))


def measured(tx: Tx) -> list[Row[Any]]:
    """How much is in each account."""
    return tx.all(
        select(
            account.c.name,
            func.count(container.c.id).label("containers"),
            func.coalesce(func.sum(container.c.objects), 0).label("objects"),
            func.coalesce(func.sum(container.c.bytes), 0).label("bytes"),
        )
        .outerjoin(container, container.c.account_id == account.c.id)
        .group_by(account.c.name)
    )
