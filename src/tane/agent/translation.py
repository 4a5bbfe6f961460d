"""Turns what tools report into the one error a duty may raise."""

from __future__ import annotations

import contextlib
import errno
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from tane.linux.mkfs import MkfsError
from tane.linux.netns import NoNamespace
from tane.linux.process import ProcessError
from tane.linux.qemu_img import ImageError
from tane.linux.qmp import QmpError
from tane.wire.errors import HostError
from tane.wire.grammar import checked

D = TypeVar("D", bound=msgspec.Struct)

SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path on Linux (``sun_path`` without its terminator)."""


@contextlib.contextmanager
def host_errors(doing: str) -> Iterator[None]:
    """Raise the errors of tools and of the file system as a HostError "``doing``: reason"."""
    try:
        yield
    except HostError:
        raise
    except (ImageError, MkfsError, QmpError, ProcessError) as error:
        # What an engine is to connect to may be away for a moment: a host that starts, or networks that are being made.
        lost = isinstance(error, QmpError) and (error.lost or "Failed to connect" in str(error))
        if "No space left on device" in str(error):
            raise HostError(f"{doing}: no space is left on the host's disk", transient=True) from error
        raise HostError(f"{doing}: {without_paths(str(error))}", transient=lost) from error
    except NoNamespace as error:
        raise HostError(f"{doing}: the host's networks are not there yet", transient=True) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HostError(f"{doing}: no space is left on the host's disk", transient=True) from error
        raise HostError(f"{doing}: {error.strerror or error}") from error


def checked_id(value: str) -> str:
    """``value`` when it is a UUID in its usual form, since ids become names of files; else HostError."""
    with contextlib.suppress(ValueError):
        if str(uuid.UUID(value)) == value:
            return value
    raise HostError(f"{value!r} is not an id: ids are UUIDs in lower case")


def vetted(document: D) -> D:
    """The document when all of it has the form its types say; else HostError. Nothing else of it may be used."""
    try:
        return checked(document)
    except ValueError as error:
        raise HostError(f"the host was told nonsense: {error}") from error


def checked_socket(path: Path) -> Path:
    """``path`` when a Unix socket can be made there; else HostError."""
    if len(bytes(path)) > SOCKET_PATH_LIMIT:
        raise HostError(f"the state folder's path is too long for Unix sockets ({path}): choose a shorter one")
    return path


def last_words(log: Path) -> str:
    """The last lines a daemon wrote before it ended, fit for a message."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    words = " / ".join(re.sub(r"^\S*qemu[\w-]*: ", "", line) for line in lines[-3:])
    return without_paths(words) or "it said nothing"


def without_paths(text: str) -> str:
    """A tool's message without the paths of this host, which are nobody's business."""
    return re.sub(r"'?(?<![\w.])(?:/[\w.@:+,=~-]+){2,}'?", "a file", text)
