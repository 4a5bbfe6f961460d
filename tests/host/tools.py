"""What tests of a host's duties share: images in files, and polling."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from tane.wire.documents import ImageRef, LocalDisk
from tane.wire.duties import ComputeDuty
from tane.wire.errors import HostError

T = TypeVar("T")


class FileImages:
    """An ImageSource over files; ``fetched`` counts the streams."""

    def __init__(self, *, local: bool = True) -> None:
        self.paths: dict[str, Path] = {}
        self.local = local
        self.fetched = 0

    def add(self, path: Path, disk_format: str) -> ImageRef:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        image_id = path.name.replace(".", "-")
        self.paths[image_id] = path
        return ImageRef(id=image_id, digest=digest, disk_format=disk_format, size_bytes=path.stat().st_size)

    def local_path(self, image: ImageRef) -> Path | None:
        return self.paths[image.id] if self.local else None

    async def stream(self, image: ImageRef) -> AsyncIterator[bytes]:
        if image.id not in self.paths:
            raise HostError(f"image {image.id} is gone")
        self.fetched += 1
        content = self.paths[image.id].read_bytes()
        for start in range(0, len(content), 1 << 20):
            await asyncio.sleep(0)
            yield content[start : start + (1 << 20)]


async def nothing_moves(move_id: str, disk: LocalDisk) -> AsyncIterator[bytes]:
    """Of a cloud in which no guest moves."""
    raise HostError(f"nothing moves as {move_id}")
    yield b""


async def used_mb(compute: ComputeDuty, guest_id: str) -> float:
    """What a guest says that it uses of its memory; 0 while it says nothing."""
    return (await compute.diagnostics(guest_id)).used_mb or 0.0


async def until(wanted: Callable[[], Awaitable[T]], what: str, seconds: float = 60.0) -> T:
    """Poll until ``wanted`` gives something true; fails the test with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := await wanted()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} seconds: {what}"
        await asyncio.sleep(0.05)
    return found
