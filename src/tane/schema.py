"""A cloud's database, at this release's schema."""

from __future__ import annotations

from pathlib import Path

from tane import ids
from tane.db import Database
from tane.db.migrate import OtherSchema, migrate, revision, stands
from tane.linux.files import first_used

KEPT = ("images", "objects", *ids.KEPT)
"""Folders of what belongs to rows of the database."""


def bring_up(database: Database, folder: Path) -> None:
    """Make the tables of a new cloud in ``folder``, or upgrade those of an older release.

    :raises OtherSchema: the database is of another release, or gone.
    """
    if not stands(database):
        _refuse_loss(database, folder)
        migrate(database)


def _refuse_loss(database: Database, folder: Path) -> None:
    """A cloud that began anew beside what an earlier one has left would sweep all of it away as nobody's.

    :raises OtherSchema: the database is empty, and there are images, guests, volumes or objects.
    """
    with database.read() as tx:
        if revision(tx) is not None:
            return
    if (left := first_used(folder, KEPT)) is not None:
        raise OtherSchema(
            f"the database is empty, but {left} holds what belongs to one: bring a backup back with "
            "`tane restore --replace`, or start the cloud in another state folder"
        )
