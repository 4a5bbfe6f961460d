"""The doctor's checks of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from tane.db import Tx
from tane.finding import Finding
from tane.services.image.domain.stores import LOCAL
from tane.services.image.tables import image, image_location


def without_data(tx: Tx, folder: Path) -> Iterator[Finding]:
    """Images that are active, and whose file is not in the local store, which is ``folder``."""
    query = select(image_location.c.image_id, image_location.c.url).join(image, image.c.id == image_location.c.image_id)
    rows = tx.all(query.where(image.c.status == "active", image_location.c.store == LOCAL))
    lost = sorted({row.image_id for row in rows if not (folder / row.url.rpartition("/")[2]).exists()})
    if lost:
        yield Finding(
            "problem",
            f"The data of {len(lost)} image(s) are missing from {folder}, such as those of {lost[0]}.",
            "They cannot be downloaded, and no server is made of them where no host has a copy.",
            "./tane restore --replace from a backup that has them, or delete them and upload them again",
        )
