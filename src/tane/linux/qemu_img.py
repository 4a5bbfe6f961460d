"""qemu-img with explicit formats: no header is believed about what a file is or where its data lies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any, Literal

FORMATS = {"qcow2": "qcow2", "raw": "raw", "iso": "raw", "vhd": "vpc", "vhdx": "vhdx", "vmdk": "vmdk", "vdi": "vdi"}
"""Image formats by their API names, and what qemu-img calls them."""

_QCOW2_MAGIC = b"QFI\xfb"
_SELF_CONTAINED_VMDK = ("monolithicSparse", "streamOptimized")


class ImageError(Exception):
    """An image file cannot be read, written or trusted; the message says why."""


async def run(*arguments: str | Path) -> str:
    """Run qemu-img and return what it prints; raises ImageError with its message."""
    try:
        process = await asyncio.create_subprocess_exec(
            "qemu-img",
            *map(str, arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ImageError("the program qemu-img is not installed (Debian package qemu-utils)") from error
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.send_signal(signal.SIGKILL)
        await process.wait()
        raise
    if process.returncode:
        reason = err.decode(errors="replace").strip().removeprefix("qemu-img: ")
        raise ImageError(reason or f"qemu-img {arguments[0]} ended with {process.returncode}")
    return out.decode()


async def info(path: Path, image_format: str, *, in_use: bool = False) -> dict[str, Any]:
    """What qemu-img says of ``path`` read as ``image_format``; ``in_use`` while a daemon writes to it."""
    share = ["-U"] if in_use else []
    parsed: dict[str, Any] = json.loads(await run("info", *share, "--output=json", "-f", image_format, path))
    return parsed


async def create(path: Path, size_bytes: int) -> None:
    """Make an empty qcow2 file; it takes space as it is written."""
    await run("create", "-q", "-f", "qcow2", path, str(size_bytes))


async def create_overlay(path: Path, base: Path, size_bytes: int) -> None:
    """Make a copy-on-write copy of the qcow2 file ``base``."""
    await run("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", path, str(size_bytes))


async def resize(path: Path, size_bytes: int) -> None:
    """Set the virtual size of a qcow2 file that no one has open."""
    await run("resize", "-q", "-f", "qcow2", path, str(size_bytes))


async def snapshot(action: Literal["-c", "-d", "-a"], name: str, path: Path) -> None:
    """Make, delete or go back to an internal snapshot of a qcow2 file that no one has open."""
    # This command takes the format only as part of image options, where a comma is written twice.
    options = f"driver=qcow2,file.driver=file,file.filename={str(path).replace(',', ',,')}"
    await run("snapshot", "-q", action, name, "--image-opts", options)


async def check_untrusted(path: Path, image_format: str) -> int:
    """Refuse an image that refers to other files; returns its virtual size in bytes.

    The qcow2 header is read here, before any tool opens the file: opening a data file is already the harm
    (CVE-2024-32498). Raises ImageError.
    """
    if image_format not in FORMATS:
        raise ImageError(
            f"images of format {image_format} cannot be used for disks here; use one of {', '.join(FORMATS)}"
        )
    if FORMATS[image_format] == "qcow2":
        await asyncio.to_thread(_check_qcow2_header, path)
    try:
        about = await info(path, FORMATS[image_format])
    except ImageError as error:
        raise ImageError(f"the image is no valid {image_format} image: {error}") from error
    if "backing-filename" in about or "full-backing-filename" in about:
        raise ImageError("the image refers to a backing file; only self-contained images are accepted")
    if image_format == "vmdk":
        kind = about.get("format-specific", {}).get("data", {}).get("create-type")
        if kind not in _SELF_CONTAINED_VMDK:
            raise ImageError(
                f"VMDK images of type {kind} refer to other files; use {' or '.join(_SELF_CONTAINED_VMDK)}"
            )
    return int(about["virtual-size"])


def _check_qcow2_header(path: Path) -> None:
    """Source: docs/interop/qcow2.txt of QEMU."""
    with path.open("rb") as image:
        header = image.read(80)
    if len(header) < 72 or header[:4] != _QCOW2_MAGIC:
        raise ImageError("the image is no qcow2 image, whatever its disk_format says")
    version = int.from_bytes(header[4:8], "big")
    if int.from_bytes(header[8:16], "big"):
        raise ImageError("the image refers to a backing file; only self-contained images are accepted")
    if version >= 3 and int.from_bytes(header[72:80], "big") & 4:
        raise ImageError("the image refers to an external data file; only self-contained images are accepted")


async def convert(
    source: Path,
    source_format: str,
    target: Path,
    *,
    target_format: str = "qcow2",
    snapshot: str = "",
    in_use: bool = False,
) -> None:
    """Copy an image without its holes; formats are qemu-img's names.

    ``snapshot`` names the internal snapshot to copy instead of the present content; it may be read while the file is in
    use, because a snapshot's clusters never change. The target appears whole or not at all.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    source_options = ["-U"] if in_use else []
    if snapshot:
        source_options += ["-l", f"snapshot.name={snapshot}"]
    try:
        await run("convert", "-q", *source_options, "-f", source_format, "-O", target_format, source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
