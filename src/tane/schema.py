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

    :raises OtherSchema: the database is of another release, or gone: a cloud that began anew beside what an earlier one
        has left would sweep all of it away as nobody's.
    """
    if stands(database):
        return
    with database.read() as tx:
        new = revision(tx) is None
    if new and (reason := lost(folder)):
        raise OtherSchema(reason)
    migrate(database)


def lost(folder: Path) -> str | None:
    """Of a state folder whose database is empty: what says that it had one, and what to do; None when nothing does."""
    left = first_used(folder, KEPT)
    if left is None:
        return None
    return (
        f"the database is empty, but {left} holds what belongs to one: bring a backup back with "
        "`tane restore --replace`, or start the cloud in another state folder"
    )
