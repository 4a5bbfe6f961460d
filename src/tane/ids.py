"""What tells a cloud and its hosts from others: drawn once and kept in the state folder, wherever that is moved to."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
import uuid
from pathlib import Path
from typing import Annotated

import msgspec

from tane.config import ConfigError
from tane.linux.files import first_used, write_private

FILE = "ids.json"
DATABASE = "tane.db"
HOST = "host"
"""The folder of what the host of this machine has."""
KEPT = (f"{HOST}/guests", f"{HOST}/volumes", f"{HOST}/objects")
"""Folders of what the host has for the cloud, by these ids."""
LOCKS = Path("/run/tane")
LOOKS, LOOK_SECONDS = 10, 0.05


class Ids(msgspec.Struct, frozen=True):
    """``cloud_id``: six characters that tell its kernel objects from those of another cloud on the same machine.
    ``host_id``: a UUID; those of more simulated hosts follow from it."""

    cloud_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{6}\Z")]
    host_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]

    def hosts(self, name: str, count: int) -> list[tuple[str, str]]:
        """(id, name) of the hosts of this machine: one, or any number of simulated ones."""
        more = [(str(uuid.uuid5(uuid.UUID(self.host_id), str(n))), f"{name}-{n}") for n in range(2, count + 1)]
        return [(self.host_id, name), *more]


def read(folder: Path) -> Ids | None:
    """The ids of the cloud in a state folder, None before its first start.

    :raises ConfigError: the file holds others than :func:`of` draws: they name files and namespaces, as root.
    """
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Ids)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{folder / FILE}: {error}") from None


def of(folder: Path) -> Ids:
    """The ids of the cloud in a state folder, drawn at the first call.

    :raises ConfigError: they are gone, and what belongs to them is not: by others it would not know its own guests.
    """
    found = read(folder)
    if found is None:
        if (left := first_used(folder, (DATABASE, *KEPT))) is not None:
            remedy = f"bring it back from a backup (that of a cloud holds it); {left} belongs to it"
            raise ConfigError(f"{folder / FILE} is gone: {remedy}")
        found = draw(folder)
    return found


def draw(folder: Path) -> Ids:
    """Give the cloud in a state folder ids, which it has not."""
    drawn = Ids(secrets.token_hex(3), str(uuid.uuid4()))
    write_private(folder / FILE, msgspec.json.encode(drawn))
    return drawn


def hold(folder: Path) -> Path | None:
    """Let no copy of the cloud in ``folder`` run on this machine, as long as this process lives: both would take each
    other's kernel objects for their own.

    :returns: the folder of the copy that runs already; None when the cloud is held now. Clouds of ordinary users are
        not held: each has namespaces of its own.
    """
    # Before there is a database, by whoever runs the cloud.
    own = of(folder)
    if os.geteuid() != 0:
        return None
    LOCKS.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(LOCKS / own.cloud_id, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            # Who only looks (below) is gone in a moment.
            time.sleep(LOOK_SECONDS)
    else:
        with os.fdopen(descriptor) as lock:
            return Path(lock.read())
    os.truncate(descriptor, 0)
    os.write(descriptor, os.fsencode(folder))
    return None


def forget(folder: Path) -> None:
    """Leave nothing of a cloud that is being deleted, and does not run, outside its folder."""
    own = read(folder)
    if own is not None and os.geteuid() == 0:
        (LOCKS / own.cloud_id).unlink(missing_ok=True)


def copy_running(folder: Path) -> Path | None:
    """The folder of a copy of the cloud in ``folder`` that runs on this machine."""
    own = read(folder)
    if own is None or os.geteuid() != 0:
        return None
    try:
        with (LOCKS / own.cloud_id).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = Path(lock.read())
                return holder if holder != folder else None
    except FileNotFoundError:
        pass
    return None
