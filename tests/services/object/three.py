"""A cloud with hosts that keep objects, in process."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tane.agent.objects import ObjectFiles
from tane.hosts import HostAgent, store
from tane.services.object.domain import blobs, copies
from tane.services.object.reconcilers.copies import heal
from tane.services.object.store import copies as copy_rows
from tane.services.object.store import database
from tane.wire.blobs import Asked
from tane.wire.errors import HostError
from tests.api.object_support import Account, account
from tests.support import ApiCloud

BIG = bytes(range(256)) * 12_000
"""Two blocks and some more."""
THREE = {"X-Storage-Policy": "three"}
Spoil = Callable[[Asked, bytes], bytes]


class Host(ObjectFiles):
    """``spoil`` changes what it gives; ``fails`` raises before it does what it is asked."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder)
        self.folder, self.name, self.id = folder, name, str(uuid.uuid4())
        self.spoil: Spoil = lambda asked, data: data
        self.fails: Callable[[Asked], None] = lambda asked: None
        self.agent = HostAgent(self.id, name, objects=self)

    async def _does(self, asked: Asked, data: bytes) -> bytes:
        self.fails(asked)
        found = await super()._does(asked, data)
        return self.spoil(asked, found) if asked.do == "read" else found

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    @property
    def contents(self) -> list[bytes]:
        return [path.read_bytes() for path in self.files]


class World:
    def __init__(self, cloud: ApiCloud, folder: Path, count: int = 3) -> None:
        self.cloud, self.core, self._folder = cloud, cloud.core, folder
        self.hosts: list[Host] = []
        for number in range(count):
            self.add(f"store-{number}")
        self.mine: Account = account(cloud)
        if count >= copies.COPIES:
            self.mine.container("c", **THREE)

    def add(self, name: str) -> Host:
        host = Host(self._folder / name, name)
        self.hosts.append(host)
        with self.core.db.write() as tx:
            store.register(tx, host.id, name, ["object"], None, {})
        self.core.hosts.add(host.agent)
        return host

    def away(self, host: Host) -> None:
        self.core.hosts.remove(host.id)

    def back(self, host: Host) -> None:
        self.core.hosts.add(host.agent)
        copies.links(self.core)._slow.clear()

    def change(self, host: Host, **values: Any) -> None:
        with self.core.db.write() as tx:
            store.change(tx, host.id, **values)

    def close(self) -> None:
        async def all_of_it() -> None:
            await copies.links(self.core).close()
            for host in self.hosts:
                await host.close()
            for _ in range(5):
                # Connections that were broken off are closed in the turns after it.
                await asyncio.sleep(0)

        self.cloud.wait(all_of_it())

    def heal(self) -> str | None:
        """One pass of the reconciler."""
        copies.links(self.core)._slow.clear()
        found: str | None = self.cloud.wait(heal(self.core))
        return found

    def healed(self) -> None:
        """Passes until there is nothing to do."""
        for _ in range(6):
            if self.heal() is None:
                return
        raise AssertionError("there is always something to do")

    def age(self) -> None:
        """Let files be as old as those that are swept."""
        before = time.time() - blobs.GRACE_SECONDS - 1
        for host in self.hosts:
            for path in host.files:
                os.utime(path, (before, before))

    @property
    def states(self) -> list[str]:
        with database.of(self.core).read() as tx:
            return sorted(state for _, state, count, _ in copy_rows.counts(tx) for _ in range(count))


def broken(_asked: Asked) -> None:
    raise HostError("the disk is broken")
