"""The doctor's checks of images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import select

from tane.config import Config
from tane.db import Database, Tx
from tane.finding import Finding, some
from tane.services.image.domain import stores
from tane.services.image.drivers.base import StoreError
from tane.services.image.drivers.file import FileStore
from tane.services.image.tables import image, image_location


def without_data(database: Database, config: Config) -> Iterator[Finding]:
    """Images that have their data, as the database says, and have not in stores that are folders."""
    found = database.lasting(lambda tx: _missing(tx, config))
    lost = sorted({image_id for image_id, _, elsewhere in found if not elsewhere})
    if lost:
        places = ", ".join(sorted({store for image_id, store, _ in found if image_id in lost}))
        yield Finding(
            "problem",
            f"The data of {len(lost)} image(s) are missing (store {places}): {', '.join(some(lost))}.",
            "They cannot be downloaded, and no server is made of them where no host has a copy.",
            "./tane restore --replace from a backup that has them, or delete them and upload them again",
        )
    fewer = sorted(f"{image_id} ({store})" for image_id, store, elsewhere in found if elsewhere)
    if fewer:
        yield Finding(
            "warning",
            f"The data of image(s) are missing from one of their stores: {', '.join(some(fewer))}.",
            "They are read from another one, which must not be lost, too.",
            "DELETE /v2/stores/STORE/IMAGE of the image API, then an import there by copy-image",
        )


def _missing(tx: Tx, config: Config) -> set[tuple[str, str, bool]]:
    """(image, store, whether another store has the data); of a store that is no folder that is believed."""
    folders = stores.in_folders(config)
    believed = {name for name, store in config.image.stores.items() if store.type != "file"}
    query = select(image_location.c.image_id, image_location.c.store, image_location.c.url)
    having = query.join(image, image.c.id == image_location.c.image_id).where(
        image.c.status.in_(("active", "deactivated"))
    )
    places: dict[str, dict[str, bool]] = defaultdict(dict)
    for row in tx.all(having):
        folder = folders.get(row.store)
        there = row.store in believed if folder is None else _lies_in(folder, row.url)
        places[row.image_id][row.store] = there or places[row.image_id].get(row.store, False)
    return {
        (image_id, store, any(stored.values()))
        for image_id, stored in places.items()
        for store, there in stored.items()
        if not there
    }


def _lies_in(folder: FileStore, url: str) -> bool:
    try:
        return folder.local_path(url) is not None
    except StoreError:
        return False
