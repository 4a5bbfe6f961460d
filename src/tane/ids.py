"""What tells a cloud and its hosts from others: drawn once and kept in the state folder, wherever that is moved to."""

from __future__ import annotations

import secrets
import uuid
from pathlib import Path

import msgspec

from tane.linux.files import write_private

FILE = "ids.json"


class Ids(msgspec.Struct, frozen=True):
    """``cloud_id``: six characters that tell its kernel objects from those of another cloud on the same machine.
    ``host_id``: a UUID; those of more simulated hosts follow from it."""

    cloud_id: str
    host_id: str

    def hosts(self, name: str, count: int) -> list[tuple[str, str]]:
        """(id, name) of the hosts of this machine: one, or any number of simulated ones."""
        more = [(str(uuid.uuid5(uuid.UUID(self.host_id), str(n))), f"{name}-{n}") for n in range(2, count + 1)]
        return [(self.host_id, name), *more]


def read(folder: Path) -> Ids | None:
    """The ids of the cloud in a state folder, None before its first start."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Ids)
    except FileNotFoundError:
        return None


def of(folder: Path) -> Ids:
    """The ids of the cloud in a state folder, drawn at the first call."""
    found = read(folder)
    if found is None:
        found = Ids(secrets.token_hex(3), str(uuid.uuid4()))
        write_private(folder / FILE, msgspec.json.encode(found))
    return found
