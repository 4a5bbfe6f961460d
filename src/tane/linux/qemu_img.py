"""qemu-img with explicit formats: no header is believed about what a file is or where its data lies.

It runs confined (:mod:`tane.linux.confine`) as the ``worker`` that owns what it writes, and reaches only the files of
the call. Its messages name those by descriptors, so that no path of the host comes back in an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import uuid
from pathlib import Path
from typing import Any, Literal

import msgspec

from tane.linux import confine, image_header, programs
from tane.linux.confine import Confinement, Handed, Identity

FORMATS = {"qcow2": "qcow2", "raw": "raw", "iso": "raw", "vhd": "vpc", "vhdx": "vhdx", "vmdk": "vmdk", "vdi": "vdi"}
"""Image formats by their API names, and what qemu-img calls them."""

_LOOK_BYTES = 1 << 30
_WORK_BYTES = 4 << 30
_LOOK_SECONDS = 30
_WORK_SECONDS = 3 * 3600
_SECTOR = 512
_CYLINDER = 16 * 255 * 512
"""VHD files have their size in sectors and in cylinders of at most this, rounded."""
_METADATA_BYTES = 64 << 20


class ImageError(Exception):
    """An image file cannot be read, written or trusted; the message says why and holds no path."""


class Disk(msgspec.Struct, frozen=True):
    """A disk image to read. ``owner``: whose file it is, None when it is this process's own; ``format`` in qemu-img's
    words; ``base``: the file a copy-on-write copy stands on, which is a qcow2 file of this process's own."""

    path: Path
    format: str
    owner: Identity | None = None
    base: Path | None = None


def content_readers() -> Identity | None:
    """The group of programs that read images: each reaches those it was handed, and no other."""
    return confine.identity("image-content")


def new_worker() -> Identity | None:
    """A user for one call, so that two calls cannot meet."""
    return confine.identity(f"qemu-img-{uuid.uuid4()}")


class _Call:
    """One run of qemu-img: collects its arguments and what it may touch."""

    def __init__(self, handed: Handed, worker: Identity | None) -> None:
        self._handed = handed
        self._worker = worker
        self._groups: set[int] = set()

    def read(self, disk: Disk, *, backing: bool = True) -> str:
        """The name of an image to open; what a header says of other files does not count."""
        if disk.format == "qcow2" and disk.owner is not None:
            self._refuse_others(disk.path)
        options: dict[str, Any] = {"driver": disk.format, "file": self._file(disk.path, disk.owner)}
        if disk.base is not None and backing:
            options["backing"] = {"driver": "qcow2", "file": self._file(disk.base, None)}
        elif disk.format == "qcow2" and backing:
            options["backing"] = None
        return f"json:{json.dumps(options)}"

    def onto(self, disk: Disk) -> str:
        """The same of a qcow2 file of the worker's to write over (``--target-image-opts``)."""
        self._refuse_others(disk.path)
        return f"driver=qcow2,backing=,file.driver=file,file.filename={self._handed.name(disk.path)}"

    @staticmethod
    def _refuse_others(path: Path) -> None:
        """:raises ImageError: an engine has written into its disk that the data are elsewhere."""
        try:
            image_header.refuse_data_file(path)
        except image_header.UnacceptableImage as error:
            raise ImageError(str(error)) from None

    def write(self, path: Path) -> str:
        """The name of an existing file of the worker's to write to."""
        return self._handed.name(path)

    def _file(self, path: Path, owner: Identity | None) -> dict[str, str]:
        if owner is None:
            owner = content_readers()
            if self._worker is not None:
                confine.lend(path, owner)
        if owner is not None:
            self._groups.add(owner.gid)
        return {"driver": "file", "filename": self._handed.name(path)}

    async def run(self, *arguments: str, file_bytes: int | None = None) -> str:
        """What it prints; it makes no file larger than ``file_bytes``. Raises ImageError with its message, and when it
        takes too long."""
        look = arguments[0] == "info"
        seconds, memory = (_LOOK_SECONDS, _LOOK_BYTES) if look else (_WORK_SECONDS, _WORK_BYTES)
        confinement = Confinement(
            self._worker,
            groups=tuple(sorted(self._groups)),
            memory_bytes=memory,
            cpu_seconds=seconds,
            file_bytes=file_bytes,
            # Whoever does the call's work again must not meet it.
            dies_with_us=True,
            # A header that an engine has written may name a server.
            offline=True,
        )
        if programs.find("qemu-img") is None:
            raise ImageError("the program qemu-img is not installed (Debian package qemu-utils)")
        process = await asyncio.create_subprocess_exec(
            *confinement.command(["qemu-img", *arguments]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            pass_fds=self._handed.descriptors,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), seconds)
        except (asyncio.CancelledError, TimeoutError) as error:
            # All of its session: should it have been taken over, a child of it would still have the files.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            if isinstance(error, TimeoutError):
                raise ImageError(f"qemu-img {arguments[0]} took longer than {seconds} seconds") from error
            raise
        if process.returncode:
            raise ImageError(_reason(err.decode(errors="replace")) or f"qemu-img {arguments[0]} failed")
        return out.decode()


def _reason(text: str) -> str:
    """qemu-img's message without the names it knows its files by."""
    lines = [line.removeprefix("qemu-img: ") for line in text.strip().splitlines()]
    words = re.sub(r"'?json:\{.*?\}+'?|'?/proc/self/fd/\d+'?", "the file", " / ".join(lines))
    return words.removeprefix("setpriv: ")[:500]


async def info(disk: Disk, *, in_use: bool = False) -> dict[str, Any]:
    """What qemu-img says of an image; ``in_use`` while a daemon writes to it."""
    worker = disk.owner or new_worker()
    share = ["-U"] if in_use else []
    with Handed() as handed:
        call = _Call(handed, worker)
        name = call.read(disk, backing=False)
        parsed: dict[str, Any] = json.loads(await call.run("info", *share, "--output=json", name))
    return parsed


async def create(path: Path, size_bytes: int, owner: Identity | None) -> None:
    """Make an empty qcow2 file of the ``owner``'s; it takes space as it is written."""
    await _create(path, owner, (), size_bytes)


async def create_overlay(path: Path, base: Path, size_bytes: int, owner: Identity | None) -> None:
    """Make a copy-on-write copy of the qcow2 file ``base``."""
    # The name of the base is only told to people: whoever opens the copy says what it stands on.
    await _create(path, owner, ("-u", "-b", str(base), "-F", "qcow2"), size_bytes)


async def _create(path: Path, owner: Identity | None, options: tuple[str, ...], size_bytes: int) -> None:
    confine.make_file(path, owner)
    with Handed() as handed:
        call = _Call(handed, owner)
        await call.run("create", "-q", "-f", "qcow2", *options, call.write(path), str(size_bytes))


async def resize(disk: Disk, size_bytes: int) -> None:
    """Set the virtual size of a qcow2 file that no one has open."""
    with Handed() as handed:
        call = _Call(handed, disk.owner)
        await call.run("resize", "-q", call.read(disk), str(size_bytes))


async def snapshot(action: Literal["-c", "-d", "-a"], name: str, disk: Disk) -> None:
    """Make, delete or go back to an internal snapshot of a qcow2 file that no one has open."""
    with Handed() as handed:
        call = _Call(handed, disk.owner)
        await call.run("snapshot", "-q", action, name, call.read(disk))


async def check_untrusted(path: Path, image_format: str) -> int:
    """Refuse an image that is not what it is said to be or refers to other files; returns its virtual size in bytes.

    The headers are read here, before any tool opens the file: opening a file that they name is already the harm
    (CVE-2024-32498, CVE-2024-40767). Raises ImageError.
    """
    if image_format not in FORMATS:
        raise ImageError(
            f"images of format {image_format} cannot be used for disks here; use one of {', '.join(FORMATS)}"
        )
    try:
        looked = await asyncio.to_thread(image_header.inspect, path, image_format)
        about = await info(Disk(path, FORMATS[image_format]))
    except (ImageError, image_header.UnacceptableImage) as error:
        raise ImageError(f"the image is no valid {image_format} image: {error}") from error
    if "backing-filename" in about or "full-backing-filename" in about:
        raise ImageError("the image refers to a backing file; only self-contained images are accepted")
    size = int(about["virtual-size"])
    # Limits were held against the one size, and the other is what would be written.
    if abs(size - looked.virtual_size) > (_CYLINDER if image_format == "vhd" else _SECTOR):
        raise ImageError(f"the image says two things of its size: {looked.virtual_size} and {size} bytes")
    return size


async def overwrite(source: Disk, target: Disk) -> None:
    """Write what an image holds, its holes as zeros, over a qcow2 file that no one has open; the target's snapshots
    stay, and what it has beyond the source's end."""
    with Handed() as handed:
        call = _Call(handed, target.owner)
        await call.run("convert", "-q", "-n", "--target-image-opts", call.read(source), call.onto(target))


async def convert(
    source: Disk,
    target: Path,
    *,
    owner: Identity | None = None,
    target_format: str = "qcow2",
    snapshot: str = "",
    in_use: bool = False,
    most_bytes: int | None = None,
) -> None:
    """Copy an image without its holes; formats are qemu-img's names.

    ``owner``: who the copy is for; when None it is this process's own, and nobody else's. ``snapshot`` names the
    internal snapshot to copy instead of the present content; it may be read while the file is in use, because a
    snapshot's clusters never change. ``most_bytes``: what the content may take. The target appears whole or not at all.
    """
    worker = owner or new_worker()
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    options = ["-U"] if in_use else []
    if snapshot:
        options += ["-l", f"snapshot.name={snapshot}"]
    try:
        confine.make_file(part, worker)
        with Handed() as handed:
            call = _Call(handed, worker)
            await call.run(
                "convert",
                "-q",
                *options,
                "-O",
                target_format,
                call.read(source),
                call.write(part),
                file_bytes=most_bytes and most_bytes + most_bytes // 8 + _METADATA_BYTES,
            )
        if owner is None:
            confine.take_back(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
